"""Captured markets through the whole order path: a Binance futures book with trades, and FX quotes.

The oracle is a dictionary of levels and a queue kept by hand, fed with the same events.
"""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from actors.blueprint import Assumptions
from trading.commands import SubmitOrder
from trading.data import BookDelta, BookSnapshot, BookTop, QuoteTick, TradeTick
from trading.effects import Effect, Send
from trading.events import Event
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.exchange.latency import Latency
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    MachineName,
    StrategyId,
    StreamName,
)
from trading.instruments import Instrument
from trading.messages import Message
from trading.strategies.mean_reversion import MeanReversion
from trading.values import BookAction, LiquiditySide, OrderSide, OrderType, TimeInForce
from tune.event_gear.bar_builder import BarPrice
from tune.event_gear.gear import EventGear
from tune.event_gear.market_moments import EventMoments
from tune.event_gear.run import blueprint_of, run_event_replay
from tune.event_gear.settings import EventSettings

DATA = Path(__file__).parents[2] / "../shared/data"
CAPTURE = DATA / "hftbacktest/usdm/btcusdt_20240808.gz"
QUOTES = DATA / "nautilus/quote_tick_data.csv"
LEAN = DATA / "lean/forex/oanda/tick/eurusd"
BUY, SELL = OrderSide.BUY, OrderSide.SELL

BTC = Instrument(
    instrument_id=InstrumentId("BTCUSDT.BINANCE"),
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    currency="USDT",
)
EUR = Instrument(
    instrument_id=InstrumentId("EURUSD.FX"),
    tick_size=Decimal("0.00001"),
    lot_size=Decimal(1_000),
    min_quantity=Decimal(1_000),
)
QUOTED = 1_000_000.0
"""The FX files carry no sizes."""
PROBE = StrategyId("probe")
SECOND = 1_000_000_000
LINES = 4_000
WANTED = 2.0

needs_capture = pytest.mark.skipif(not CAPTURE.exists(), reason=f"{CAPTURE.name} is not here")


# -- reading


@lru_cache(maxsize=1)
def captured() -> tuple[Any, ...]:
    """Events of the first `LINES` lines behind the REST snapshot."""
    events: list[Any] = []
    last_update = None
    with gzip.open(CAPTURE, "rt") as file:
        for line in file:
            received, _, text = line.partition(" ")
            message = json.loads(text)
            ts = int(received)
            if "lastUpdateId" in message:
                last_update = message["lastUpdateId"]
                sides = (message["bids"], message["asks"])
                bids, asks = (tuple((float(p), float(q)) for p, q in side) for side in sides)
                events.append(
                    BookSnapshot(ts_event=ts, instrument_id=BTC.instrument_id, bids=bids, asks=asks)
                )
            elif last_update is not None:
                events += parsed(ts, message["data"], last_update)
            if len(events) >= LINES:
                break
    return tuple(events)


def parsed(ts: int, data: dict[str, Any], last_update: int) -> list[Any]:
    name = BTC.instrument_id
    if data["e"] == "trade" and data["X"] == "MARKET":
        side = SELL if data["m"] else BUY
        price, size = float(data["p"]), float(data["q"])
        return [
            TradeTick(ts_event=ts, instrument_id=name, price=price, size=size, aggressor_side=side)
        ]
    if data["e"] != "depthUpdate" or data["u"] <= last_update:
        return []
    changes = [(BUY, float(p), float(q)) for p, q in data["b"]]
    changes += [(SELL, float(p), float(q)) for p, q in data["a"]]
    changes.sort(key=lambda change: change[2] > 0)  # removals first
    return [
        BookDelta(
            ts_event=ts,
            instrument_id=name,
            side=side,
            action=BookAction.UPDATE if size else BookAction.DELETE,
            price=price,
            size=size,
        )
        for side, price, size in changes
    ]


def fx_quote(ts: int, bid: str, ask: str) -> QuoteTick:
    return QuoteTick(
        ts_event=ts,
        instrument_id=EUR.instrument_id,
        bid_px=float(bid),
        ask_px=float(ask),
        bid_size=QUOTED,
        ask_size=QUOTED,
    )


def nautilus_quotes() -> Iterator[QuoteTick]:
    for line in QUOTES.read_text().splitlines():
        stamp, bid, ask, _ = line.split(",")
        day, clock = stamp.split()
        of_day = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:6])
        ts = (int(day[-2:]) * 86_400 + of_day) * SECOND + int(clock[6:]) * 1_000_000
        yield fx_quote(ts, bid, ask)


def lean_quotes() -> Iterator[QuoteTick]:
    day = min(LEAN.glob("*.zip"))
    with zipfile.ZipFile(day) as archive, archive.open(archive.namelist()[0]) as file:
        for count, line in enumerate(io.TextIOWrapper(file)):
            if count == 6_000:
                return
            ms, bid, ask = line.split(",")[:3]
            yield fx_quote(int(ms) * 1_000_000 + 86_400 * SECOND, bid, ask.strip())


# -- the oracle


