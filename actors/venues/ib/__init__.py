"""Interactive Brokers, through TWS or IB Gateway (client library: ib_async)."""
