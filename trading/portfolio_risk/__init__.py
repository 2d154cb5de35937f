"""What a portfolio can lose: value at risk, expected shortfall, dependence, and where the loss comes from."""
