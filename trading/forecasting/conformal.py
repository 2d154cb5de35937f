"""Conformal intervals: quantiles of a model moved so that they cover what they say, whatever the model.

Sources: Romano, Patterson and Candes (2019), "Conformalized Quantile Regression", NeurIPS 32 (the score and the
interval; here in units of the window's deviation, so that one number serves calm and wild instruments); Lei et al.
(2018), "Distribution-Free Predictive Inference for Regression", JASA 113 (the rank ceil((n + 1)(1 - alpha))).

The promise holds on average over windows that are exchangeable with those of the calibration. Windows of a market
are not quite: they overlap, and the market changes. `adaptive` corrects what is left, by what then happened.
"""

from bisect import bisect_left
from collections.abc import Sequence

import msgspec
import numpy as np

from trading.errors import DataError
from trading.forecasting.prediction import COVERAGES, LEVELS, Prediction
from trading.indicators.rolling import FloatArray

_MIDDLE = LEVELS.index(0.5)
_EQUAL = 1e-9
"""Two probabilities that are closer are one."""
_DIGITS = 6
"""Significant digits of a stored score, rounded up."""
_GRID = tuple(
    sorted({*(k / 50 for k in range(1, 45)), *(k / 400 for k in range(360, 396)), 0.5, 0.8}
           | {k / 1000 for k in range(990, 1001)})
)  # fmt: skip
"""Steps of 2 % below 90 %, of 0.25 % below 99 %, of 0.1 % above."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Sorted conformity scores of held out windows, thinned to a grid.

    Attributes
    ----------
    windows : int
        How many windows were scored.
    grid : tuple of float
        Probabilities, rising, the last one 1.
    scores : tuple of (step, grid) for each of `prediction.COVERAGES`
        Score max(low - outcome, outcome - high) in units of the window's scale: the one of rank
        ceil((windows + 1) * probability), the largest where there is none of that rank.
    """

    windows: int
    grid: tuple[float, ...]
    scores: tuple[tuple[tuple[float, ...], ...], ...]


def calibrate(prediction: Prediction, outcomes: FloatArray) -> Calibration:
    """Return the calibration of a model from windows that it was not trained on.

    A coverage of c needs c / (1 - c) windows (99 for the 99 % interval); with fewer, its interval is the one that
    would have held all of them.

    Parameters
    ----------
    prediction : Prediction
        As the model gives it, for each window.
    outcomes : (window, step)
        Log returns that followed.

    Raises
    ------
    DataError
        If there is no window, or an outcome is no number.
    """
    if len(prediction) == 0 or not np.isfinite(outcomes).all():
        raise DataError("A calibration needs at least one window, and finite outcomes of all.")
    units = prediction.scale[:, None]
    scores = []
    for index in range(len(COVERAGES)):
        low, high = (prediction.log_returns[..., _MIDDLE + side * (index + 1)] for side in (-1, 1))
        scores.append(_thinned(np.maximum(low - outcomes, outcomes - high) / units))
    return Calibration(windows=len(prediction), grid=_GRID, scores=tuple(scores))


def calibrated(
    prediction: Prediction, calibration: Calibration, miscoverage: Sequence[float] | None = None
) -> Prediction:
    """Return the prediction with each interval moved by its conformal correction.

    An interval that would end inside a narrower one, or short of the median, is extended to it: quantiles never
    cross, and no coverage is lost.

    Parameters
    ----------
    miscoverage : sequence of float or None
        Wanted part of outcomes outside each of the intervals (`prediction.COVERAGES`); None for 1 - coverage.
        0 and less give the widest interval that the calibration knows.

    Raises
    ------
    DataError
        If the calibration was made for fewer steps.
    """
    if len(calibration.scores[0]) < prediction.horizon:
        raise DataError(
            f"The calibration knows {len(calibration.scores[0])} steps, the prediction has "
            f"{prediction.horizon}; calibrate the model anew."
        )
    wanted = COVERAGES if miscoverage is None else [1.0 - share for share in miscoverage]
    corrections = _corrections(calibration, wanted, prediction.horizon)
    moved = prediction.log_returns + corrections * prediction.scale[:, None, None]
    np.maximum.accumulate(moved[..., _MIDDLE:], axis=2, out=moved[..., _MIDDLE:])
    inside_out = moved[..., _MIDDLE::-1]
    np.minimum.accumulate(inside_out, axis=2, out=inside_out)
    return Prediction(moved, prediction.scale)


def _thinned(scores: FloatArray) -> tuple[tuple[float, ...], ...]:
    """(window, step) -> one row of scores on the grid per step."""
    windows = len(scores)
    ranks = np.ceil((windows + 1) * np.array(_GRID) - _EQUAL).astype(int)
    kept = np.sort(scores, axis=0)[np.minimum(ranks, windows) - 1]
    return tuple(tuple(column) for column in _rounded_up(kept).T.tolist())


def _rounded_up(values: FloatArray) -> FloatArray:
    """Short numbers make a short manifest; upwards, so that no interval shrinks."""
    size = np.maximum(np.abs(values), 1e-30)
    units = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(size)))
    rounded: FloatArray = np.maximum(np.ceil(values * units) / units, values)
    return rounded


def _corrections(calibration: Calibration, wanted: Sequence[float], steps: int) -> FloatArray:
    """How far each quantile moves, in units of the scale: (step, level)."""
    last = len(calibration.grid) - 1
    ends: list[list[float]] = []
    for share, scores in zip(wanted, calibration.scores, strict=True):
        place = min(bisect_left(calibration.grid, share - _EQUAL), last)
        ends.append([row[place] for row in scores[:steps]])
    widths = np.array(ends).T
    corrections: FloatArray = np.zeros((steps, len(LEVELS)))
    corrections[:, _MIDDLE + 1 :] = widths
    corrections[:, :_MIDDLE] = -widths[:, ::-1]
    return corrections
