"""Backtests through the order path that trades: cost per bar, per order and per market event.

Minute bars of a seeded random walk; the strategy is an EMA cross. "No order" decides and wants nothing.
The whole path runs at each bar: replay, exchange, data guard, book, strategy, risk, broker, ledger.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np

from actors.blueprint import Assumptions
from actors.feeds.sources import PriceTable
from trading.data import BookDelta, BookSnapshot
from trading.exchange.fees import Fees
from trading.exchange.liquidity import Liquidity
from trading.identifiers import InstrumentId, StrategyId
from trading.instruments import Instrument
from trading.strategies.strategy import Bars
from trading.values import BookAction, OrderSide
from tune.event_gear.run import run_event_backtest, run_event_replay
from tune.event_gear.settings import EventSettings

BARS = 98_280
MINUTE_NS = 60_000_000_000
ROUNDS = 3


class EmaCross(msgspec.Struct, frozen=True):
    """Long while the fast average is above the slow one; the averages begin anew in each window."""

    fast: int = 20
    slow: int = 60
    weight: float = 0.9

    @property
    def lookback(self) -> int:
        return 4 * self.slow

    def targets(self, bars: Bars) -> np.ndarray:
        rows = len(bars) - self.lookback + 1
        weights = np.zeros(bars.close.shape)
        if rows > 0:
            fast, slow = (self._average(bars.close, span) for span in (self.fast, self.slow))
            weights[self.lookback - 1 :] = (fast > slow) * (self.weight / bars.close.shape[1])
        return weights

    def _average(self, close: np.ndarray, span: int) -> np.ndarray:
        decay = (1 - 2 / (span + 1)) ** np.arange(self.lookback)[::-1]
        windows = np.lib.stride_tricks.sliding_window_view(close, self.lookback, axis=0)
        return windows @ (decay / decay.sum())


def walk(bars: int, symbols: int) -> PriceTable:
    source = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(source.normal(0, 5e-4, (bars, symbols)), axis=0))
    close = np.round(close, 2)
    ts = 1_704_067_200_000_000_000 + MINUTE_NS * np.arange(1, bars + 1, dtype=np.int64)
    names = tuple(InstrumentId(f"S{i}.XNAS") for i in range(symbols))
    return PriceTable(ts, names, close, close, close, close, np.zeros_like(close))


def settings(levels: int, *, ahead: bool) -> EventSettings:
    return EventSettings(
        assumptions=Assumptions(
            liquidity=Liquidity(levels=levels, depth=Decimal(10) ** 7),
            fees=Fees(taker_bps=Decimal(1)),
        ),
        decides_ahead=ahead,
    )


def of_bars(
    subject: str, strategy: EmaCross, bars: int, symbols: int, levels: int, *, ahead: bool
) -> dict[str, object]:
    table = walk(bars, symbols)
    runs = []
    for _ in range(ROUNDS):
        result = run_event_backtest(strategy, table, settings(levels, ahead=ahead))
        assert result.comparison.is_clean, result.comparison
        runs.append(result.seconds / bars * 1e6)
    note = f"{bars:,} bars, {len(result.fills):,} fills, {result.seconds:.1f} s"
    return {
        "what": f"event gear, one bar of {symbols}",
        "subject": subject,
        "p50_us": float(np.median(runs)),
        "p99_us": max(runs),
        "note": note,
    }


def events(count: int) -> Sequence[BookSnapshot | BookDelta]:
    """A book of 20 levels a side whose sizes change, 1 ms apart."""
    source = np.random.default_rng(11)
    name = InstrumentId("S0.XNAS")
    sides = [[(round(100 + s * (i + 1) / 100, 2), 50.0) for i in range(20)] for s in (-1, 1)]
    found: list[BookSnapshot | BookDelta] = [
        BookSnapshot(
            ts_event=MINUTE_NS, instrument_id=name, bids=tuple(sides[0]), asks=tuple(sides[1])
        )
    ]
    for k, (level, side, size) in enumerate(
        zip(
            source.integers(0, 20, count).tolist(),
            source.integers(0, 2, count).tolist(),
            source.integers(1, 100, count).tolist(),
            strict=True,
        )
    ):
        found.append(
            BookDelta(
                ts_event=MINUTE_NS + k * 1_000_000,
                instrument_id=name,
                side=(OrderSide.BUY, OrderSide.SELL)[side],
                action=BookAction.UPDATE,
                price=sides[side][level][0],
                size=float(size),
            )
        )
    return found


def of_events(count: int) -> dict[str, object]:
    made = events(count)
    runs = []
    for _ in range(ROUNDS):
        result = run_event_replay(
            lambda: made,
            (Instrument(instrument_id=InstrumentId("S0.XNAS")),),
            EventSettings(),
            strategies={StrategyId("cross"): EmaCross()},
        )
        assert result.comparison.is_clean, result.comparison
        runs.append(result.seconds / count * 1e6)
    return {
        "what": "event gear, one book delta",
        "subject": "20 levels a side",
        "p50_us": float(np.median(runs)),
        "p99_us": max(runs),
        "ratio": 1.0,
        "note": f"{count:,} deltas, each published, guarded, applied, valued",
    }


def rows() -> list[dict[str, object]]:
    cross, still = EmaCross(), EmaCross(weight=0.0)
    found = [
        of_bars("no order, 1 level a side", still, BARS, 1, 1, ahead=True),
        of_bars("no order, 10 levels a side", still, BARS // 4, 1, 10, ahead=True),
        of_bars("decided ahead", cross, BARS, 1, 1, ahead=True),
        of_bars("decided at each bar", cross, BARS // 4, 1, 1, ahead=False),
        of_bars("decided ahead", cross, BARS // 10, 10, 1, ahead=True),
    ]
    for row in found:
        first = next(each for each in found if each["what"] == row["what"])
        row["ratio"] = float(str(row["p50_us"])) / float(str(first["p50_us"]))
    return [*found, of_events(20_000)]


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
