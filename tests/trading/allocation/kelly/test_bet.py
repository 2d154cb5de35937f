import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.allocation.kelly.bet import bet_fraction, bet_growth, shrunk_bet_fraction
from trading.errors import UsageError


def test_coin_that_wins_six_of_ten_gets_a_fifth() -> None:
    """By hand: 0.6 - 0.4 / 1; growth 0.6 ln 1.2 + 0.4 ln 0.8."""
    assert bet_fraction(0.6, 1.0) == pytest.approx(0.2)
    assert bet_growth(0.2, 0.6, 1.0) == pytest.approx(0.02013551)


def test_horse_at_three_to_one_gets_a_fifth() -> None:
    """By hand: 0.4 - 0.6 / 3."""
    assert bet_fraction(0.4, 3.0) == pytest.approx(0.2)


def test_unfavourable_bet_gets_nothing() -> None:
    assert bet_fraction(0.5, 1.0) == 0.0
    assert bet_fraction(0.2, 2.0) == 0.0
    assert shrunk_bet_fraction(0.2, 2.0, 0.1) == 0.0


def test_certain_gain_gets_everything_and_certain_ruin_grows_by_minus_infinity() -> None:
    assert bet_fraction(1.0, 2.0) == 1.0
    assert bet_growth(1.0, 1.0, 2.0) == pytest.approx(math.log(3.0))
    assert bet_growth(1.0, 0.99, 2.0) == -math.inf


@settings(deadline=None, max_examples=100)
@given(probability=st.floats(0.01, 0.99), odds=st.floats(0.1, 20.0), other=st.floats(0.0, 0.999))
def test_no_other_stake_grows_more(probability: float, odds: float, other: float) -> None:
    best = bet_growth(bet_fraction(probability, odds), probability, odds)
    assert best >= bet_growth(other, probability, odds) - 1e-12


def test_shrunk_stake_grows_most_when_the_probability_is_estimated() -> None:
    """Average over estimates what each multiple of their stakes grows at the true probability."""
    truth, odds, deviation = 0.6, 1.0, 0.05
    estimates = truth + deviation * np.random.default_rng(0).normal(size=4000)
    stakes = np.array([estimate - (1.0 - estimate) / odds for estimate in estimates])
    multiples = np.linspace(0.3, 1.2, 91)
    growth = [
        np.mean(truth * np.log1p(k * stakes * odds) + (1.0 - truth) * np.log1p(-k * stakes))
        for k in multiples
    ]
    best = multiples[int(np.argmax(growth))]
    shrunk = shrunk_bet_fraction(truth, odds, deviation) / bet_fraction(truth, odds)
    assert shrunk == pytest.approx(0.8)  # 0.2^2 / (0.2^2 + (2 x 0.05)^2)
    assert best == pytest.approx(shrunk, abs=0.04)


def test_known_probability_is_not_shrunk() -> None:
    assert shrunk_bet_fraction(0.6, 1.0, 0.0) == pytest.approx(bet_fraction(0.6, 1.0))


@pytest.mark.parametrize(
    ("probability", "odds", "message"),
    [
        (1.2, 1.0, "probability is 1.2"),
        (math.nan, 1.0, "probability is nan"),
        (0.5, 0.0, "odds are 0"),
        (0.5, math.inf, "odds are inf"),
    ],
)
def test_impossible_bet_is_refused(probability: float, odds: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bet_fraction(probability, odds)


def test_impossible_stake_or_error_is_refused() -> None:
    with pytest.raises(UsageError, match=r"staked fraction is 1\.5"):
        bet_growth(1.5, 0.5, 1.0)
    with pytest.raises(UsageError, match=r"standard error of the probability is -0\.1"):
        shrunk_bet_fraction(0.5, 1.0, -0.1)
