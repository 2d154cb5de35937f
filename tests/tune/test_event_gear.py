import gc
import tracemalloc
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from actors.blueprint import Assumptions
from actors.feeds.sources import PriceTable, load_prices
from trading.data import BookDelta, QuoteTick, TradeTick
from trading.errors import DataError, UsageError
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.exchange.liquidity import Liquidity
from trading.identifiers import InstrumentId, StrategyId
from trading.instruments import Instrument
from trading.strategies.mean_reversion import MeanReversion
from trading.values import BookAction, OrderSide
from tune.event_gear.bar_builder import BarBuilder, BarPrice
from tune.event_gear.decided_ahead import bars_of
from tune.event_gear.market_moments import EventMoments
from tune.event_gear.run import run_event_backtest, run_event_replay
from tune.event_gear.settings import NO_LIMITS, EventSettings
from tune.event_gear.table_moments import TableMoments

A, B = InstrumentId("A.X"), InstrumentId("B.X")
MINUTE = 60 * 10**9
DEEP = Assumptions(liquidity=Liquidity(levels=1, depth=Decimal(10) ** 9))


class Steps(msgspec.Struct, frozen=True):
    """Weights that are written down, one for all instruments per bar."""

    weights: tuple[float, ...]
    lookback: int = 1

    def targets(self, bars):
        rows = (bars.ts // MINUTE - 1).astype(int)
        column = np.array(self.weights)[rows][:, None]
        return np.repeat(column, len(bars.instrument_ids), axis=1)


def table_of(closes: list[list[float]], ids=(A,)) -> PriceTable:
    close = np.array(closes, dtype=float).reshape(len(closes), len(ids))
    ts = np.arange(1, len(closes) + 1) * MINUTE
    return PriceTable(ts, ids, close, close, close, close, np.zeros_like(close))


def test_six_bars_by_hand() -> None:
    """Half of 10,000 at 100: 50 units at the ask of 100.01, a tick away. Fees are 10 basis points."""
    closes = [[100.0], [100.0], [110.0], [110.0], [120.0], [120.0]]
    settings = EventSettings(
        initial_cash=Decimal(10_000),
        assumptions=Assumptions(
            liquidity=Liquidity(levels=1, depth=Decimal(10**6), half_spread_bps=Decimal(1)),
            fees=Fees(taker_bps=Decimal(10)),
        ),
    )
    result = run_event_backtest(Steps((0.0, 0.5, 0.5, 0.0, 0.0, 0.0)), table_of(closes), settings)
    fills = [(f.side, f.last_qty, f.last_px, f.commission) for f in result.fills]
    assert fills == [
        (OrderSide.BUY, 50, Decimal("100.01"), Decimal("5.00")),
        # at 110 the half is worth 45 units: 5 are sold at the bid (110 less 1.1 ticks)
        (OrderSide.SELL, 5, Decimal("109.99"), Decimal("0.55")),
        (OrderSide.SELL, 45, Decimal("109.99"), Decimal("4.95")),
    ]
    cash = [10_000.0, 4994.5, 5543.9, 10488.5, 10488.5, 10488.5]
    assert result.cash == pytest.approx(cash)
    assert result.units[:, 0].tolist() == [0, 50, 45, 0, 0, 0]
    assert result.equity == pytest.approx([10_000, 9994.5, 10493.9, 10488.5, 10488.5, 10488.5])
    marked = [10_000, 10_000, 4994.5 + 50 * 110, 5543.9 + 45 * 110, 10488.5, 10488.5]
    assert result.marked_equity == pytest.approx(marked)
    assert result.comparison.is_clean
    assert result.refusals == ()
    assert result.moments == 6


def test_missing_bar_leaves_the_instrument_alone() -> None:
    closes = [[10.0, 20.0], [10.0, float("nan")], [10.0, 30.0]]
    table = table_of(closes, (A, B))
    result = run_event_backtest(Steps((0.0, 0.4, 0.4)), table, EventSettings(assumptions=DEEP))
    assert result.units[1].tolist()[1] == 0
    assert result.units[2].tolist()[1] > 0
    assert bars_of(table).close[:, 1].tolist() == [20.0, 20.0, 30.0]


def test_refusals_are_told_by_code() -> None:
    limits = msgspec.structs.replace(NO_LIMITS, max_shares=Decimal(10))
    result = run_event_backtest(
        Steps((0.5, 0.5)), table_of([[100.0], [100.0]]), EventSettings(limits=limits)
    )
    assert result.refusals_by_code == {"RISK_MAX_SHARES": 2}
    cash_account = Assumptions(buying_power=BuyingPower(allow_short=False))
    result = run_event_backtest(
        Steps((-0.5,)), table_of([[100.0]]), EventSettings(assumptions=cash_account)
    )
    assert result.refusals_by_code == {"SHORT_NOT_ALLOWED": 1}
    assert result.comparison.is_clean


def test_stops_of_the_risk_gate_work_on_market_time() -> None:
    limits = msgspec.structs.replace(NO_LIMITS, stop_loss=Decimal("0.01"))
    result = run_event_backtest(
        Steps((0.5, 0.5, 0.5, 0.5)),
        table_of([[100.0], [100.0], [98.5], [98.5]]),
        EventSettings(limits=limits, assumptions=DEEP),
    )
    assert [fill.purpose for fill in result.fills] == ["target", "stop_loss"]
    assert result.units[:, 0].tolist() == [5000, 5000, 0, 0]


class Raises(msgspec.Struct, frozen=True):
    lookback: int = 2

    def targets(self, bars):
        raise RuntimeError("no idea")


class Shapeless(msgspec.Struct, frozen=True):
    lookback: int = 1

    def targets(self, bars):
        return np.zeros((len(bars), 7))


class Endless(msgspec.Struct, frozen=True):
    lookback: int = 1

    def targets(self, bars):
        return np.full(bars.close.shape, np.inf)


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (Raises(), "strategy strategy at bar 2: raised RuntimeError: no idea"),
        (Shapeless(), "strategy strategy at bar 1: returned weights of shape"),
        (Endless(), "strategy strategy at bar 1: returned the weight inf for A.X"),
    ],
    ids=["raises", "shape", "infinite"],
)
def test_bad_strategy_is_named_with_its_bar(strategy, words) -> None:
    with pytest.raises(UsageError, match=words):
        run_event_backtest(strategy, table_of([[1.0]] * 5))


