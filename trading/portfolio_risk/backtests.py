"""Tests of past forecasts: did the losses that came agree with the value at risk that was said before.

An exception is a loss above the value at risk of its bar. A right model has them in a share 1 - confidence of
bars, and whether there was one says nothing of the next. Small p-values speak against the model.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_confidence

GREEN_BELOW, YELLOW_BELOW = 0.95, 0.9999
"""Chance, under a right model, of at most as many exceptions as were seen."""

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one test says.

    Attributes
    ----------
    statistic : float
    p_value : float
        Chance of a statistic at least as bad if the model is right.
    """

    statistic: float
    p_value: float


class Zone(StrEnum):
    """Of the traffic light."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class TrafficLight:
    """A zone and what it follows from.

    Attributes
    ----------
    exceptions : int
    probability : float
        Chance of at most this many if the model is right.
    """

    zone: Zone
    exceptions: int
    probability: float


def exceptions(losses: FloatArray, values_at_risk: FloatArray) -> BoolArray:
    """Return in which bars the loss was above the value at risk (time,).

    Raises
    ------
    DataError
        If the two differ in shape, are empty or not finite.
    """
    _require_series(losses, values_at_risk)
    return losses > values_at_risk


def kupiec(is_exception: BoolArray, confidence: float) -> Verdict:
    """Test whether exceptions are as frequent as they should be.

    Likelihood ratio with one degree of freedom. Kupiec (1995), "Techniques for Verifying the Accuracy of Risk
    Measurement Models", Journal of Derivatives 3.

    Raises
    ------
    UsageError
        If `confidence` is out of range.
    DataError
        If there is no bar.
    """
    require_confidence(confidence)
    _require_bars(is_exception, 1)
    hits = int(is_exception.sum())
    misses = len(is_exception) - hits
    expected = _log_likelihood(hits, misses, 1.0 - confidence)
    return _verdict(expected, _likeliest(hits, misses), 1)


def christoffersen(is_exception: BoolArray) -> Verdict:
    """Test whether an exception makes another in the next bar more or less likely.

    Likelihood ratio with one degree of freedom against a Markov chain. Christoffersen (1998), "Evaluating
    Interval Forecasts", International Economic Review 39.

    Raises
    ------
    DataError
        If there are fewer than two bars.
    """
    _require_bars(is_exception, 2)
    before, after = is_exception[:-1], is_exception[1:]
    together = _likeliest(int(after.sum()), int((~after).sum()))
    return _verdict(together, _chain(before, after), 1)


def conditional_coverage(is_exception: BoolArray, confidence: float) -> Verdict:
    """Test frequency and independence at once, with two degrees of freedom (Christoffersen 1998).

    Both count the bars from the second on, so that this is one likelihood ratio.

    Raises
    ------
    UsageError
        If `confidence` is out of range.
    DataError
        If there are fewer than two bars.
    """
    require_confidence(confidence)
    _require_bars(is_exception, 2)
    before, after = is_exception[:-1], is_exception[1:]
    expected = _log_likelihood(int(after.sum()), int((~after).sum()), 1.0 - confidence)
    return _verdict(expected, _chain(before, after), 2)


def traffic_light(is_exception: BoolArray, confidence: float) -> TrafficLight:
    """Return the zone of the Basel Committee.

    Over 250 bars at 99 %: green up to 4 exceptions, yellow up to 9, red from 10 on. Basel Committee (1996),
    "Supervisory Framework for the Use of Backtesting in Conjunction with the Internal Models Approach".

    Raises
    ------
    UsageError
        If `confidence` is out of range.
    DataError
        If there is no bar.
    """
    from scipy.stats import binom

    require_confidence(confidence)
    _require_bars(is_exception, 1)
    hits = int(is_exception.sum())
    probability = float(binom.cdf(hits, len(is_exception), 1.0 - confidence))
    if probability < GREEN_BELOW:
        return TrafficLight(Zone.GREEN, hits, probability)
    zone = Zone.YELLOW if probability < YELLOW_BELOW else Zone.RED
    return TrafficLight(zone, hits, probability)


def acerbi_szekely(
    losses: FloatArray,
    values_at_risk: FloatArray,
    shortfalls: FloatArray,
    confidence: float,
    simulated: FloatArray,
) -> Verdict:
    """Test the expected shortfall by the second statistic of Acerbi and Szekely.

    Z = 1 - sum of loss / shortfall over exceptions / (bars * (1 - confidence)): near 0 for a right model, -0.7
    or less speaks against it at 5 % for usual tails. The p-value is one-sided: only too small a forecast counts.
    Acerbi and Szekely (2014), "Backtesting Expected Shortfall", Risk 27.

    Parameters
    ----------
    losses, values_at_risk, shortfalls : (time,)
        Shortfalls must be positive.
    simulated : (simulation, time)
        Losses drawn from the forecast distribution of each bar.

    Raises
    ------
    DataError
        If a series is unfit.
    UsageError
        If `confidence` is out of range.
    """
    require_confidence(confidence)
    _require_series(losses, values_at_risk)
    _require_series(losses, shortfalls)
    if (shortfalls <= 0.0).any():
        raise DataError("an expected shortfall is not positive: the test divides by it.")
    if simulated.ndim != 2 or simulated.shape[1] != len(losses) or len(simulated) == 0:
        raise DataError(
            f"simulated losses have shape {simulated.shape}, must be (simulation, {len(losses)})."
        )
    if not np.isfinite(simulated).all():
        raise DataError("a simulated loss is not finite.")
    seen = _second_statistic(losses, values_at_risk, shortfalls, confidence)
    drawn = _second_statistic(simulated, values_at_risk, shortfalls, confidence)
    # The seen one counts as a draw, so that no p-value is 0.
    p_value = (1.0 + float(np.sum(drawn <= seen))) / (1.0 + len(simulated))
    return Verdict(float(seen), p_value)


def _second_statistic(
    losses: FloatArray, values_at_risk: FloatArray, shortfalls: FloatArray, confidence: float
) -> FloatArray:
    ratios = np.where(losses > values_at_risk, losses / shortfalls, 0.0)
    found: FloatArray = 1.0 - ratios.mean(axis=-1) / (1.0 - confidence)
    return found


def _chain(before: BoolArray, after: BoolArray) -> float:
    """Return the log-likelihood of the likeliest chain: one chance after an exception, one after none."""
    return sum(
        _likeliest(int((after & state).sum()), int((~after & state).sum()))
        for state in (before, ~before)
    )


def _likeliest(hits: int, misses: int) -> float:
    """Return the log-likelihood at the observed frequency."""
    return _log_likelihood(hits, misses, hits / (hits + misses)) if hits + misses else 0.0


def _log_likelihood(hits: int, misses: int, chance: float) -> float:
    in_hits = hits * math.log(chance) if hits else 0.0
    in_misses = misses * math.log1p(-chance) if misses else 0.0
    return in_hits + in_misses


def _verdict(expected: float, found: float, degrees: int) -> Verdict:
    """Return the likelihood ratio test of two log-likelihoods."""
    from scipy.stats import chi2

    statistic = max(2.0 * (found - expected), 0.0)
    return Verdict(statistic, float(chi2.sf(statistic, degrees)))


def _require_bars(is_exception: BoolArray, bars_min: int) -> None:
    if is_exception.dtype != np.bool_ or is_exception.ndim != 1:
        raise UsageError("exceptions must be a series of true and false.")
    if len(is_exception) < bars_min:
        raise DataError(f"there are {len(is_exception)} bars, at least {bars_min} are needed.")


def _require_series(losses: FloatArray, forecasts: FloatArray) -> None:
    if losses.ndim != 1 or losses.shape != forecasts.shape or len(losses) == 0:
        raise DataError(
            f"losses have shape {losses.shape} and forecasts {forecasts.shape}, must be the same (time,)."
        )
    if not (np.isfinite(losses).all() and np.isfinite(forecasts).all()):
        raise DataError("a loss or a forecast is not finite.")
