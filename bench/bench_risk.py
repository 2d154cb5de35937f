"""Risk: the full pre-trade check, permits, and the encoding of one order.

Method: an account with 0, 100 and 1,000 positions and as many working orders; each call asks for one
more order in a random instrument (seed 7). "Full check" is the view of the account plus all checks
of an order that passes them. The naive peer recomputes exposure and open positions from all
positions and working orders, with the same arithmetic. "Decision" adds permit, reservation and
effects; each order is released again outside of the measured time. Percentiles are over calls.
"""

import gc
import importlib
import json
import pickle
import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from bench.measured_rows import row, with_ratios
from trading.codec import decode, encode
from trading.commands import RiskAcknowledged, SubmitOrder
from trading.data import Bar, BarSlice, BookTop
from trading.effects import Effect
from trading.events import OrderFilled, OrderSubmitted
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    TradeId,
    Venue,
    VenueOrderId,
)
from trading.instruments import Instrument
from trading.outcomes import Started
from trading.risk.checks import check
from trading.risk.config import RiskConfig
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits, SymbolLimits
from trading.risk.permits import sign, verify
from trading.risk.variance import BARS_MIN
from trading.risk.verdicts import Approved
from trading.values import ZERO, OrderSide

NOW = 1_700_000_000_000_000_000
KEY = b"bench"
CALLS = 5_000
ACCOUNT, STRATEGY = AccountId("DEMO"), StrategyId("one")
WIDE = RiskLimits(
    max_notional_per_position=Decimal(10**9),
    max_total_exposure=Decimal(10**9),
    max_open_positions=10_000,
    max_trades_per_day=10**6,
    max_orders_per_second=10**9,
    max_strategy_exposure={STRATEGY: Decimal(10**9)},
)

SECTORS = 98
FULL = msgspec.structs.replace(
    WIDE,
    max_order_value=Decimal(10**9),
    price_collar=Decimal("0.5"),
    max_open_orders=10**6,
    max_concentration=Decimal(10),
    max_gross_leverage=Decimal(10),
    max_net_leverage=Decimal(10),
    max_group_exposure={
        **{f"sector:{i}": Decimal(10**9) for i in range(SECTORS)},
        "currency:USD": Decimal(10**9),
        "venue:X": Decimal(10**9),
    },
    restricted=(InstrumentId("ELSE.X"),),
    require_locate=True,
    must_be_open=True,
    max_value_at_risk=Decimal(10**9),
    max_correlated_exposure=Decimal(10**9),
    max_strategy_daily_loss=Decimal(10**9),
    symbols={InstrumentId(f"S{i}.X"): SymbolLimits(located=Decimal(10**6)) for i in range(1_000)},
)
"""Every limit that there is, and 100 groups."""


def rows() -> list[dict[str, object]]:
    """Return one row per measured subject."""
    return [*_check_rows(), *_permit_rows(), *_message_rows()]


def _check_rows() -> list[dict[str, object]]:
    draw = random.Random(7)
    desks = {count: _gate(count) for count in (0, 100, 1_000)}
    subjects: dict[str, tuple[Callable[[SubmitOrder], object], list[SubmitOrder], str]] = {}
    for count, gate in desks.items():
        orders = [_order(draw.randrange(max(count, 1)), i) for i in range(CALLS)]
        subjects[f"full check, {count:,} positions"] = (_checker(gate), orders, "target p99 20")
    busiest = desks[1_000]
    full = _gate(1_000, FULL)
    orders = [_order(draw.randrange(1_000), i) for i in range(CALLS)]
    subject = "full check, 1,000 positions, every limit, 100 groups"
    subjects[subject] = (_checker(full), orders, "target p99 20")
    subjects["naive recompute, 1,000 positions"] = (_naive(busiest), orders[:300], "peer")
    found = [
        row("risk check", subject, _measure(call, orders), note)
        for subject, (call, orders, note) in subjects.items()
    ]
    found.append(row("risk check", "decision, 1,000 positions", _decisions(busiest, orders)))
    return with_ratios(found)


def _permit_rows() -> list[dict[str, object]]:
    order = _order(0, 0)
    permit = sign(order, KEY, 1, NOW)
    many = [order] * CALLS
    signing = _measure(lambda one: sign(one, KEY, 1, NOW), many)
    verifying = _measure(lambda one: verify(one, permit, KEY, 1, NOW), many)
    return with_ratios([row("permit", "sign", signing), row("permit", "verify", verifying)])


def _message_rows() -> list[dict[str, object]]:
    order = _order(0, 0)
    plain: dict[str, Any] = msgspec.to_builtins(order)
    subjects: dict[str, tuple[Callable[[Any], object], Any, str]] = {
        "msgspec (ours)": (lambda one: decode(encode(one)), order, "typed both ways"),
        "pickle": (lambda one: pickle.loads(pickle.dumps(one)), order, "typed both ways"),
        "json": (lambda one: json.loads(json.dumps(one)), plain, "plain values, untyped"),
    }
    try:
        orjson = importlib.import_module("orjson")
    except ModuleNotFoundError:
        print("orjson is not installed: no row for it")
    else:
        subjects["orjson"] = (
            lambda one: orjson.loads(orjson.dumps(one)),
            plain,
            "plain values, untyped",
        )
    return with_ratios(
        [
            row("encode + decode", subject, _measure(call, [message] * CALLS), note)
            for subject, (call, message, note) in subjects.items()
        ]
    )


# -- subjects


