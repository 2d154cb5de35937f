"""Watching a model in service: what it said is kept until the bars have answered, then counted.

Everything recent is counted by moment (the last bar of a forecast), not by forecast: a hundred instruments on one day
are one market seen a hundred times. An alert needs enough moments to be more than chance, because it blocks a
promotion.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import numpy as np

from trading.errors import DataError
from trading.forecasting.adaptive import AdaptiveMiscoverage
from trading.forecasting.input_drift import counts_of, stability_index
from trading.forecasting.monitoring import MonitorReport
from trading.forecasting.prediction import COVERAGES, Prediction
from trading.forecasting.scores import is_inside, pinball
from trading.indicators.rolling import FloatArray

PENDING_MAX = 256
"""Forecasts of one instrument that wait for their bars; the oldest is given up."""
INSTRUMENTS_MAX = 20_000
"""Instruments that are followed; the one that came first is given up."""
_LUCK = 2.6
"""Standard errors that chance exceeds once in a hundred times."""

Bins = tuple[Sequence[float], Sequence[float]]
"""Edges and shares of an input in training, see `input_drift.bins_of`."""
Record = TypeVar("Record")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a number is an alert.

    Attributes
    ----------
    moments : int
        What is recent: the last moments, and those that the drift of an input needs to be judged at its limit.
    moments_min : int
        Fewer say nothing about coverage and error.
    drift : float
        Population stability index of an input; with fewer than `moments` the limit is higher in proportion.
    error_ratio : float
        Pinball loss over that of the evaluation.
    coverage_gap : float
        Distance of a coverage from what the interval says (fraction), as far as it is beyond chance: steps of a
        forecast overlap, so that `moments` / horizon outcomes count as independent.
    """

    moments: int = 250
    moments_min: int = 100
    drift: float = 0.25
    error_ratio: float = 1.5
    coverage_gap: float = 0.1


@dataclass(slots=True)
class _Pending:
    """A forecast whose bars have not all closed."""

    as_of: int
    last_close: float
    prediction: Prediction
    outcomes: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Instrument:
    last_as_of: int = -1
    last_bar: int = -1
    pending: deque[_Pending] = field(default_factory=lambda: deque(maxlen=PENDING_MAX))


@dataclass(slots=True)
class _Outcome:
    """What came of all forecasts of one moment."""

    forecasts: int = 0
    loss: float = 0.0
    inside: FloatArray = field(default_factory=lambda: np.zeros(len(COVERAGES)))


