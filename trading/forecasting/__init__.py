"""Forecasts as causal functions of bars: trained on the past alone, wherever they are evaluated."""