def test_strategy_that_fails_ahead_is_named() -> None:
    with pytest.raises(UsageError, match="Raises raised RuntimeError: no idea"):
        run_event_backtest(Raises(), table_of([[1.0]] * 5), EventSettings(decides_ahead=True))
    with pytest.raises(UsageError, match="Shapeless returned weights of shape"):
        run_event_backtest(Shapeless(), table_of([[1.0]] * 5), EventSettings(decides_ahead=True))


def test_bad_input_is_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match="there are no bars"):
        run_event_backtest(Steps((0.0,)), table_of([]))
    with pytest.raises(UsageError, match="there is no strategy"):
        run_event_backtest({}, table_of([[1.0]]))
    with pytest.raises(DataError, match="instruments are"):
        run_event_backtest(
            Steps((0.0,)), table_of([[1.0]]), instruments=(Instrument(instrument_id=B),)
        )
    with pytest.raises(DataError, match="there are no events"):
        run_event_replay(
            list, (Instrument(instrument_id=A),), strategies={StrategyId("s"): Steps(())}
        )
    with pytest.raises(ValueError, match="initial_cash"):
        EventSettings(initial_cash=Decimal(0))


def test_progress_is_told_on_the_way() -> None:
    told: list[tuple[int, int]] = []
    run_event_backtest(
        Steps((0.0,) * 2_500), table_of([[1.0]] * 2_500), on_progress=lambda *now: told.append(now)
    )
    assert told == [(1_000, 1_000 * MINUTE), (2_000, 2_000 * MINUTE)]


def test_memory_grows_by_little_per_bar() -> None:
    """Per bar: time, close, two marks and the result's rows; nothing of the messages stays."""

    def peak(count: int) -> int:
        table = table_of([[1.0]] * count)
        gc.collect()
        gc.disable()  # when it would collect depends on the tests before
        tracemalloc.start()
        try:
            run_event_backtest(Steps((0.0,) * count), table)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.enable()

    peak(300)
    assert (peak(2_500) - peak(1_000)) / 1_500 < 400


