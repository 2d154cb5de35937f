"""The front desk's side of a trading cluster."""
