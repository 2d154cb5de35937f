"""When somebody must look: one table for Prometheus and for `trader alerts watch`.

A rule compares each sample of one metric with a threshold, so that the same line is PromQL and Python.
"""

import operator
from collections.abc import Callable
from enum import StrEnum

import msgspec

from serve.monitoring.metrics import METRICS

RUNBOOKS = "docs/runbooks"


class Severity(StrEnum):
    CRITICAL = "critical"
    """Money may be at risk now: wake somebody."""
    WARNING = "warning"
    """Look at it today."""


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    ">=": operator.ge,
}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One reason to look.

    Attributes
    ----------
    metric : str
        One of `METRICS`.
    is_absolute : bool
        The size counts, not the sign.
    window_s : int
        Above 0: the increase within so long is compared, not the value.
    where : tuple of (label, "=" or "!=", value)
        Which series count.
    for_s : int
        So long it must hold without a break.
    summary : str
        One sentence; `{label}` and `{value}` are filled in.
    """

    name: str
    severity: Severity
    metric: str
    compare: str
    threshold: float
    summary: str
    for_s: int = 0
    window_s: int = 0
    is_absolute: bool = False
    where: tuple[tuple[str, str, str], ...] = ()

    @property
    def runbook(self) -> str:
        return f"{RUNBOOKS}/{self.name}.md"

    @property
    def expression(self) -> str:
        """The rule in PromQL."""
        selector = ",".join(f'{label}{sign}"{value}"' for label, sign, value in self.where)
        series = f"{self.metric}{{{selector}}}" if selector else self.metric
        if self.window_s:
            series = f"increase({series}[{self.window_s}s])"
        if self.is_absolute:
            series = f"abs({series})"
        return f"{series} {self.compare} {self.threshold:g}"

    def is_met(self, value: float) -> bool:
        return _COMPARE[self.compare](abs(value) if self.is_absolute else value, self.threshold)

    def is_about(self, labels: tuple[str, ...]) -> bool:
        """Say whether a series with these label values counts."""
        own = dict(zip(METRICS[self.metric].labels, labels, strict=True))
        return all((own[label] == value) is (sign == "=") for label, sign, value in self.where)

    def told(self, labels: tuple[str, ...], value: float) -> str:
        """Return the summary for one series."""
        own = dict(zip(METRICS[self.metric].labels, labels, strict=True))
        return self.summary.format(**own, value=f"{value:g}")


def _critical(name: str, condition: str, summary: str, **more: object) -> Rule:
    return _rule(Severity.CRITICAL, name, condition, summary, **more)


def _warning(name: str, condition: str, summary: str, **more: object) -> Rule:
    return _rule(Severity.WARNING, name, condition, summary, **more)


def _rule(severity: Severity, name: str, condition: str, summary: str, **more: object) -> Rule:
    metric, compare, threshold = condition.split()
    plain = {
        "name": name, "severity": severity, "metric": metric, "compare": compare,
        "threshold": float(threshold), "summary": summary, **more,
    }  # fmt: skip
    return msgspec.convert(plain, Rule)


RULES = (
    _critical("ClusterDown", "trading_up < 1", "The trading cluster does not answer.", for_s=10),
    _critical("ActorDown", "trading_actor_up < 1", "Actor {actor} does not answer.", for_s=15),
    _warning(
        "ActorRestarting", "trading_actor_restarts_total > 2",
        "Actor {actor} was replaced {value} times within ten minutes.", window_s=600,
    ),
    _critical("KillSwitchLatched", "trading_kill_switch_state > 0", "The kill switch of {account} is latched."),
    _warning(
        "TradingNotActive", "trading_state > 0", "Trading of {account} is {state}.",
        where=(("state", "!=", "ACTIVE"),),
    ),
    _critical(
        "OrdersAmbiguous", "trading_orders_ambiguous > 0",
        "{value} orders of {account} were sent and their outcome is not known.", for_s=15,
    ),
    _critical("JournalDown", "trading_journal_up < 1", "The journal of {account} cannot be written."),
    _critical(
        "ReconciliationMismatch", "trading_reconcile_mismatches > 0",
        "{account} differs from what its venue says in {value} places.", for_s=10,
    ),
    _critical(
        "VenueNotReady", "trading_venue_ready < 1",
        "{account} is not reconciled with its venue: nothing can be sent.", for_s=30,
    ),
    _critical(
        "VenueDisconnected", "trading_venue_connected < 1",
        "The session of {account} with its venue is down.", for_s=15,
    ),
    _warning(
        "ClockSkew", "trading_venue_clock_skew_seconds > 0.25",
        "The clock of {account}'s venue differs from ours by {value} s.", is_absolute=True, for_s=10,
    ),
    _critical("FeedStale", "trading_feed_stale > 0", "The market data of {venue} is stale: no order leaves.", for_s=15),
    _warning(
        "FeedRejects", "trading_feed_rejected_total > 100",
        "The guard refused {value} ticks of {venue} as {reason} within five minutes.", window_s=300,
    ),
    _warning(
        "DailyLossNear", "trading_limit_used_ratio >= 0.8",
        "{account} has lost {value} of what it may lose today.",
        where=(("limit", "=", "max_daily_loss"),), for_s=5,
    ),
    _critical(
        "DailyLossReached", "trading_limit_used_ratio >= 1",
        "{account} has lost what it may lose today: trading is halted until tomorrow.",
        where=(("limit", "=", "max_daily_loss"),), for_s=5,
    ),
    _warning(
        "DrawdownNear", "trading_limit_used_ratio >= 0.8",
        "{account} has used {value} of the drawdown that it may have.",
        where=(("limit", "=", "max_drawdown"),), for_s=5,
    ),
    _critical(
        "DrawdownReached", "trading_limit_used_ratio >= 1",
        "{account} has fallen as far as it may: only reducing orders pass.",
        where=(("limit", "=", "max_drawdown"),), for_s=5,
    ),
    _warning("StrategyDisabled", "trading_strategy_disabled > 0", "Strategy {strategy} trades no more."),
    _warning(
        "ForecastsFailing", "trading_forecasts_total > 3",
        "{value} forecasts of {source} failed within ten minutes.",
        where=(("outcome", "=", "failed"),), window_s=600,
    ),
)  # fmt: skip
