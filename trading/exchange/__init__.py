"""The simulated venue: matching, liquidity, fees, latency, its own ledger and record, and its faults."""
