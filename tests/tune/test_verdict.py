"""Strategies that cheat in every way known to us are caught; honest ones pass."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from actors.feeds.sources import load_prices
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.registry import build_strategy, known_strategies
from trading.strategies.strategy import Bars
from tune.signal_sources import SignalSources, with_signals
from tune.user_strategy import load_strategy
from tune.verdict.verdict import judge

LOOKBACK = 20


@pytest.fixture(scope="module")
def bars() -> Bars:
    table = load_prices("sp500", ("AAPL", "KO", "MSFT", "XOM"))
    start = len(table) - 900
    return Bars.of_closes(table.ts[start:], table.instrument_ids, table.close[start:])


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
        (writing, "bars are only read"),
        (Dice(), "same answer twice"),
        (raising, "it runs"),
        (with_nan, "weights"),
        (lambda bars: honest(bars)[:, :2], "weights"),
        (lambda bars: 50 * honest(bars), "weights"),
        (holding_the_unknown, "missing and constant prices"),
    ],
)
def test_cheat_is_caught(decide: Callable[[Bars], np.ndarray], check: str, bars: Bars) -> None:
    assert check in failed(Guest(decide), bars)


def test_endless_memory_alone_does_not_count_as_a_look_ahead(bars: Bars) -> None:
    assert "no look into the future" not in failed(Guest(averaged_for_ever), bars)


def test_lookback_that_is_too_short_is_caught(bars: Bars) -> None:
    assert "batch equals live" in failed(Guest(honest, lookback=LOOKBACK - 5), bars)


def test_finding_names_instrument_and_bar(bars: Bars) -> None:
    findings = judge("guest", Guest(tomorrow_of_one), bars).findings

    text = next(each.text for each in findings if each.check == "no look into the future")

    assert text.startswith("MSFT.XNAS at bar ")


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
    from pathlib import Path

    file = Path(__file__).parents[2] / "examples" / "ema_cross.py"

    # several instruments of weight 1 each: fine for one instrument
    one = Bars.of_closes(bars.ts, bars.instrument_ids[:1], bars.close[:, :1])
    verdict = judge("ema", load_strategy(f"{file}:EmaCross", {"fast": 5, "slow": 20}), one)

    assert verdict.passed, verdict.findings


def test_params_are_told(bars: Bars) -> None:
    verdict = judge("momentum", Momentum(top_k=2), bars)
    assert verdict.params["top_k"] == 2
    assert judge("r", MeanReversion(), bars).params["window_bars"] == 20
