"""The event gear: a backtest through the machines that trade, under a virtual clock."""
