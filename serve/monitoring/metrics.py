"""Every metric of the trading side, in one table: name, kind, labels, meaning.

Names follow Prometheus: base units, `_total` for what only grows. Labels are bounded: never an order id.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"


class Metric(msgspec.Struct, frozen=True):
    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


class Sample(msgspec.Struct, frozen=True):
    """One value; `labels` are in the order of the metric's own."""

    name: str
    labels: tuple[str, ...]
    value: float


HISTOGRAM = "trading_tick_to_order_seconds"
HISTOGRAM_MEANING = "Time from market data to the order that it caused, since the host started."


def _gauge(name: str, labels: str, meaning: str) -> Metric:
    return Metric(name, Kind.GAUGE, tuple(labels.split()), meaning)


def _counter(name: str, labels: str, meaning: str) -> Metric:
    return Metric(name, Kind.COUNTER, tuple(labels.split()), meaning)


_TABLE = (
    _gauge("trading_up", "", "1 when the trading cluster answers."),
    _gauge("trading_actor_up", "actor", "1 when the actor answers."),
    _counter("trading_actor_restarts_total", "actor", "How often its process was replaced."),
    _counter("trading_actor_messages_total", "actor", "Messages that its process has handled."),
    _gauge("trading_market_clock_seconds", "", "Market time of the newest data (Unix)."),
    _gauge("trading_orders", "account status", "Orders by their present status."),
    _gauge("trading_orders_ambiguous", "account", "Orders that were sent and whose outcome is not known."),
    _counter("trading_duplicates_suppressed_total", "account", "Orders that came twice and were sent once."),
    _gauge("trading_journal_seq", "account", "Last sequence of the account's journal."),
    _gauge("trading_journal_up", "account", "1 while the journal can be written."),
    _gauge("trading_kill_switch_state", "account", "1 when the kill switch is latched."),
    _gauge("trading_venue_connected", "account", "1 while the venue's session is up."),
    _gauge("trading_venue_ready", "account", "1 when the account was compared with the venue's and agrees."),
    _gauge("trading_venue_clock_skew_seconds", "account", "The venue's clock minus ours."),
    _gauge("trading_reconcile_mismatches", "account", "Differences between the venue's account and ours."),
    _gauge("trading_state", "account state", "1 for the trading state in force, 0 for the others."),
    _counter("trading_orders_refused_total", "account reason", "Orders that risk refused, by code."),
    _gauge("trading_limit_used_ratio", "account limit", "Used part of a limit; 1 is all of it."),
    _gauge("trading_strategies_halted", "account", "Strategies that may only reduce."),
    _gauge("trading_account_equity", "account", "Equity (account currency)."),
    _gauge("trading_account_cash", "account", "Cash (account currency)."),
    _gauge("trading_account_gross", "account", "Sum of absolute position values (account currency)."),
    _gauge("trading_account_net", "account", "Sum of position values (account currency)."),
    _gauge("trading_account_drawdown", "account", "Fall from the best equity (fraction)."),
    _gauge("trading_account_realized_pnl", "account", "Realised profit (account currency)."),
    _gauge("trading_account_unrealized_pnl", "account", "Unrealised profit (account currency)."),
    _gauge("trading_position_value", "account instrument", "Value of an open position (account currency)."),
    _gauge("trading_strategy_profit", "account strategy", "Profit of a strategy after commissions (account currency)."),
    _gauge("trading_strategy_exposure", "account strategy", "Gross exposure of a strategy (account currency)."),
    _counter("trading_strategy_orders_total", "strategy", "Orders that a strategy has sent since it started."),
    _gauge("trading_strategy_disabled", "strategy", "1 when a strategy trades no more."),
    _counter("trading_feed_passed_total", "venue", "Market data that the guard let through."),
    _counter("trading_feed_rejected_total", "venue reason", "Market data that the guard refused, by code."),
    _gauge("trading_feed_stale", "venue", "1 when the data is too old to trade on."),
    _gauge("trading_feed_age_seconds", "venue", "Host time since the feed was heard; not in a replay."),
    _gauge("trading_market_connected", "venue", "1 while the market data session is up."),
    _counter("trading_forecasts_total", "source outcome", "Forecasts that a source asked for, by outcome."),
    _gauge("trading_executions_running", "desk", "Parent orders that are being worked."),
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
