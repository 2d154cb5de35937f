"""Backtests beside peers: one EMA cross, the same prices, fee and sizes in every engine.

Prices are a seeded random walk (`workload`). While the fast average leads, a position of a fixed value is
held; 1 bp of fee; decided at the close and filled at the next open, except where a row says otherwise. Peers
run in environments of their own (`environments`) on the same arrays; reading them and starting a process is
outside every clock, compiling too.

No result counts that is wrong: the final equity must be that of `bare_loop` within 1e-4 of a position, else
the row has no time. The note says how far it is off: whole units, or a tick of spread, show there.

p50 is the median and p99 the slowest of the repetitions; in sweeps per pair. The ratio is to the faster
engine of vectorbt (in "order path" to nautilus_trader). A subject that would take over a minute does the first part of the pairs, which are
shuffled, and its note says how many; nothing is extrapolated.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from actors.blueprint import Assumptions
from actors.feeds.sources import PriceTable
from bench.bare_loop import final_equity
from bench.environments import Finding, PeerUnavailable, run_peer
from bench.workload import CASH, Pair, Prices, Work, pair_grid, random_walk, write
from examples.ema_cross import LEAD, EmaCross
from trading.backtest.engine import equity_of, market_of, run_backtest
from trading.backtest.settings import (
    BacktestSettings,
    Costs,
    Execution,
    Financing,
    Orders,
    Rebalance,
    Sizing,
)
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.exchange.liquidity import Liquidity
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.instruments import Instrument
from trading.strategies.strategy import Bars
from tune.event_gear.run import run_event_backtest
from tune.event_gear.settings import EventSettings

BARS = 98_280
PAIR: Pair = (10, 30)
TOLERANCE = 1e-4
"""Of a position."""
PEER_LIMIT_S = 150.0
"""One process: its start, compiling, and all repetitions."""
SWEEP_LIMIT_S = 60.0
PAIRS_PER_BLOCK = 50
VECTORBT_PAIRS_MAX = 1_000
BACKTESTING_PAIRS_MAX = 20
SETTINGS = BacktestSettings(
    initial_cash=CASH,
    execution=Execution.NEXT_OPEN,
    sizing=Sizing.CAPITAL,
    orders=Orders(rebalance=Rebalance.ON_CHANGE),
    costs=Costs(bps=1.0, half_spread_bps=0.0, slippage_bps=0.0),
    financing=Financing(debit_rate=0.0, borrow_rate=0.0),
)
TICK = Decimal("0.000001")
"""The event gear buys a tick above the price; this one makes no difference."""


@dataclass(frozen=True, slots=True)
class Part:
    """A strategy with a part of the capital for each instrument."""

    strategy: EmaCross
    weight: float

    @property
    def lookback(self) -> int:
        return self.strategy.lookback

    def targets(self, bars: Bars) -> FloatArray:
        weights = self.strategy.targets(bars)
        weights *= self.weight
        return weights


def part(pair: Pair, work: Work) -> Part:
    return Part(EmaCross(fast=pair[0], slow=pair[1]), work.stake / work.cash)


def work_of(pairs: Sequence[Pair], symbols: int = 1, *, repeats: int = 7) -> Work:
    warm_up = {
        slow: EmaCross(fast=1, slow=slow).lookback - 1 for slow in {slow for _, slow in pairs}
    }
    return Work(pairs, warm_up, LEAD, stake=CASH * min(0.05, 0.5 / symbols), repeats=repeats)


def names_of(prices: Prices) -> tuple[InstrumentId, ...]:
    return tuple(InstrumentId(f"S{i}.BENCH") for i in range(prices.close.shape[1]))


def bars_of(prices: Prices) -> Bars:
    volume = np.zeros_like(prices.close)
    return Bars(
        prices.ts, names_of(prices), prices.close, prices.open, prices.high, prices.low, volume
    )


# -- subjects


def timed(
    subject: str,
    work: Work,
    run: Callable[[], Sequence[float]],
    note: str = "",
    compile_: Callable[[], object] | None = None,
) -> Finding:
    """Repeat `run`, which returns the final equity of each pair, after a first time that compiles."""
    (compile_ or run)()
    seconds: list[float] = []
    equity: Sequence[float] = ()
    while len(seconds) < work.repeats and sum(seconds) < work.budget_s:
        begin = perf_counter()
        equity = run()
        seconds.append(perf_counter() - begin)
    return Finding(subject, tuple(seconds), tuple(equity), note)


def peer(name: str, prices: Prices, work: Work, **more: object) -> Finding:
    """Let a peer do it; without a result, the note says why."""
    with TemporaryDirectory() as folder:
        write(Path(folder), prices, work, **more)
        try:
            return run_peer(name, Path(folder), PEER_LIMIT_S)
        except PeerUnavailable as error:
            return Finding(" ".join([name, *map(str, more.values())]), (), (), str(error))


def vectorbt(prices: Prices, work: Work) -> list[Finding]:
    """Both engines, the faster one first."""
    found = [peer("vectorbt", prices, work, engine=engine) for engine in ("rust", "numba")]
    return sorted(found, key=lambda each: median(each.seconds) if each.seconds else np.inf)


def whole_result(prices: Prices, work: Work) -> Finding:
    def run() -> list[float]:
        bars = bars_of(prices)
        return [float(run_backtest(bars, strategy.targets(bars), SETTINGS).equity[-1])]

    strategy = part(work.pairs[0], work)
    return timed("vector gear", work, run, "whole result")


def equity_alone(prices: Prices, work: Work) -> Finding:
    def run() -> list[float]:
        bars = bars_of(prices)
        return [float(equity_of(market_of(bars), strategy.targets(bars), SETTINGS)[-1])]

    strategy = part(work.pairs[0], work)
    return timed("vector gear, equity alone", work, run)


def swept(prices: Prices, work: Work, threads: int) -> Finding:
    starts = range(0, len(work.pairs), PAIRS_PER_BLOCK)

    def of_block(bars: Bars, start: int) -> list[float]:
        market = market_of(bars)
        return [
            float(equity_of(market, part(pair, work).targets(bars), SETTINGS)[-1])
            for pair in work.pairs[start : start + PAIRS_PER_BLOCK]
        ]

    def run() -> list[float]:
        bars, found = bars_of(prices), list[float]()
        ends = perf_counter() + SWEEP_LIMIT_S
        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, len(starts), threads):
                if perf_counter() > ends:
                    break
                for block in pool.map(partial(of_block, bars), starts[first : first + threads]):
                    found += block
        return found

    subject = f"vector gear, {threads} thread{'s' if threads > 1 else ''}"
    return timed(subject, work, run, compile_=lambda: of_block(bars_of(prices), 0))


def bare_loop(prices: Prices, work: Work, *, is_compiled: bool = True) -> Finding:
    def run() -> list[float]:
        return [final_equity(prices, work, pair, is_compiled=is_compiled) for pair in work.pairs]

    return timed(
        "bare loop, compiled" if is_compiled else "bare loop, Python", work, run, "a floor"
    )


def event_gear(prices: Prices, work: Work, *, decides_ahead: bool) -> Finding:
    settings = EventSettings(
        initial_cash=Decimal(int(work.cash)),
        assumptions=Assumptions(
            liquidity=Liquidity(levels=1, depth=Decimal(10) ** 13, half_spread_bps=Decimal(0)),
            fees=Fees(taker_bps=Decimal(1)),
            buying_power=BuyingPower(max_leverage=Decimal(10)),
        ),
        decides_ahead=decides_ahead,
    )
    names, volume = names_of(prices), np.zeros_like(prices.close)
    columns = (prices.open, prices.high, prices.low, prices.close, volume)
    listed = [Instrument(instrument_id=name, tick_size=TICK) for name in names]
    strategy = part(work.pairs[0], work)

    def run(bars: int) -> list[float]:
        table = PriceTable(prices.ts[:bars], names, *(column[:bars] for column in columns))
        result = run_event_backtest(strategy, table, settings, instruments=listed)
        assert result.comparison.is_clean, result.comparison
        return [float(result.equity[-1])]

    kind = "decided ahead" if decides_ahead else "decided at each bar"
    note = "filled at the decision's close"
    whole = partial(run, len(prices.ts))
    return timed(f"event gear, {kind}", work, whole, note, partial(run, 2 * strategy.lookback))


# -- rows


def judged(
    what: str, prices: Prices, work: Work, found: Finding, base: Finding, *, at_open: bool = True
) -> dict[str, object]:
    """Return a row; without times when the equity is wrong."""
    row: dict[str, object] = {"what": what, "subject": found.subject, "note": found.note}
    if not found.seconds:
        return row
    pairs = work.pairs[: len(found.equity)]
    right = [final_equity(prices, work, pair, fills_at_open=at_open) for pair in pairs]
    off = float(np.max(np.abs(np.subtract(found.equity, right)))) / work.stake
    notes = [found.note, f"equity off by {off:.0e}"]
    if len(work.pairs) > 1:
        notes.insert(0, f"{len(pairs):,} pairs in {median(found.seconds):,.2f} s")
    else:
        notes.insert(0, f"{median(found.seconds) / prices.close.size * 1e6:.3f} us a bar")
    row["note"] = ", ".join(filter(None, notes))
    if not off <= TOLERANCE:
        return row | {"note": f"wrong, not counted: {row['note']}"}
    times = sorted(seconds / len(pairs) for seconds in found.seconds)
    row |= {"p50_us": median(times) * 1e6, "p99_us": times[-1] * 1e6}
    if base.seconds:
        row["ratio"] = median(times) / (median(base.seconds) / len(base.equity))
    return row


def single(bars: int, symbols: int, *, is_full: bool) -> list[dict[str, object]]:
    """One pair; `is_full` with all peers, else a step of growth."""
    prices, work = random_walk(bars, symbols), work_of([PAIR], symbols)
    what = f"EMA cross, {bars:,} bars" + (f" of {symbols}" if symbols > 1 else "")
    found = [*vectorbt(prices, work), whole_result(prices, work), equity_alone(prices, work)]
    found.append(bare_loop(prices, work))
    if is_full:
        found.append(bare_loop(prices, replace(work, repeats=1), is_compiled=False))
        found.append(peer("backtesting", prices, work))
    rows = [judged(what, prices, work, each, found[0]) for each in found]
    if is_full:
        nautilus = peer("nautilus", prices, replace(work, repeats=3))
        rows.append(judged(what, prices, work, nautilus, found[0], at_open=False))
    return rows


def order_path(bars: int, symbols: int) -> list[dict[str, object]]:
    """The engines that send every order through risk, exchange and account; ratio to nautilus_trader."""
    prices, work = random_walk(bars, symbols), work_of([PAIR], symbols, repeats=3)
    what = f"order path, {bars:,} bars" + (f" of {symbols}" if symbols > 1 else "")
    gears = [event_gear(prices, work, decides_ahead=ahead) for ahead in (False, True)]
    found = [peer("nautilus", prices, work), *gears]
    return [judged(what, prices, work, each, found[0], at_open=False) for each in found]


def sweep(fasts: range, slows: range) -> list[dict[str, object]]:
    prices, pairs = random_walk(BARS, 1), pair_grid(fasts, slows)
    work = work_of(pairs, repeats=3 if len(pairs) <= VECTORBT_PAIRS_MAX else 1)
    fewer = replace(work, pairs=pairs[:VECTORBT_PAIRS_MAX])
    found = [*vectorbt(prices, fewer), *(swept(prices, work, threads) for threads in (1, 2))]
    found.append(bare_loop(prices, fewer))
    few = replace(work, pairs=pairs[:BACKTESTING_PAIRS_MAX], repeats=1)
    if len(pairs) == VECTORBT_PAIRS_MAX:
        found.append(peer("backtesting", prices, few))
    what = f"sweep of {len(pairs):,} pairs, one pair"
    return [judged(what, prices, work, each, found[0]) for each in found]


def rows() -> list[dict[str, object]]:
    """Return the rows; see the top of this file for the method."""
    return [
        *single(BARS, 1, is_full=True),
        *single(BARS, 10, is_full=True),
        *single(10_000, 1, is_full=False),
        *single(1_000_000, 1, is_full=False),
        *single(BARS, 100, is_full=False),
        *order_path(BARS, 1),
        *order_path(BARS // 10, 10),
        *sweep(range(5, 15), range(50, 60)),
        *sweep(range(5, 30), range(50, 90)),
        *sweep(range(5, 105), range(150, 250)),
        *sweep(range(2, 252), range(252, 652)),
    ]


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
