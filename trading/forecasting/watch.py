"""What a source sees of the models that answer it: each version has a monitor of its own.

Counted is what was answered in time, as it is published. A late forecast is nobody's forecast, and is not counted.
An instrument that did not trade keeps its close, as in the windows that models read.

After a restart the facts of the source's own stream are put between the bars of the history again, as they were in the
life before, and the adaptive miscoverage goes on from the newest fact. Not known any more is what is older than
that history (a window, the recent moments and a horizon), of which only the total of forecasts tells; and
forecasts that the journal did not take.

No interval gets wider than the widest outcome of its calibration: where that is too narrow, the coverage stays low, and
its alert stands.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from trading.effects import AppendShared, Effect, ReportModel
from trading.events import Event, ForecastPublished, ModelAlarmed
from trading.forecasting.adaptive import AdaptiveMiscoverage
from trading.forecasting.input_drift import window_summaries
from trading.forecasting.monitor import Bins, ForecastMonitor, Limits
from trading.forecasting.monitoring import MonitorReport
from trading.forecasting.prediction import LEVELS, Prediction
from trading.identifiers import StreamName
from trading.indicators.rolling import FloatArray
from trading.outcomes import ModelReportFailed
from trading.strategies.strategy import Bars

REPORT_BARS = 20
"""Bars between two reports, unless an alert appears or goes."""
VERSIONS_MAX = 4
"""Versions that are watched; the one that answered first is given up."""


class Expectations(msgspec.Struct, frozen=True, kw_only=True):
    """What the training of a version lets expect of it in service.

    Attributes
    ----------
    model : str
        `name@version`; of another version that answers nothing is expected.
    inputs : mapping of input to Bins
        How the inputs were distributed.
    loss : float or None
        Pinball loss of the evaluation in deviations of the window, over as many bars as are forecast here.
    is_adaptive : bool
        Its intervals can follow what then happened.
    """

    model: str = ""
    inputs: Mapping[str, Bins] = {}
    loss: float | None = None
    is_adaptive: bool = False


def alarm_stream(source: str) -> StreamName:
    """Return the shared stream of a source's `ModelAlarmed`."""
    return StreamName(f"alarms:{source}")


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A published forecast: quantiles of log returns (step, level), and what they were asked to leave out."""

    symbol: str
    model: str
    as_of: int
    quantiles: FloatArray
    miscoverage: tuple[float, ...]


@dataclass(slots=True)
class _Version:
    monitor: ForecastMonitor
    is_in_service: bool = False
    """It has answered in this life; a version of an earlier one is nobody's concern here."""
    reported: frozenset[str] | None = None
    """Alerts of the last report that was put down; None asks for a new one."""
    said: set[str] = field(default_factory=set)
    """Alerts that were handed to the journal."""


