"""From what machines say of themselves to samples. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from serve.desk.view import ClusterSnapshot
from serve.monitoring.metrics import Sample
from trading.values import TradingState

View = Mapping[str, Any]
_FORECAST_OUTCOMES = ("published", "late", "failed")


def samples_of(snapshot: ClusterSnapshot, now_ns: int) -> Iterator[Sample]:
    """Yield the samples of a whole cluster.

    Parameters
    ----------
    now_ns : int
        Host time, for the age of a feed.
    """
    yield Sample("trading_up", (), 1)
    yield Sample("trading_market_clock_seconds", (), snapshot.clock_ns / 1e9)
    for actor in snapshot.actors:
        yield Sample("trading_actor_up", (actor.name,), actor.alive)
        yield Sample("trading_actor_restarts_total", (actor.name,), actor.restarts)
        yield Sample("trading_actor_messages_total", (actor.name,), actor.messages)
    is_replay = snapshot.venue is None
    for machines in (snapshot.machines, *(linked.machines for linked in snapshot.linked)):
        for name, view in machines.items():
            yield from samples_of_machine(name, view, 0 if is_replay else now_ns)


def samples_of_machine(name: str, view: View, now_ns: int = 0) -> Iterator[Sample]:
    """Yield the samples of one machine; none of a kind that is not measured.

    Parameters
    ----------
    now_ns : int
        Host time; 0 where the age of market data means nothing.
    """
    kind, _, rest = name.partition(":")
    reader = _READERS.get(kind)
    if reader is not None:
        yield from reader(rest, view)
    if kind == "feed" and now_ns and view["heard_at"]:
        yield Sample("trading_feed_age_seconds", (rest,), (now_ns - view["heard_at"]) / 1e9)


def _broker(account: str, view: View) -> Iterator[Sample]:
    own = (account,)
    yield Sample("trading_orders_ambiguous", own, view["ambiguous"])
    yield Sample("trading_duplicates_suppressed_total", own, view["duplicates"])
    yield Sample("trading_journal_seq", own, view["sequence"])
    yield Sample("trading_journal_up", own, view["is_journal_up"])
    yield Sample("trading_kill_switch_state", own, view["kill"]["is_latched"])
    yield Sample("trading_venue_connected", own, view["is_connected"])
    yield Sample("trading_venue_ready", own, view["is_ready"])
    yield Sample("trading_reconcile_mismatches", own, len(view["mismatches"]))
    if view["clock"]["skew_ms"] is not None:
        yield Sample("trading_venue_clock_skew_seconds", own, view["clock"]["skew_ms"] / 1e3)
    for status, count in view["orders_by_status"].items():
        yield Sample("trading_orders", (account, status), count)


def _risk(account: str, view: View) -> Iterator[Sample]:
    for state in TradingState:
        yield Sample("trading_state", (account, str(state)), view["state"] == str(state))
    yield Sample("trading_strategies_halted", (account,), len(view["halted_strategies"]))
    for code, count in view["denials"].items():
        yield Sample("trading_orders_refused_total", (account, str(code)), count)
    for limit, use in view["limits"].items():
        if use["limit"]:
            ratio = float(use["used"]) / float(use["limit"])
            yield Sample("trading_limit_used_ratio", (account, limit), ratio)


def _ledger(account: str, view: View) -> Iterator[Sample]:
    for figure in ("equity", "cash", "gross", "net", "drawdown", "realized_pnl", "unrealized_pnl"):
        yield Sample(f"trading_account_{figure}", (account,), float(view[figure]))
    for row in view["positions"]:
        labels = (account, str(row["instrument_id"]))
        yield Sample("trading_position_value", labels, float(row["value"]))
    for strategy, row in view["strategies"].items():
        labels = (account, str(strategy))
        yield Sample("trading_strategy_profit", labels, float(row["profit"]))
        yield Sample("trading_strategy_exposure", labels, float(row["exposure"]))


def _feed(venue: str, view: View) -> Iterator[Sample]:
    yield Sample("trading_feed_passed_total", (venue,), view["passed"])
    yield Sample("trading_feed_stale", (venue,), view["stale"])
    for code, count in view["rejected"].items():
        yield Sample("trading_feed_rejected_total", (venue, str(code)), count)


def _market(venue: str, view: View) -> Iterator[Sample]:
    yield Sample("trading_market_connected", (venue,), view["connected"])


def _strategy(strategy: str, view: View) -> Iterator[Sample]:
    if "orders_sent" in view:
        yield Sample("trading_strategy_orders_total", (strategy,), view["orders_sent"])
    yield Sample("trading_strategy_disabled", (strategy,), bool(view.get("disabled")))


def _forecast(source: str, view: View) -> Iterator[Sample]:
    for outcome in _FORECAST_OUTCOMES:
        yield Sample("trading_forecasts_total", (source, outcome), view[outcome])


def _execution(desk: str, view: View) -> Iterator[Sample]:
    yield Sample("trading_executions_running", (desk,), len(view["running"]))


_READERS: dict[str, Callable[[str, View], Iterator[Sample]]] = {
    "broker": _broker,
    "risk": _risk,
    "ledger": _ledger,
    "feed": _feed,
    "market": _market,
    "strategy": _strategy,
    "forecast": _forecast,
    "execution": _execution,
}