class ForecastMonitor:
    """Folds forecasts and the bars after them into a `MonitorReport`. Knows no clock; not safe for threads.

    Parameters
    ----------
    bins : mapping of input to Bins
        How the inputs were distributed in training; other inputs are not watched.
    expected_loss : float or None
        "pinball_in_deviations" of the evaluation; None when it is not known.
    miscoverage : AdaptiveMiscoverage
        Where to go on from.
    """

    def __init__(
        self,
        bins: Mapping[str, Bins],
        expected_loss: float | None = None,
        *,
        miscoverage: AdaptiveMiscoverage | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._edges = {name: np.asarray(edges) for name, (edges, _) in bins.items()}
        self._shares = {name: np.asarray(shares) for name, (_, shares) in bins.items()}
        self._expected_loss = expected_loss
        self._miscoverage = miscoverage or AdaptiveMiscoverage()
        self._limits = limits or Limits()
        self._instruments: dict[str, _Instrument] = {}
        self._inputs: dict[int, dict[str, FloatArray]] = {}
        self._outcomes: dict[int, _Outcome] = {}
        self._forecasts = 0
        self._horizon = 1

    @property
    def miscoverage(self) -> AdaptiveMiscoverage:
        """What the next forecasts should ask `conformal.calibrated` for."""
        return self._miscoverage

    def go_on_from(self, miscoverage: AdaptiveMiscoverage) -> None:
        """Take the miscoverage of an earlier life."""
        self._miscoverage = miscoverage

    def forecast_made(
        self,
        symbol: str,
        as_of: int,
        last_close: float,
        prediction: Prediction,
        inputs: Mapping[str, float],
    ) -> None:
        """Remember a forecast until its bars have closed.

        One that is no newer than another of its instrument, or that was made of older bars than were told of, is not
        counted.

        Parameters
        ----------
        as_of : int
            Close of the last bar that it is made of (ns UTC).
        prediction : Prediction
            One window, calibrated as it was served.
        inputs : mapping of name to number
            `input_drift.window_summaries` of its window.
        """
        instrument = self._instrument(symbol)
        if as_of <= instrument.last_as_of or as_of < instrument.last_bar:
            return
        instrument.last_as_of = as_of
        instrument.pending.append(_Pending(as_of, last_close, prediction))
        counts = _recent(self._inputs, as_of, self._limits.moments, self._no_counts)
        for name, edges in self._edges.items():
            if name in inputs:
                counts[name] += counts_of(edges, np.array([inputs[name]]))

    def bar_closed(self, symbol: str, ts: int, close: float) -> None:
        """Count the forecasts whose last step this bar is. Bars come in order; a repeated or older one is not counted.

        Parameters
        ----------
        ts : int
            Close of the bar (ns UTC).

        Raises
        ------
        DataError
            If the close is no price.
        """
        if not (math.isfinite(close) and close > 0):
            raise DataError(f"{symbol}: the close {close} is not a finite number above 0.")
        instrument = self._instrument(symbol)
        if ts <= instrument.last_bar:
            return
        instrument.last_bar = ts
        for forecast in instrument.pending:
            if forecast.as_of < ts:
                forecast.outcomes.append(math.log(close / forecast.last_close))
        while instrument.pending and _is_complete(instrument.pending[0]):
            self._count(instrument.pending.popleft())

    def report(self, updated_at: int) -> MonitorReport:
        """Return what was seen until now (ns UTC)."""
        coverage, error_ratio, drift = self._coverage(), self._error_ratio(), self._drift()
        alerts = {
            **self._drift_alerts(drift),
            **self._error_alerts(error_ratio),
            **self._coverage_alerts(coverage),
        }
        return MonitorReport(
            forecasts=self._forecasts,
            moments=len(self._outcomes),
            coverage=coverage,
            input_drift=drift,
            error_ratio=error_ratio,
            alerts=tuple(alerts.values()),
            alert_names=tuple(alerts),
            updated_at=updated_at,
        )

    def _instrument(self, symbol: str) -> _Instrument:
        if symbol not in self._instruments and len(self._instruments) >= INSTRUMENTS_MAX:
            del self._instruments[next(iter(self._instruments))]
        return self._instruments.setdefault(symbol, _Instrument())

    def _no_counts(self) -> dict[str, FloatArray]:
        return {name: np.zeros(shares.size) for name, shares in self._shares.items()}

    def _count(self, forecast: _Pending) -> None:
        prediction, outcomes = forecast.prediction, np.array([forecast.outcomes])
        inside = is_inside(prediction, outcomes).mean(axis=(0, 1))
        outcome = _recent(self._outcomes, forecast.as_of, self._limits.moments, _Outcome)
        outcome.forecasts += 1
        outcome.loss += float(pinball(prediction, outcomes).mean() / prediction.scale[0])
        outcome.inside += inside
        self._forecasts += 1
        self._horizon = prediction.horizon
        self._miscoverage = self._miscoverage.update((1.0 - inside).tolist())

    def _counted(self) -> int:
        return sum(outcome.forecasts for outcome in self._outcomes.values())

    def _coverage(self) -> dict[str, float]:
        if not self._outcomes:
            return {}
        inside = np.sum([each.inside for each in self._outcomes.values()], axis=0) / self._counted()
        return {str(c): float(share) for c, share in zip(COVERAGES, inside, strict=True)}

    def _error_ratio(self) -> float | None:
        if not self._outcomes or self._expected_loss is None:
            return None
        loss = sum(outcome.loss for outcome in self._outcomes.values()) / self._counted()
        return loss / self._expected_loss

    def _drift(self) -> dict[str, float]:
        return {
            name: stability_index(shares, np.sum([m[name] for m in self._inputs.values()], axis=0))
            for name, shares in self._shares.items()
            if self._inputs
        }

    def _drift_alerts(self, drift: Mapping[str, float]) -> dict[str, str]:
        moments = max(len(self._inputs), 1)
        limit = self._limits.drift * max(1.0, self._limits.moments / moments)
        return {
            f"drift {name}": f"The input {name} is not distributed as in training: its stability index over "
            f"{moments} moments is {index:.2f}, above {limit:.2f}."
            for name, index in drift.items()
            if index > limit
        }

    def _error_alerts(self, ratio: float | None) -> dict[str, str]:
        limit = self._limits.error_ratio
        if ratio is None or ratio <= limit or len(self._outcomes) < self._limits.moments_min:
            return {}
        sentence = (
            f"The pinball loss over {len(self._outcomes)} moments is {ratio:.2f} times that of the "
            f"evaluation, above {limit:g}."
        )
        return {"error": sentence}

    def _coverage_alerts(self, coverage: Mapping[str, float]) -> dict[str, str]:
        moments = len(self._outcomes)
        if moments < self._limits.moments_min:
            return {}
        return {
            f"coverage {expected}": f"The {100 * expected:.0f} % interval held "
            f"{100 * coverage[str(expected)]:.0f} % of the outcomes of {moments} moments."
            for expected in COVERAGES
            if abs(coverage[str(expected)] - expected) > self._coverage_limit(expected, moments)
        }

    def _coverage_limit(self, expected: float, moments: int) -> float:
        error = math.sqrt(expected * (1.0 - expected) * self._horizon / moments)
        return max(self._limits.coverage_gap, _LUCK * error)


def _is_complete(forecast: _Pending) -> bool:
    return len(forecast.outcomes) == forecast.prediction.horizon


def _recent(
    records: dict[int, Record], moment: int, kept: int, make: Callable[[], Record]
) -> Record:
    """The record of a moment; a new one replaces the oldest."""
    if moment not in records:
        records[moment] = make()
        if len(records) > kept:
            del records[min(records)]
    return records.get(moment) or make()
