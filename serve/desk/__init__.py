"""The front desk's own language: what it sees of a trading cluster, what it may ask, who asks."""
