"""How good a forecast was, once the outcome is known.

All is measured on the log returns, averaged over windows and steps; less is better but for the shares.

Sources: Gneiting and Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation", Journal of the
American Statistical Association 102 (CRPS, pinball loss); Laio and Tamea (2007), "Verification tools for
probabilistic forecasts of continuous hydrological variables", HESS 11 (CRPS as an integral of pinball losses);
Hyndman and Koehler (2006), "Another look at measures of forecast accuracy", International Journal of Forecasting 22
(MASE); Makridakis, Spiliotis and Assimakopoulos (2020), "The M4 Competition", International Journal of
Forecasting 36 (sMAPE).
"""

import numpy as np
from numpy.typing import NDArray

from trading.errors import DataError
from trading.forecasting.prediction import COVERAGES, LEVELS, Prediction
from trading.indicators.rolling import FloatArray

_LEVELS = np.array(LEVELS)
_ENDS = np.array((0.0, *LEVELS, 1.0))
_WEIGHTS = (_ENDS[2:] - _ENDS[:-2]) / 2.0
"""Of each level in the trapezoid rule."""
_TAIL = LEVELS[0] / 2.0
"""Half of the width of a tail."""
_MIDDLE = LEVELS.index(0.5)


def score(
    prediction: Prediction, outcomes: FloatArray, naive_error: FloatArray
) -> dict[str, float]:
    """Return all scores of a prediction.

    Parameters
    ----------
    outcomes : (window, step)
        Log returns that followed.
    naive_error : (window,)
        `naive_errors` of the windows (> 0).

    Returns
    -------
    dict of name to number
        crps : continuous ranked probability score, see `crps` (log return).
        pinball : mean pinball loss over `prediction.LEVELS` (log return).
        mase : mean of |outcome - median| / naive_error. A forecast of no change over several steps has about the
        square root of the step.
        smape : mean of 2 |forecast - outcome| / (forecast + outcome) of the prices, with the median as the
        forecast (fraction, 0 to 2).
        directional_accuracy : part of the outcomes whose sign the median has; a median of 0 has half a sign, an
        outcome of 0 is left out (0.5 when all are).
        coverage_50, coverage_80, coverage_95, coverage_99 : part of the outcomes inside the interval, ends included.

    Raises
    ------
    DataError
        If there is no window, or the outcomes are not of the prediction's shape.
    """
    if outcomes.shape != prediction.log_returns.shape[:2] or outcomes.size == 0:
        raise DataError(
            f"A score needs an outcome for each step: the prediction has (window, step) "
            f"{prediction.log_returns.shape[:2]}, the outcomes {outcomes.shape}."
        )
    error = np.abs(outcomes - prediction.median)
    hits = is_inside(prediction, outcomes).mean(axis=(0, 1))
    return {
        "crps": float(crps(prediction, outcomes).mean()),
        "pinball": float(pinball(prediction, outcomes).mean()),
        "mase": float((error / naive_error[:, None]).mean()),
        "smape": float(2.0 * np.tanh(error / 2.0).mean()),
        "directional_accuracy": _directional_accuracy(prediction.median, outcomes),
        **{f"coverage_{100 * c:.0f}": float(hit) for c, hit in zip(COVERAGES, hits, strict=True)},
    }


def pinball(prediction: Prediction, outcomes: FloatArray) -> FloatArray:
    """Return the mean over the levels of the pinball loss max(level * miss, (level - 1) * miss): (window, step)."""
    mean: FloatArray = _pinball_by_level(prediction, outcomes).mean(axis=2)
    return mean


def crps(prediction: Prediction, outcomes: FloatArray) -> FloatArray:
    """Return the continuous ranked probability score (window, step).

    It is twice the integral of the pinball loss over the level, by the trapezoid rule on `prediction.LEVELS`. Beyond
    the outermost levels the outermost quantile goes on, which makes the loss linear in the level and the rule exact
    there. So it is a weighted sum of pinball losses (and of the distance beyond the ends), which is as honest as the
    integral; on so few levels it is a little smaller: by 3.4 % for the true normal distribution.
    """
    inside = _pinball_by_level(prediction, outcomes) @ _WEIGHTS
    below = np.maximum(prediction.log_returns[..., 0] - outcomes, 0.0)
    above = np.maximum(outcomes - prediction.log_returns[..., -1], 0.0)
    total: FloatArray = 2.0 * (inside + _TAIL * (below + above))
    return total


def is_inside(prediction: Prediction, outcomes: FloatArray) -> NDArray[np.bool_]:
    """Return whether each outcome is in each central interval: (window, step, coverage)."""
    low = prediction.log_returns[..., :_MIDDLE][..., ::-1]
    high = prediction.log_returns[..., _MIDDLE + 1 :]
    return np.asarray((low <= outcomes[..., None]) & (outcomes[..., None] <= high))


def naive_errors(close: FloatArray) -> FloatArray:
    """Return the mean absolute one-bar log return of each window: (window, bar) -> (window,)."""
    mean: FloatArray = np.abs(np.diff(np.log(close), axis=1)).mean(axis=1)
    return mean


def _pinball_by_level(prediction: Prediction, outcomes: FloatArray) -> FloatArray:
    miss = outcomes[..., None] - prediction.log_returns
    return np.maximum(_LEVELS * miss, (_LEVELS - 1.0) * miss)


def _directional_accuracy(median: FloatArray, outcomes: FloatArray) -> float:
    agreement = np.sign(median) * np.sign(outcomes)
    counted = outcomes != 0
    return float((agreement[counted].mean() + 1.0) / 2.0) if counted.any() else 0.5
