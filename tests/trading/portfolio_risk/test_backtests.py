import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2, norm

from trading.errors import DataError, UsageError
from trading.portfolio_risk.backtests import (
    Zone,
    acerbi_szekely,
    christoffersen,
    conditional_coverage,
    exceptions,
    kupiec,
    traffic_light,
)
from trading.portfolio_risk.normal import standard_tail


def hits(count, *where):
    found = np.zeros(count, dtype=bool)
    found[list(where)] = True
    return found


def test_kupiec_by_hand():
    # 255 days at 95 % with 20 exceptions.
    found = kupiec(hits(255, *range(0, 200, 10)), 0.95)
    seen = 20 / 255
    statistic = -2 * (
        20 * math.log(0.05) + 235 * math.log(0.95) - 20 * math.log(seen) - 235 * math.log(1 - seen)
    )
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(chi2.sf(statistic, 1))


@pytest.mark.parametrize(
    ("bars", "confidence", "accepted"),
    # Kupiec (1995), table of non-rejection regions at the 5 % level of the test; for 255 days at 99 % it
    # prints N < 7, though none at all is rejected too (510 * log(1 / 0.99) = 5.1 > 3.84).
    [(255, 0.99, range(1, 7)), (510, 0.99, range(2, 11)), (1000, 0.99, range(5, 17)),
     (255, 0.95, range(7, 21)), (1000, 0.95, range(38, 65))],
)  # fmt: skip
def test_kupiec_accepts_what_his_table_accepts(bars, confidence, accepted):
    found = [
        count
        for count in range(100)
        if kupiec(hits(bars, *range(count)), confidence).p_value > 0.05
    ]
    assert found == list(accepted)


def test_christoffersen_by_hand():
    # Transitions of 0 1 1 0 0 0 1 0: none to none 2, none to one 2, one to none 2, one to one 1.
    series = np.array([0, 1, 1, 0, 0, 0, 1, 0], dtype=bool)
    apart = 2 * math.log(1 / 2) + 2 * math.log(1 / 2) + 2 * math.log(2 / 3) + math.log(1 / 3)
    together = 4 * math.log(4 / 7) + 3 * math.log(3 / 7)
    found = christoffersen(series)
    assert found.statistic == pytest.approx(2 * (apart - together))
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, 1))


def test_exceptions_in_a_row_are_found():
    spread, clustered = hits(500, *range(0, 500, 20)), hits(500, *range(100, 125))
    assert kupiec(spread, 0.95) == kupiec(clustered, 0.95)
    assert christoffersen(spread).p_value > 0.05
    assert christoffersen(clustered).p_value < 1e-6
    assert conditional_coverage(clustered, 0.95).p_value < 1e-6


@settings(deadline=None, max_examples=100)
@given(st.lists(st.booleans(), min_size=2, max_size=300), st.floats(0.5, 0.999))
def test_conditional_coverage_is_frequency_and_independence(series, confidence):
    series = np.array(series)
    both = conditional_coverage(series, confidence)
    parts = kupiec(series[1:], confidence).statistic + christoffersen(series).statistic
    assert both.statistic == pytest.approx(parts, abs=1e-9)
    assert 0.0 <= both.p_value <= 1.0


@pytest.mark.parametrize("test", [kupiec, lambda series, _: christoffersen(series)])
def test_a_right_model_is_rejected_as_seldom_as_it_should_be(test):
    rejected = [
        test(np.random.default_rng(seed).random(2000) > 0.95, 0.95).p_value < 0.05
        for seed in range(400)
    ]
    assert 0.02 <= np.mean(rejected) <= 0.09


def test_traffic_light_over_a_year_is_that_of_basel():
    zones = [traffic_light(hits(250, *range(count)), 0.99).zone for count in range(15)]
    assert zones == [Zone.GREEN] * 5 + [Zone.YELLOW] * 5 + [Zone.RED] * 5
    four = traffic_light(hits(250, 1, 2, 3, 4), 0.99)
    assert four.exceptions == 4
    assert four.probability == pytest.approx(binom.cdf(4, 250, 0.01))


def test_acerbi_szekely_by_hand():
    losses = np.array([1.0, 4.0, 0.0, 6.0])
    found = acerbi_szekely(
        losses, np.full(4, 3.0), np.full(4, 5.0), 0.5, np.array([[0.0] * 4, [9.0] * 4])
    )
    # 1 - (4/5 + 6/5) / (4 * 0.5) = 0; drawn: 1 and 1 - 4 * 9/5 / 2.
    assert found.statistic == pytest.approx(0.0)
    assert found.p_value == pytest.approx(2 / 3)


def test_acerbi_szekely_finds_a_shortfall_said_too_small():
    rng = np.random.default_rng(1)
    value, shortfall = (np.full(500, each) for each in standard_tail(0.975))
    simulated = rng.normal(size=(2000, 500))
    p_values = [
        acerbi_szekely(rng.normal(size=500), value, shortfall, 0.975, simulated).p_value
        for _ in range(300)
    ]
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.09
    heavy = rng.standard_t(3, size=500)
    found = acerbi_szekely(heavy, value, shortfall, 0.975, simulated)
    assert found.p_value < 0.01
    assert found.statistic < -0.7


def test_exceptions_are_losses_above_the_value_at_risk():
    assert exceptions(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 4.0])).tolist() == [
        False, True, False,
    ]  # fmt: skip
    seen = exceptions(np.random.default_rng(1).normal(size=10_000), np.full(10_000, norm.ppf(0.99)))
    assert seen.mean() == pytest.approx(0.01, abs=0.003)


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="must be the same"):
        exceptions(np.zeros(3), np.zeros(4))
    with pytest.raises(DataError, match="not finite"):
        exceptions(np.array([np.nan]), np.zeros(1))
    with pytest.raises(UsageError, match="between 0 and 1"):
        kupiec(hits(10, 1), 1.0)
    with pytest.raises(UsageError, match="true and false"):
        kupiec(np.zeros(10), 0.99)
    with pytest.raises(DataError, match="there are 0 bars"):
        traffic_light(hits(0), 0.99)
    with pytest.raises(DataError, match="there are 1 bars"):
        christoffersen(hits(1))
    with pytest.raises(DataError, match="not positive"):
        acerbi_szekely(np.ones(2), np.ones(2), np.zeros(2), 0.95, np.ones((5, 2)))
    with pytest.raises(DataError, match="simulated losses have shape"):
        acerbi_szekely(np.ones(2), np.ones(2), np.ones(2), 0.95, np.ones((5, 3)))
