import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import UsageError
from trading.portfolio_risk.copulas.conditions import Interval, above, at, below, by_column


def test_draws_are_inside_and_reach_both_ends():
    draws = Interval(0.2, 0.3).drawn(10_000, np.random.default_rng(1))
    assert draws.min() == pytest.approx(0.2, abs=1e-4)
    assert draws.max() == pytest.approx(0.3, abs=1e-4)
    assert draws.mean() == pytest.approx(0.25, abs=0.001)


def test_a_point_is_always_the_same():
    assert (at(0.01).drawn(5, np.random.default_rng(1)) == 0.01).all()
    assert at(0.01).is_point
    assert not below(0.01).is_point


@given(st.floats(0.001, 0.999), st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=100)
def test_below_and_above_share_only_their_end(quantile, value):
    values = np.array([value, quantile])
    both = below(quantile).holds(values) & above(quantile).holds(values)
    either = below(quantile).holds(values) | above(quantile).holds(values)
    assert either.all()
    assert both.tolist() == [value == quantile, True]


@pytest.mark.parametrize(
    "ends", [(0.5, 0.4), (-0.1, 0.5), (0.5, 1.1), (0.0, 0.0), (1.0, 1.0), (float("nan"), 0.5)]
)
def test_ends_that_hold_no_quantile_are_refused(ends):
    with pytest.raises(UsageError, match="cannot be between the quantiles"):
        Interval(*ends)


def test_conditions_come_by_column_in_order():
    conditions = {"XOM": at(0.1), "AAPL": below(0.2)}
    assert by_column(conditions, ("AAPL", "KO", "XOM")) == {0: below(0.2), 2: at(0.1)}
    assert list(by_column(conditions, ("AAPL", "KO", "XOM"))) == [0, 2]


def test_unknown_asset_and_no_condition_are_refused():
    with pytest.raises(UsageError, match="TSLA is not in the copula, which has AAPL, KO"):
        by_column({"TSLA": at(0.1)}, ("AAPL", "KO"))
    with pytest.raises(UsageError, match="there is no condition"):
        by_column({}, ("AAPL", "KO"))
