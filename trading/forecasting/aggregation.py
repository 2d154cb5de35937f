"""One prediction out of several: what a committee of models says, also when some did not answer.

Quantiles are averaged level by level (Vincentization), which keeps the committee as sharp as its members: Vincent
(1912), "The functions of the vibrissae in the behavior of the white rat"; Lichtendahl, Grushka-Cockayne and Winkler
(2013), "Is It Better to Average Probabilities or Quantiles?", Management Science 59.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from trading.errors import UsageError
from trading.forecasting.prediction import LEVELS, Prediction
from trading.indicators.rolling import FloatArray

Method = Literal["mean", "median", "weighted", "majority", "stacking"]
METHODS: tuple[Method, ...] = get_args(Method)

_STEPS = 400
_RATE = 2.0
_LEVELS = np.array(LEVELS)


def aggregate(
    method: Method,
    members: Mapping[str, Prediction],
    *,
    weights: Mapping[str, float] | None = None,
    losses: Mapping[str, float] | None = None,
) -> Prediction:
    """Return what the members say together. Their order does not matter; one member alone is the answer.

    Parameters
    ----------
    method : str
        mean, median : of each quantile.
        weighted : mean with `weights`, or with weights in proportion to 1 / `losses` (Bates and Granger 1969).
        majority : for each window and step, the mean of those members whose median has the sign that most medians
        have; of all members when there is no majority.
        stacking : mean with `weights` as `fit_stacking` finds them.
    members : mapping of model to Prediction
        Those that answered, at least one, for the same windows and steps.
    weights : mapping of model to weight or None
        At least 0; those of the members that answered are scaled to add up to 1, and count the same if all are 0.
    losses : mapping of model to loss or None
        Recent mean CRPS of each model (> 0).

    Raises
    ------
    UsageError
        If there is no such method, no member, members do not fit each other, or a weight or a loss that the method
        needs is missing or wrong.
    ForecastInvalid
        If a member's numbers are none.
    """
    if method not in METHODS:
        raise UsageError(f"There is no aggregation {method!r}; there are {', '.join(METHODS)}.")
    names = sorted(members)
    log_returns, scale = _stacked(members, names)
    shares = np.full(len(names), 1.0 / len(names))
    if method in ("weighted", "stacking"):
        shares = _weights(method, names, weights, losses if method == "weighted" else None)
    if method == "median":
        together = Prediction(np.median(log_returns, axis=0), np.median(scale, axis=0))
    elif method == "majority":
        together = Prediction(_majority(log_returns), _mean(scale, shares))
    else:
        together = Prediction(_mean(log_returns, shares), _mean(scale, shares))
    together.check(f"{method} of {', '.join(names)}")
    return together


def fit_stacking(members: Mapping[str, Prediction], outcomes: FloatArray) -> dict[str, float]:
    """Return weights (>= 0, adding up to 1) with which the mean of the members did best on past outcomes.

    They minimise the mean pinball loss in units of the window's scale, by exponentiated gradient descent (Kivinen and
    Warmuth 1997) from equal weights; the best point on the way is kept, so that equal weights are never better on these
    windows. The problem is convex.

    Parameters
    ----------
    members : mapping of model to Prediction
        For the same windows and steps.
    outcomes : (window, step)
        Log returns that followed.

    Raises
    ------
    UsageError
        If there is no member, or members do not fit each other or the outcomes.
    """
    names = sorted(members)
    log_returns, scale = _stacked(members, names)
    if outcomes.shape != log_returns.shape[1:3] or outcomes.size == 0:
        raise UsageError("Stacking needs an outcome for every window and step of its members.")
    units = scale.mean(axis=0)[:, None, None]
    quantiles = (log_returns / units).reshape(len(names), -1, len(LEVELS))
    seen = (outcomes[..., None] / units).reshape(-1, 1)
    weights = best = np.full(len(names), 1.0 / len(names))
    least = np.inf
    for step in range(_STEPS):
        loss, gradient = _pinball_and_gradient(quantiles, seen, weights)
        if loss < least:
            least, best = loss, weights
        size = np.abs(gradient).max()
        if size == 0.0:
            break
        weights = weights * np.exp(-_RATE / np.sqrt(step + 1.0) * gradient / size)
        weights /= weights.sum()
    return {name: float(weight) for name, weight in zip(names, best, strict=True)}


def _stacked(members: Mapping[str, Prediction], names: list[str]) -> tuple[FloatArray, FloatArray]:
    """(member, window, step, level) and (member, window)."""
    if not names:
        raise UsageError("There is nothing to aggregate: no model answered.")
    shapes = {members[name].log_returns.shape for name in names}
    if len(shapes) > 1:
        raise UsageError(f"Predictions of different windows or horizons do not mix: {shapes}.")
    for name in names:
        members[name].check(name)
    return (
        np.stack([members[name].log_returns for name in names]),
        np.stack([members[name].scale for name in names]),
    )


def _weights(
    method: str,
    names: list[str],
    weights: Mapping[str, float] | None,
    losses: Mapping[str, float] | None,
) -> FloatArray:
    if weights is None and losses is None:
        needs = "weights, or the recent losses," if method == "weighted" else "fitted weights"
        raise UsageError(f"The aggregation {method!r} needs {needs} of its members.")
    given = weights if weights is not None else losses or {}
    missing = [name for name in names if name not in given]
    if missing:
        raise UsageError(f"The aggregation {method!r} knows no weight or loss of {missing[0]}.")
    values = np.array([given[name] for name in names], dtype=np.float64)
    if weights is None:
        if not (np.isfinite(values) & (values > 0)).all():
            raise UsageError("Losses must be finite numbers above 0.")
        values = values.min() / values
    if not (np.isfinite(values) & (values >= 0)).all():
        raise UsageError("Weights must be finite numbers, at least 0.")
    total = values.sum()
    return values / total if total > 0 else np.full(len(names), 1.0 / len(names))


def _mean(values: FloatArray, shares: FloatArray) -> FloatArray:
    """Mean over the first axis, kept within the members against rounding, and exact where they agree."""
    mean: FloatArray = np.zeros(values.shape[1:])
    for share, member in zip(shares, values, strict=True):
        mean += share * member
    return np.clip(mean, values.min(axis=0), values.max(axis=0))


def _majority(log_returns: FloatArray) -> FloatArray:
    sides = np.sign(log_returns[..., LEVELS.index(0.5)])
    side = np.sign(sides.sum(axis=0))
    agrees = np.where(side == 0, 1.0, sides == side)[..., None]
    mean: FloatArray = (agrees * log_returns).sum(axis=0) / agrees.sum(axis=0)
    return np.clip(mean, log_returns.min(axis=0), log_returns.max(axis=0))


def _pinball_and_gradient(
    quantiles: FloatArray, seen: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray]:
    """Mean pinball loss of the weighted mean, and its slope in each weight."""
    miss = seen - np.tensordot(weights, quantiles, axes=1)
    slope = np.where(miss > 0, -_LEVELS, 1.0 - _LEVELS)
    gradient: FloatArray = np.tensordot(quantiles, slope, axes=2) / miss.size
    return float(-(slope * miss).mean()), gradient
