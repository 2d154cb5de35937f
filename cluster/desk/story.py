"""Journalled facts as steps that people can read: what happened, why, and what caused it."""

from collections.abc import Iterator
from typing import Any

from actors.blueprint import Blueprint
from actors.journal.journal import Journal
from cluster.desk.known_order import KnownOrder
from cluster.desk.order_facts import Recorded
from serve.desk.answers import Step, moment
from trading.codec import decode
from trading.commands import SubmitOrder
from trading.desk_facts import OrderRequested
from trading.events import (
    AccountReconciled,
    CashAdjusted,
    Event,
    ForecastPublished,
    OrderAccepted,
    OrderFilled,
    OrderSubmitted,
    OrderUpdated,
)
from trading.identifiers import StreamName

SIGNALS = "signals:"


def step_of(recorded: Recorded) -> Step:
    """Return one fact as a step."""
    fact = recorded.fact
    return Step(
        at=moment(fact.ts_init or fact.ts_event),
        stream=recorded.stream,
        sequence=recorded.sequence,
        fact=type(fact).__name__,
        detail=_words(fact),
        correlation_id=fact.correlation_id,
        causation_id=fact.causation_id,
    )


def forecast_before(
    journal: Journal, blueprint: Blueprint, known: KnownOrder
) -> Iterator[Recorded]:
    """Yield the newest forecast that the order's strategy had of the instrument when it decided, if it reads any."""
    order = known.fold.request
    plans = (each for each in blueprint.strategies if each.strategy_id == known.fold.strategy_id)
    plan = next(plans, None)
    source = "" if plan is None else plan.signals.get("forecast", "")
    if order is None or not source:
        return
    stream = StreamName(f"{SIGNALS}{source}")
    newest: Recorded | None = None
    for record in journal.read(stream):
        fact = decode(record.payload)
        if (
            isinstance(fact, ForecastPublished)
            and fact.instrument_id == order.instrument_id
            and fact.ts_event <= order.ts_event
        ):
            newest = Recorded(stream=stream, sequence=record.seq, fact=fact)
    if newest is not None:
        yield newest


def _words(fact: Event) -> str:
    match fact:
        case OrderRequested(order=order, actor=actor):
            return f"{actor} asked for {_terms(order)}"
        case OrderSubmitted(order=order):
            return f"permitted by risk, sent: {_terms(order)}{_decided_on(order)}"
        case OrderAccepted(venue_order_id=number):
            return f"the venue calls it {number}"
        case OrderFilled():
            return (
                f"{fact.side} {fact.last_qty:f} at {fact.last_px:f} {fact.currency}, "
                f"fee {fact.commission:f}, trade {fact.trade_id}"
            )
        case OrderUpdated():
            return f"now {fact.quantity:f}{_prices(fact)}"
        case ForecastPublished():
            return (
                f"{fact.model or fact.source} expected {fact.expected_return:+f} "
                f"over {fact.horizon_bars} bars"
            )
        case CashAdjusted():
            return f"{fact.amount:+f}: {fact.reason}"
        case AccountReconciled():
            return f"{fact.order_count} orders and the cash agree with the venue"
        case _:
            return _reason(fact)


def _reason(fact: Any) -> str:
    code, reason = getattr(fact, "code", ""), getattr(fact, "reason", "")
    return f"{code}: {reason}" if code and reason else code or reason


def _terms(order: SubmitOrder) -> str:
    words = f"{order.side} {order.quantity:f} {order.instrument_id} {order.order_type}"
    return f"{words}{_prices(order)} {order.time_in_force} for {order.strategy_id}"


def _prices(priced: Any) -> str:
    price, trigger = priced.price, priced.trigger_price
    at = "" if price is None else f" at {price:f}"
    return at + ("" if trigger is None else f" from {trigger:f}")


def _decided_on(order: SubmitOrder) -> str:
    """Say which market data the decision was made on."""
    return f"; decided on {order.correlation_id}" if order.correlation_id else ""
