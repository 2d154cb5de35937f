"""What a strategy may know besides bars: named arrays (time, instrument) in `Bars.signals`.

Row t holds what was known when bar t closed; NaN where nothing was. A strategy lists the signals that it
cannot do without in `NEEDS`, and gives weight 0 to an instrument whose signal is NaN.
"""

FORECAST_RETURN = "forecast_return"
"""Expected simple return from this close over the forecaster's horizon (fraction)."""

FORECAST_DEVIATION = "forecast_deviation"
"""Standard deviation of that return (fraction, > 0)."""

SENTIMENT = "sentiment"
"""Tone of what was written about the instrument, -1 (bad) to 1 (good)."""

LEADER_WEIGHT = "leader_weight"
"""Signed weight of the instrument in the portfolio that is followed, as it was disclosed."""