class Naive:
    """Levels in a dictionary."""

    def __init__(self) -> None:
        self.sides: dict[OrderSide, dict[float, float]] = {BUY: {}, SELL: {}}

    def apply(self, event: Any) -> None:
        if isinstance(event, BookSnapshot):
            self.sides = {BUY: dict(event.bids), SELL: dict(event.asks)}
        elif isinstance(event, BookDelta):
            self.sides[event.side].pop(event.price, None)
            if event.size:
                self.sides[event.side][event.price] = event.size

    def levels(self, side: OrderSide) -> list[tuple[float, float]]:
        return sorted(self.sides[side].items(), reverse=side is BUY)


# -- a strategy that lives on events


class Probe:
    """Sends the orders of a script, each at its BookTop (counted from 1)."""

    name = MachineName(f"strategy:{PROBE}")
    stream = StreamName(f"strategy:{PROBE}")
    follows: tuple[StreamName, ...] = ()
    subscribes = ("book.paper.BTC",)

    def __init__(self, script: dict[int, list[SubmitOrder]]) -> None:
        self.script = script
        self.tops = 0

    def handle(self, message: Message, now: int) -> list[Effect]:
        if not isinstance(message, BookTop):
            return []
        self.tops += 1
        return [Send(MachineName("risk:BACKTEST"), o) for o in self.script.get(self.tops, [])]

    def apply(self, event: Event) -> None: ...
    def view(self) -> dict[str, Any]:
        return {}

    def state_hash(self) -> str:
        return ""

    def validate(self) -> None: ...


def order(key: str, side: OrderSide, quantity: str, price: float | None = None) -> SubmitOrder:
    return SubmitOrder(
        client_order_id=ClientOrderId(key),
        account_id=AccountId("BACKTEST"),
        strategy_id=PROBE,
        instrument_id=BTC.instrument_id,
        side=side,
        quantity=Decimal(quantity),
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY if price is None else TimeInForce.GTC,
        price=None if price is None else Decimal(str(price)),
    )


def gear_for(
    script: dict[int, list[SubmitOrder]], assumptions: Assumptions | None = None
) -> EventGear:
    settings = EventSettings(
        assumptions=assumptions
        or Assumptions(fees=Fees(maker_bps=Decimal(2), taker_bps=Decimal(5)))
    )
    return EventGear(
        blueprint_of((PROBE,), (BTC,), settings),
        EventMoments(captured, (BTC,), interval_ns=SECOND, price=BarPrice.TRADE),
        captured()[0].ts_event - SECOND,
        machines={PROBE: lambda: Probe(script)},
    )


def run_beside(gear: EventGear, look: Callable[[Naive, list[Any]], None]) -> Any:
    """Run; call `look` after each moment with events, with the naive book and those events."""
    naive, events = Naive(), list(captured())

    def progress(count: int, clock: int) -> None:
        group = []
        while events and events[0].ts_event <= clock:
            group.append(events.pop(0))
            naive.apply(group[-1])
        if group:
            look(naive, group)

    return gear.run(progress, every=1)


def books_of(gear: EventGear) -> tuple[Any, Any]:
    shard: Any = gear.machine(MachineName("book:paper"))
    exchange: Any = gear.machine(MachineName("exchange:paper"))
    followed = shard._books[BTC.instrument_id]
    assert followed.is_valid
    return followed.book, exchange._market.historic[BTC.instrument_id].record


@needs_capture
def test_followed_book_is_the_recorded_book_after_every_moment() -> None:
    gear = gear_for({})
    compared = 0

    def look(naive: Naive, group: list[Any]) -> None:
        nonlocal compared
        followed, record = books_of(gear)
        for side in OrderSide:
            levels = list(followed.levels(side))
            assert levels == list(record.levels(side)) == naive.levels(side)
        compared += 1

    result = run_beside(gear, look)
    feed = gear.machine(MachineName("feed:paper")).view()
    shard = gear.machine(MachineName("book:paper")).view()["books"][BTC.instrument_id]
    assert compared > 100
    assert feed["rejected"] == {}
    assert (shard["gaps"], shard["crossed"], shard["malformed"]) == (0, 0, 0)
    assert result.comparison.is_clean


@needs_capture
def test_market_orders_walk_the_real_levels() -> None:
    """The second order of the same moment takes what the first one left."""
    gear = gear_for({1: [order("a", BUY, "6"), order("b", BUY, "1")]})
    snapshot = captured()[0]
    result = gear.run()
    fills = [(f.last_px, f.last_qty) for f in result.fills if f.side is BUY]
    expected, wanted = [], [Decimal(6), Decimal(1)]
    for price, size in snapshot.asks:
        left = Decimal(str(size))
        while wanted and left:
            taken = min(left, wanted[0])
            expected.append((Decimal(str(price)), taken))
            left -= taken
            wanted[0] -= taken
            if not wanted[0]:
                wanted.pop(0)
    assert fills == expected
    assert len({price for price, _ in fills}) > 1
    assert result.comparison.is_clean
    assert result.ledger["cash"] == 1_000_000 - sum(
        f.last_px * f.last_qty + f.commission for f in result.fills
    )