def test_same_run_twice_is_the_same_run() -> None:
    table = load_prices("sp500", ("KO", "XOM"))
    rows = slice(len(table) - 300, None)
    fields = (table.open, table.high, table.low, table.close, table.volume)
    short = PriceTable(table.ts[rows], table.instrument_ids, *(field[rows] for field in fields))
    strategy = MeanReversion(window_bars=10, entry_z=1.0, exit_z=0.2)
    first, second = (run_event_backtest(strategy, short) for _ in range(2))
    assert first.fills == second.fills
    assert first.fills
    assert first.ledger == second.ledger


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whole_history_of_twenty_stocks_ends_with_clean_books() -> None:
    source = load_prices("sp500", ())
    result = run_event_backtest(
        MeanReversion(), source, EventSettings(assumptions=DEEP, decides_ahead=True)
    )
    assert len(result.ts) == len(source) > 8_000
    assert len(result.instrument_ids) == 20
    assert result.comparison.is_clean
    assert len(result.fills) > 1_000


# -- bars from events


def trade(ts: int, price: float, size: float = 1.0) -> TradeTick:
    return TradeTick(ts_event=ts, instrument_id=A, price=price, size=size)


def quote(ts: int, bid: float, ask: float) -> QuoteTick:
    return QuoteTick(
        ts_event=ts, instrument_id=A, bid_px=bid, ask_px=ask, bid_size=1.0, ask_size=1.0
    )


def delta(ts: int, side: OrderSide, price: float, size: float) -> BookDelta:
    return BookDelta(
        ts_event=ts,
        instrument_id=A,
        side=side,
        action=BookAction.UPDATE,
        price=price,
        size=size,
    )


def slices_of(events, price: BarPrice = BarPrice.TRADE, interval: int = 10):
    source = EventMoments(
        lambda: events, (Instrument(instrument_id=A),), interval_ns=interval, price=price
    )
    return [
        (m.ts_event, m.sequence, [(b.open, b.high, b.low, b.close, b.volume) for b in m.bars])
        for m in source.moments()
        if not hasattr(m, "events")
    ]


def test_bars_of_trades_cover_their_interval_to_its_very_end() -> None:
    events = [trade(1, 5.0), trade(4, 7.0, 2.0), trade(10, 4.0), trade(11, 6.0), trade(35, 8.0)]
    assert slices_of(events) == [
        (10, 1, [(5.0, 7.0, 4.0, 4.0, 4.0)]),
        (20, 2, [(6.0, 6.0, 6.0, 6.0, 1.0)]),
        (40, 3, [(8.0, 8.0, 8.0, 8.0, 1.0)]),
    ]


def test_bars_of_middles_use_quotes_and_books() -> None:
    assert slices_of([quote(1, 1.0, 3.0), trade(2, 9.0), quote(3, 2.0, 6.0)], BarPrice.MIDDLE) == [
        (10, 1, [(2.0, 4.0, 2.0, 4.0, 1.0)])
    ]
    deltas = [delta(1, OrderSide.BUY, 1.0, 1.0), delta(2, OrderSide.SELL, 2.0, 1.0)]
    assert slices_of(deltas, BarPrice.MIDDLE) == [(10, 1, [(1.5, 1.5, 1.5, 1.5, 0.0)])]


def test_without_an_interval_there_are_no_bars() -> None:
    assert slices_of([trade(1, 5.0)], interval=0) == []


def test_events_of_one_time_are_one_moment_and_time_never_falls() -> None:
    source = EventMoments(
        lambda: [trade(1, 5.0), trade(1, 6.0), trade(0, 5.0)],
        (Instrument(instrument_id=A),),
        interval_ns=0,
        price=BarPrice.TRADE,
    )
    moments = source.moments()
    assert len(next(moments).events) == 2
    with pytest.raises(DataError, match="moment 2"):
        next(moments)


def test_events_of_strangers_make_no_bars() -> None:
    builder = BarBuilder((Instrument(instrument_id=B),), BarPrice.TRADE)
    builder.add(trade(1, 5.0))
    assert builder.close(10, 1) == ()


def test_table_rows_are_slices_with_what_is_there() -> None:
    moments = list(TableMoments(table_of([[1.0, float("nan")], [2.0, 3.0]], (A, B))).moments())
    assert [[bar.instrument_id for bar in m.bars] for m in moments] == [[A], [A, B]]
    assert [m.sequence for m in moments] == [1, 2]
