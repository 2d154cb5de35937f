"""The laboratory: backtests at scale, optimisation, model training."""
