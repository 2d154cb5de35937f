"""Enter far from the mean, leave near it: one step of the rule that mean reversion and pairs share."""

from trading.indicators.rolling import FloatArray


def next_side(side: FloatArray, score: FloatArray, entry: float, leave: float) -> FloatArray:
    """Return the side after one more bar: 1 long, -1 short, 0 flat.

    Long from `score` <= -entry until it rises to -leave; short from `score` >= entry until it falls to
    `leave`. A NaN score ends the position.

    Parameters
    ----------
    side, score : same shape
    entry, leave : float
        In the unit of the score, entry > leave >= 0.
    """
    xp = score.__array_namespace__()
    kept = xp.where(side * score < -leave, side, 0.0)
    result: FloatArray = xp.where(xp.abs(score) >= entry, -xp.sign(score), kept)
    return result