def _gate(count: int, limits: RiskLimits = WIDE) -> RiskGate:
    """Return a ready gate with `count` positions and one working order in each instrument."""
    names = [_name(i) for i in range(max(count, 1))]
    instruments = {
        name: Instrument(instrument_id=name, sector=str(i % SECTORS))
        for i, name in enumerate(names)
    }
    gate = RiskGate(
        RiskConfig(
            account_id=ACCOUNT,
            venue=Venue("paper"),
            strategies=(STRATEGY,),
            instruments=instruments,
            limits=limits,
            key=KEY,
            initial_cash=Decimal(10**9),
        )
    )
    for index in range(count):
        held, working = _order(index, 10**6 + index), _order(index, 10**7 + index)
        for order in (held, working):
            gate.apply(_about(OrderSubmitted, order, order=order, epoch=1))
        gate.apply(_fill(held, index))
    gate.handle(Started(epoch=1), NOW)
    gate.handle(RiskAcknowledged(risk_epoch=1, account_seq=3 * count), NOW)
    for name in names:
        gate.handle(_top(name), NOW)
    if limits is FULL:
        _learn(gate, names)
    assert gate.is_ready
    return gate


def _learn(gate: RiskGate, names: list[InstrumentId]) -> None:
    """Let the gate see enough bars for its variance, and an equity."""
    steps = np.random.default_rng(7).normal(0.0, 0.01, (BARS_MIN + 2, len(names)))
    for index, closes in enumerate(100 * np.exp(np.cumsum(steps, axis=0))):
        bars = tuple(
            Bar(instrument_id=name, open=px, high=px, low=px, close=px)
            for name, px in zip(names, closes.tolist(), strict=True)
        )
        gate.handle(BarSlice(ts_event=NOW, sequence=index + 1, bars=bars), NOW)


def _checker(gate: RiskGate) -> Callable[[SubmitOrder], object]:
    state = gate.state
    verdict = check(_order(0, 0), state.situation(_order(0, 0), NOW), state.limits, NOW)
    assert isinstance(verdict, Approved), verdict
    return lambda order: check(order, state.situation(order, NOW), state.limits, NOW)


def _naive(gate: RiskGate) -> Callable[[SubmitOrder], object]:
    """Exposure and open positions from scratch, as one would write it first."""
    state = gate.state
    positions = state.holdings.account.positions()
    working = [one.order for one in state.holdings.reservations.orders.values()]

    def verdict(order: SubmitOrder) -> bool:
        longs = {key: position.quantity for key, position in positions.items()}
        shorts = dict(longs)
        for one in [*working, order]:
            key = one.instrument_id
            if one.side is OrderSide.BUY:
                longs[key] = longs.get(key, ZERO) + one.quantity
            else:
                shorts[key] = shorts.get(key, ZERO) - one.quantity
        gross, count = ZERO, 0
        for key in longs | shorts:
            units = max(longs.get(key, ZERO), -shorts.get(key, ZERO))
            gross += units * (state.prices.exposure_px(key) or ZERO)
            count += units > 0
        return gross <= WIDE.max_total_exposure and count <= WIDE.max_open_positions

    return verdict


def _decisions(gate: RiskGate, orders: list[SubmitOrder]) -> list[int]:
    times = []
    for order in orders:
        begun = time.perf_counter_ns()
        effects: list[Effect] = gate.handle(order, NOW)
        times.append(time.perf_counter_ns() - begun)
        assert len(effects) == 1
        gate.state.holdings.reservations.close(order.client_order_id)
    return times


def _name(index: int) -> InstrumentId:
    return InstrumentId(f"S{index}.X")


def _order(index: int, number: int) -> SubmitOrder:
    return SubmitOrder(
        ts_event=NOW,
        ts_init=NOW,
        correlation_id=f"feed:paper/{number}",
        client_order_id=ClientOrderId(f"{number:032x}"),
        account_id=ACCOUNT,
        strategy_id=STRATEGY,
        instrument_id=_name(index),
        side=OrderSide.BUY if number % 2 else OrderSide.SELL,
        quantity=Decimal(10),
        expires_at=NOW + 10**9,
    )


def _about(kind: type[Any], order: SubmitOrder, /, **fields: object) -> Any:
    return kind(
        client_order_id=order.client_order_id,
        strategy_id=order.strategy_id,
        instrument_id=order.instrument_id,
        **fields,
    )


def _fill(order: SubmitOrder, index: int) -> Any:
    return _about(
        OrderFilled,
        order,
        venue_order_id=VenueOrderId("v"),
        trade_id=TradeId(f"t{index}"),
        side=order.side,
        last_qty=order.quantity,
        last_px=Decimal("100.25"),
        commission=Decimal("0.01"),
    )


def _top(name: InstrumentId) -> BookTop:
    return BookTop(
        ts_event=NOW,
        ts_init=NOW,
        instrument_id=name,
        bid_px=100.24,
        ask_px=100.26,
        bid_size=100.0,
        ask_size=100.0,
        microprice=100.25,
        imbalance=0.0,
    )


# -- measuring


def _measure(call: Callable[[Any], object], arguments: list[Any]) -> list[int]:
    """Return the time of each call (ns); a warm-up of 200 calls is not counted."""
    for argument in arguments[:200]:
        call(argument)
    gc.collect()
    times = []
    for argument in arguments:
        begun = time.perf_counter_ns()
        call(argument)
        times.append(time.perf_counter_ns() - begun)
    return times


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
