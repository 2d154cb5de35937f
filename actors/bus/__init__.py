"""The data plane: commands, market data and requests between the hosts of a cluster."""
