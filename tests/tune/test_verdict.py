"""Strategies that cheat in every way known to us are caught; honest ones pass."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.feeds.sources import load_prices
from trading.errors import DataError
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.registry import build_strategy, known_strategies
from trading.strategies.strategy import Bars
from tune.signal_sources import SignalSources, with_signals
from tune.user_strategy import load_strategy
from tune.verdict.contract import bars_are_only_read
from tune.verdict.finding import Finding
from tune.verdict.questions import telling_rows
from tune.verdict.verdict import judge

LOOKBACK = 20
DAY = 86_400_000_000_000


@pytest.fixture(scope="module")
def bars() -> Bars:
    table = load_prices("sp500", ("AAPL", "KO", "MSFT", "XOM"))
    start = len(table) - 900
    close = table.close[start:]
    volume = np.full(close.shape, 1_000.0)
    return Bars(table.ts[start:], table.instrument_ids, close, close, close, close, volume)


@dataclass
class Guest:
    """A strategy made of one function."""

    decide: Callable[[Bars], np.ndarray]
    lookback: int = LOOKBACK

    def targets(self, bars: Bars) -> np.ndarray:
        weights = np.asarray(self.decide(bars), dtype=float)
        weights[: self.lookback - 1] = 0.0
        return weights


def past_mean(close: np.ndarray) -> np.ndarray:
    means = np.full(close.shape, np.nan)
    for row in range(LOOKBACK - 1, len(close)):
        means[row] = close[row - LOOKBACK + 1 : row + 1].mean(axis=0)
    return means


def honest(bars: Bars) -> np.ndarray:
    return np.where(bars.close > past_mean(bars.close), 0.25, 0.0)


def tomorrow(bars: Bars) -> np.ndarray:
    ahead = np.vstack([bars.close[1:], bars.close[-1:]])
    return np.where(ahead > bars.close, 0.25, 0.0)


def tomorrow_of_one(bars: Bars) -> np.ndarray:
    weights = honest(bars)
    weights[:-1, 2] = np.where(bars.close[1:, 2] > bars.close[:-1, 2], 0.25, 0.0)
    return weights


def mean_of_everything(bars: Bars) -> np.ndarray:
    return np.where(bars.close > np.nanmean(bars.close, axis=0), 0.25, 0.0)


def centred(bars: Bars) -> np.ndarray:
    close = bars.close
    means = np.full(close.shape, np.inf)
    for row in range(2, len(close) - 2):
        means[row] = close[row - 2 : row + 3].mean(axis=0)
    return np.where(close > means, 0.25, 0.0)


def steady(bars: Bars) -> np.ndarray:
    """Mean return of 19 bars, which is 0 until they are known: a lookback of 10 is too short."""
    weights = np.zeros(bars.close.shape)
    for row in range(LOOKBACK - 1, len(bars)):
        weights[row] = bars.close[row] / bars.close[row - LOOKBACK + 1] - 1.0
    weights[np.isnan(weights)] = 0.0
    return weights


def averaged_for_ever(bars: Bars) -> np.ndarray:
    count = np.arange(1, len(bars) + 1)[:, None]
    mean = np.cumsum(np.nan_to_num(bars.close), axis=0) / count
    return np.where(bars.close > mean, 0.1 * mean / (mean + 100.0), 0.0)


def writing(bars: Bars) -> np.ndarray:
    weights = honest(bars)
    bars.close[5, 0] = 1.0
    return weights


class Dice:
    def __init__(self) -> None:
        self.generator = np.random.default_rng(1)

    def __call__(self, bars: Bars) -> np.ndarray:
        return self.generator.uniform(0, 0.2, bars.close.shape)


def before_a_fall(bars: Bars) -> np.ndarray:
    weights = honest(bars)
    falls = np.vstack([bars.close[1:], bars.close[-1:]]) < 0.92 * bars.close
    weights[falls] = -0.25
    return weights


def once_in_61_days(bars: Bars) -> np.ndarray:
    weights = honest(bars)
    days = np.flatnonzero(bars.ts[:-1] // DAY % 61 == 0)
    weights[days] = np.where(bars.close[days + 1] > bars.close[days], 0.3, 0.0)
    return weights


def writing_time(bars: Bars) -> np.ndarray:
    weights = honest(bars)
    bars.ts[0] = 1
    return weights


def in_need_of_two_bars(bars: Bars) -> np.ndarray:
    assert bars.close[1].all()
    return honest(bars)


def needing_volume(bars: Bars) -> np.ndarray:
    if not bars.volume.any():
        raise ZeroDivisionError("no volume")
    return honest(bars)


def raising_when_prices_stand_still(bars: Bars) -> np.ndarray:
    if len(bars) > 1 and (bars.close[1:] == bars.close[:-1]).all():
        raise ZeroDivisionError("no variance")
    return honest(bars)


class SameArray:
    """Answers in an array that it uses again, differently each time."""

    def __init__(self) -> None:
        self.calls = 0
        self.array = np.zeros((900, 4))

    def __call__(self, bars: Bars) -> np.ndarray:
        self.calls += 1
        self.array[:] = self.calls / 1e4
        return self.array[: len(bars)]


def raising(bars: Bars) -> np.ndarray:
    raise ZeroDivisionError("bar 7 was odd")


def with_nan(bars: Bars) -> np.ndarray:
    weights = honest(bars)
    weights[40, 1] = np.nan
    return weights


def holding_the_unknown(bars: Bars) -> np.ndarray:
    return np.full(bars.close.shape, 0.25)


def failed(guest: Guest, bars: Bars) -> set[str]:
    return {each.check for each in judge("guest", guest, bars).findings if not each.passed}


def test_honest_strategy_passes(bars: Bars) -> None:
    assert failed(Guest(honest), bars) == set()


@pytest.mark.parametrize(
    ("decide", "check"),
    [
        (tomorrow, "no look into the future"),
        (tomorrow, "batch equals live"),
        (tomorrow_of_one, "no look into the future"),
        (mean_of_everything, "no look into the future"),
        (centred, "no look into the future"),
        (averaged_for_ever, "batch equals live"),
        (averaged_for_ever, "warm-up"),
        (before_a_fall, "no look into the future"),
        (once_in_61_days, "no look into the future"),
        (once_in_61_days, "batch equals live"),
        (writing, "bars are only read"),
        (writing_time, "bars are only read"),
        (SameArray(), "same answer twice"),
        (in_need_of_two_bars, "one bar"),
        (needing_volume, "zero volume"),
        (raising_when_prices_stand_still, "constant prices"),
        (Dice(), "same answer twice"),
        (raising, "it runs"),
        (with_nan, "weights"),
        (lambda bars: honest(bars)[:, :2], "weights"),
        (lambda bars: 50 * honest(bars), "weights"),
        (holding_the_unknown, "missing prices"),
    ],
)
def test_cheat_is_caught(decide: Callable[[Bars], np.ndarray], check: str, bars: Bars) -> None:
    assert check in failed(Guest(decide), bars)


def test_endless_memory_alone_does_not_count_as_a_look_ahead(bars: Bars) -> None:
    assert "no look into the future" not in failed(Guest(averaged_for_ever), bars)


def test_lookback_that_is_too_short_is_caught(bars: Bars) -> None:
    assert "batch equals live" in failed(Guest(honest, lookback=LOOKBACK - 5), bars)


def finding(check: str, guest: Guest, bars: Bars) -> Finding:
    findings = judge("guest", guest, bars).findings
    return next(each for each in findings if each.check == check)


def test_finding_names_instrument_and_bar(bars: Bars) -> None:
    found = finding("no look into the future", Guest(tomorrow_of_one), bars)

    assert found.instrument == "MSFT.XNAS"
    assert found.bar is not None
    assert found.text.startswith(f"MSFT.XNAS at bar {found.bar} (20")


def test_strategy_that_raises_late_is_told_with_the_bar(bars: Bars) -> None:
    def odd(some: Bars) -> np.ndarray:
        if len(some) == LOOKBACK and some.ts[-1] == bars.ts[500]:
            raise RuntimeError("odd")
        return honest(some)

    found = judge("guest", Guest(odd), bars, is_thorough=True).findings
    failed = next(each for each in found if not each.passed)

    assert (failed.check, failed.bar) == ("batch equals live", 501)
    assert "raised RuntimeError when it saw 20 bars up to bar 501" in failed.text


def test_writing_into_a_signal_is_caught(bars: Bars) -> None:
    def write(some: Bars) -> np.ndarray:
        some.signals["tone"][-1] = 1.0
        return honest(some)

    told = replace(bars, signals={"tone": np.zeros_like(bars.close)})

    assert "signal tone" in finding("bars are only read", Guest(write), told).text
    assert not told.signals["tone"].any()


def test_written_cells_are_restored_for_the_checks_behind(bars: Bars) -> None:
    given = replace(bars, close=bars.close.copy())
    given.close[5, 0] = 1.0

    assert not bars_are_only_read(given, bars).passed
    np.testing.assert_array_equal(given.close, bars.close)


def test_clear_refusal_of_missing_prices_is_fine(bars: Bars) -> None:
    def picky(some: Bars) -> np.ndarray:
        if np.isnan(some.close).any():
            raise DataError("AAPL.XNAS has no price")
        return honest(some)

    found = finding("missing prices", Guest(picky), bars)

    assert found.passed
    assert "refused" in found.text
    assert "AAPL.XNAS has no price" in found.text


def test_warm_up_tells_the_bars_that_weights_need(bars: Bars) -> None:
    honest_one = finding("warm-up", Guest(honest), bars)
    short = finding("warm-up", Guest(steady, lookback=10), bars)

    assert honest_one.text.startswith("Weights settle after 20 bars; the lookback is 20")
    assert not short.passed
    assert short.text.startswith("Weights settle after 20 bars; the lookback is 10")


def test_memory_without_end_never_settles(bars: Bars) -> None:
    text = finding("warm-up", Guest(averaged_for_ever), bars).text
    assert text.startswith("Weights do not settle in 640 bars; the lookback is 20")


def test_every_bar_is_compared_when_there_are_few_or_when_asked(bars: Bars) -> None:
    few = judge("guest", Guest(honest), bars.rows(0, 400)).findings
    some = judge("guest", Guest(honest), bars).findings
    every = judge("guest", Guest(honest), bars, is_thorough=True).findings

    assert any("batch at 381 bars" in each.text for each in few)
    assert any("batch at 200 bars" in each.text for each in some)
    assert any("batch at 881 bars" in each.text for each in every)


@pytest.mark.parametrize("lookback", [0, -3, None, 2.5])
def test_lookback_that_is_no_number_of_bars_is_the_only_finding(lookback: Any, bars: Bars) -> None:
    guest = Guest(lambda some: np.zeros(some.close.shape))
    guest.lookback = lookback

    (found,) = judge("guest", guest, bars).findings

    assert (found.check, found.passed) == ("lookback", False)


def test_too_few_bars_are_refused(bars: Bars) -> None:
    with pytest.raises(DataError, match="20 bars are too few for a lookback of 20"):
        judge("guest", Guest(honest), bars.rows(0, LOOKBACK))
    assert judge("guest", Guest(honest), bars.rows(0, LOOKBACK + 1)).passed


def test_strategy_that_never_invests_is_told_to_prove_little(bars: Bars) -> None:
    found = finding("weights", Guest(lambda some: np.zeros(some.close.shape)), bars)
    assert "prove little" in found.text


def test_rows_hold_the_changes_of_weights() -> None:
    batch = np.zeros((1_000, 1))
    batch[333:] = 0.5

    rows = telling_rows(batch, 10, 1_000, 20)

    assert 333 in rows
    assert rows[0] == 10
    assert rows[-1] == 999
    assert len(rows) == len(set(rows)) == 20
    assert telling_rows(batch, 10, 15, 20) == [10, 11, 12, 13, 14]


def test_bars_of_the_caller_stay_whatever_a_strategy_does(bars: Bars) -> None:
    before = bars.close.copy()

    judge("guest", Guest(writing), bars)

    np.testing.assert_array_equal(bars.close, before)


@pytest.mark.parametrize("name", known_strategies())
def test_our_own_strategies_pass(name: str, bars: Bars) -> None:
    strategy = build_strategy(name, {})
    told, _ = with_signals(bars, getattr(strategy, "NEEDS", ()), SignalSources())

    verdict = judge(name, strategy, told)

    assert verdict.passed, [each for each in verdict.findings if not each.passed]


def test_examples_pass(bars: Bars) -> None:
    file = Path(__file__).parents[2] / "examples" / "ema_cross.py"

    # several instruments of weight 1 each: fine for one instrument
    one = Bars.of_closes(bars.ts, bars.instrument_ids[:1], bars.close[:, :1])
    verdict = judge("ema", load_strategy(f"{file}:EmaCross", {"fast": 5, "slow": 20}), one)

    assert verdict.passed, verdict.findings


def test_params_are_told(bars: Bars) -> None:
    assert judge("guest", Guest(honest), bars).params == {"lookback": LOOKBACK}
    verdict = judge("momentum", Momentum(top_k=2), bars)
    assert verdict.params["top_k"] == 2
    assert judge("r", MeanReversion(), bars).params["window_bars"] == 20