@needs_capture
@pytest.mark.parametrize("side", [BUY, SELL])
def test_passive_orders_fill_only_when_the_market_trades_there(side: OrderSide) -> None:
    snapshot = captured()[0]
    best = (snapshot.bids if side is BUY else snapshot.asks)[0][0]
    prices = [round(best - side.sign * offset, 1) for offset in (0.0, 0.1, 2.0, 5.0, 500.0)]
    script = {1: [order(f"p{i}", side, str(WANTED), price) for i, price in enumerate(prices)]}
    gear = gear_for(script)
    naive = Naive()
    expected: dict[str, float] = dict.fromkeys((f"p{i}" for i in range(len(prices))), 0.0)
    events = list(captured())
    naive.apply(events[0])
    ahead = {f"p{i}": naive.sides[side].get(price, 0.0) for i, price in enumerate(prices)}
    for ts in dict.fromkeys(event.ts_event for event in events[1:]):
        group = [event for event in events[1:] if event.ts_event == ts]
        for event in group:
            if isinstance(event, TradeTick):
                left = event.size if event.aggressor_side is side.opposite else 0.0
                for i, price in enumerate(prices):
                    key, open_qty = f"p{i}", WANTED - expected[f"p{i}"]
                    distance = (price - event.price) * side.sign
                    if left <= 1e-9 or open_qty <= 1e-9 or distance < 0:
                        continue
                    part = left if distance > 0 else left - ahead[key]
                    ahead[key] = max(0.0, ahead[key] - left)
                    taken = max(0.0, min(open_qty, part))
                    expected[key] += taken
                    left -= taken
            else:
                naive.apply(event)
                for i, price in enumerate(prices):
                    shown = naive.sides[side].get(price, 0.0)
                    ahead[f"p{i}"] = min(ahead[f"p{i}"], shown)
        reach = naive.levels(side.opposite)[0][0]
        for i, price in enumerate(prices):
            if (price - reach) * side.sign >= 0:
                expected[f"p{i}"] = WANTED  # the other side came to us, with more than we want
    result = gear.run()
    filled = dict.fromkeys(expected, 0.0)
    for fill in result.fills:
        key = str(fill.client_order_id)
        filled[key] += float(fill.last_qty)
        assert fill.last_px == Decimal(str(prices[int(key[1:])]))
        assert fill.liquidity_side is LiquiditySide.MAKER
    assert filled == pytest.approx(expected, abs=1e-9)
    assert 0 < sum(filled.values()) < WANTED * len(prices)
    assert filled["p4"] == 0.0
    assert result.comparison.is_clean
    assert not result.refusals


@needs_capture
def test_latency_and_many_orders_leave_clean_books() -> None:
    script: dict[int, list[SubmitOrder]] = {}
    for k in range(1, 1_200, 60):
        side = BUY if k % 120 == 1 else SELL
        script[k] = [order(f"m{k}", side, "0.3")]
    slow = Assumptions(
        latency=Latency(fixed_ns=30_000_000),
        buying_power=BuyingPower(max_leverage=Decimal(10)),
        fees=Fees(taker_bps=Decimal(5)),
    )
    result = gear_for(script, slow).run()
    assert result.comparison.is_clean
    assert len({fill.client_order_id for fill in result.fills}) == len(script)
    assert sum(f.side.sign * f.last_qty for f in result.fills) == 0
    assert result.units[-1].tolist() == [0.0]
    closes = {int(ts) % SECOND for ts in result.ts}
    assert closes == {0}


@pytest.mark.parametrize(
    ("quotes", "source"), [(nautilus_quotes, QUOTES), (lean_quotes, LEAN)], ids=["nautilus", "lean"]
)
def test_bar_strategy_trades_captured_quotes_at_the_quoted_prices(
    quotes: Any, source: Path
) -> None:
    if not source.exists():
        pytest.skip(f"{source.name} is not here")
    result = run_event_replay(
        quotes,
        (EUR,),
        EventSettings(bar_interval_ns=20 * SECOND, bar_price=BarPrice.MIDDLE),
        strategies={
            StrategyId("reversion"): MeanReversion(
                window_bars=10, entry_z=1.0, exit_z=0.2, allow_short=True, position_weight=0.5
            )
        },
    )
    assert result.comparison.is_clean
    assert not result.refusals
    assert len(result.fills) > 20
    pending = list(quotes())
    quote = pending.pop(0)
    for fill in result.fills:
        while pending and pending[0].ts_event <= fill.ts_event:
            quote = pending.pop(0)
        price = quote.ask_px if fill.side is BUY else quote.bid_px
        assert fill.last_px == EUR.price(price)
    assert result.equity[-1] == pytest.approx(float(result.ledger["equity"]), abs=EUR_VALUE_ERROR)


EUR_VALUE_ERROR = 500_000 * 0.0001
"""The ledger values at the last quote, the result at the last bar."""
