"""How a result is tested before anybody believes it: splits, resampling, overfitting."""
