"""Training of forecasting models: from bars to a registered, evaluated version."""