class ModelWatch:
    """Folds the published forecasts of one source and the bars after them.

    Parameters
    ----------
    input_size, horizon_bars : int
        Bars of a window, and of a forecast.
    """

    def __init__(
        self,
        source: str,
        expected: Expectations,
        *,
        input_size: int,
        horizon_bars: int,
        limits: Limits | None = None,
    ) -> None:
        self._source = source
        self._expected = expected
        self._input_size = input_size
        self._limits = limits or Limits()
        self._memory_bars = self._limits.moments + horizon_bars
        self._versions: dict[str, _Version] = {}
        self._newest = expected.model
        """The version that answered last."""
        self._closed_at = 0
        """The newest bar that was counted."""
        self._kept: dict[int, list[_Made]] = {}
        """Forecasts of an earlier life, by their last bar, until the history tells of it."""
        self._alarms: dict[str, set[str]] = {}
        """Alarms that stand in the journal, by version."""
        self._bars = 0
        self._reports = {"written": 0, "failed": 0}
        self._last_failure = ""

    @property
    def bars_wanted(self) -> int:
        """How many bars before a window the history should reach back."""
        return self._memory_bars if self._kept else 0

    @property
    def miscoverage(self) -> tuple[float, ...] | None:
        """What the next forecasts shall be asked for; None when the intervals do not adapt."""
        if not self._expected.is_adaptive:
            return None
        version = self._versions.get(self._newest)
        return (version.monitor.miscoverage if version else AdaptiveMiscoverage()).shares

    # -- folding

    def apply(self, event: Event) -> None:
        """Take a fact of the journal; a forecast counts when its bar is told of, unless it has counted."""
        match event:
            case ForecastPublished():
                if event.as_of > self._closed_at:
                    self._keep(_made_of(event))
            case ModelAlarmed():
                standing = self._alarms.setdefault(event.model, set())
                standing.discard(event.alarm)
                if event.reason:
                    standing.add(event.alarm)
            case _:
                pass

    def _keep(self, made: _Made) -> None:
        self._kept.setdefault(made.as_of, []).append(made)
        if len(self._kept) > self._memory_bars:
            del self._kept[min(self._kept)]

    def forecast_made(self, fact: ForecastPublished, bars: Bars) -> None:
        """Count a forecast of the newest of these bars."""
        self._count(_made_of(fact), bars)
        self._newest = fact.model
        if fact.model in self._versions:
            self._versions[fact.model].is_in_service = True

    def bar_closed(self, bars: Bars) -> None:
        """Count the newest bar; one that is no newer than another is not counted.

        Parameters
        ----------
        bars : Bars
            A window, at least as long as a model reads. Windows come in order, without a gap.
        """
        ts = int(bars.ts[-1])
        if ts <= self._closed_at:
            return
        self._closed_at = ts
        for name, close in zip(bars.instrument_ids, bars.close[-1].tolist(), strict=True):
            if 0.0 < close < math.inf:
                for version in self._versions.values():
                    version.monitor.bar_closed(name, ts, close)
        for made in self._kept.pop(ts, ()):
            self._count(made, bars)
        for as_of in [each for each in self._kept if each < ts]:
            del self._kept[as_of]

    def _count(self, made: _Made, bars: Bars) -> None:
        """A fact that says too little, or whose window is not known, is left out."""
        if made.symbol not in bars.instrument_ids or made.quantiles.size == 0:
            return
        close = bars.close[-self._input_size :, bars.instrument_ids.index(made.symbol)]
        if not ((close > 0).all() and np.isfinite(made.quantiles).all()):
            return
        scale = np.sqrt((np.diff(np.log(close)) ** 2).mean(keepdims=True))
        inputs = {name: float(each[0]) for name, each in window_summaries(close[None]).items()}
        monitor = self._version(made.model).monitor
        monitor.forecast_made(
            made.symbol,
            made.as_of,
            float(close[-1]),
            Prediction(made.quantiles[None], scale),
            inputs,
        )
        if made.miscoverage:
            monitor.go_on_from(AdaptiveMiscoverage(shares=made.miscoverage))

    def _version(self, model: str) -> _Version:
        if model not in self._versions:
            if len(self._versions) >= VERSIONS_MAX:
                del self._versions[next(iter(self._versions))]
            is_expected = model == self._expected.model
            monitor = ForecastMonitor(
                self._expected.inputs if is_expected else {},
                self._expected.loss if is_expected else None,
                limits=self._limits,
            )
            self._versions[model] = _Version(monitor, said=set(self._alarms.get(model, ())))
        return self._versions[model]

    # -- telling

    def look(self, now: int) -> list[Effect]:
        """Return what is to be told after a bar: reports that are due, and alarms that began or ended."""
        self._bars += 1
        is_due = self._bars % REPORT_BARS == 0
        effects: list[Effect] = []
        facts: list[ModelAlarmed] = []
        for model, version in self._versions.items():
            if not version.is_in_service:
                continue
            report = version.monitor.report(now)
            if is_due or version.reported != frozenset(report.alert_names):
                version.reported = frozenset(report.alert_names)
                self._reports["written"] += 1
                effects.append(ReportModel(model, report))
            if is_due:  # what the journal did not take is told again
                version.said = set(self._alarms.get(model, ()))
            facts += self._alarms_of(model, version, report, now)
        if facts:
            effects.append(AppendShared(alarm_stream(self._source), facts[0], tuple(facts[1:])))
        return effects

    def report_failed(self, outcome: ModelReportFailed) -> None:
        """Count it; the next bar reports again."""
        self._reports["written"] -= 1
        self._reports["failed"] += 1
        self._last_failure = outcome.reason
        if outcome.reference in self._versions:
            self._versions[outcome.reference].reported = None

    def view(self) -> Mapping[str, Any]:
        """Return what is seen of the version that answered last."""
        version = self._versions.get(self._newest)
        seen = {} if version is None else msgspec.structs.asdict(version.monitor.report(0))
        shown = ("forecasts", "moments", "coverage", "input_drift", "error_ratio", "alerts")
        return {
            "model": self._newest,
            **{name: seen[name] for name in shown if seen},
            "miscoverage": self.miscoverage,
            "reports": self._reports["written"],
            "reports_failed": self._reports["failed"],
            "last_report_failure": self._last_failure,
        }

    def _alarms_of(
        self, model: str, version: _Version, report: MonitorReport, now: int
    ) -> list[ModelAlarmed]:
        """Return what is to be said of alarms that began or ended."""
        alerts = dict(zip(report.alert_names, report.alerts, strict=True))
        changed = sorted(alerts.keys() ^ version.said)
        version.said = set(alerts)
        return [
            ModelAlarmed(
                ts_event=self._closed_at,
                ts_init=now,
                source=self._source,
                model=model,
                alarm=name,
                reason=alerts.get(name, ""),
            )
            for name in changed
        ]


def _made_of(fact: ForecastPublished) -> _Made:
    steps = (*fact.path, fact.quantiles)
    is_whole = len(steps) == fact.horizon_bars and all(len(each) == len(LEVELS) for each in steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        quantiles = np.log1p(np.array(steps if is_whole else (), dtype=np.float64))
    return _Made(
        fact.instrument_id, fact.model, fact.as_of, quantiles, tuple(map(float, fact.miscoverage))
    )


def shares_of(miscoverage: tuple[float, ...] | None) -> tuple[Decimal, ...]:
    """Return it as it is journalled: every digit, so that a restart goes on from the same numbers."""
    return tuple(Decimal(repr(share)) for share in miscoverage or ())
