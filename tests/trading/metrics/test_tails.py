import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio import measures

from trading.errors import UsageError
from trading.metrics.tails import conditional_value_at_risk, tail_ratio, value_at_risk


def test_risk_of_twenty_bars_by_hand() -> None:
    returns = np.arange(-10, 10) / 100  # 10 % of 20 bars: -10 % and -9 %
    assert value_at_risk(returns, 0.9) == pytest.approx(0.09)
    assert conditional_value_at_risk(returns, 0.9) == pytest.approx(0.095)


def test_a_part_of_a_bar_counts_in_part() -> None:
    returns = np.array([-0.4, -0.2, 0.1, 0.2, 0.3])  # 30 % of 5 bars: one and a half
    assert value_at_risk(returns, 0.7) == pytest.approx(0.2)
    assert conditional_value_at_risk(returns, 0.7) == pytest.approx((0.4 + 0.5 * 0.2) / 1.5)


def test_a_round_share_takes_no_bar_more() -> None:
    returns = -np.arange(100.0) / 1000  # (1 - 0.95) * 100 is 5.000000000000004
    assert value_at_risk(returns, 0.95) == pytest.approx(0.095)


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(1, 1000), min_size=1, max_size=60))
def test_tail_ratio_takes_the_percentiles_of_numpy(values: list[int]) -> None:
    returns = np.array(values) / 1000
    low, high = np.quantile(returns, (0.05, 0.95))
    assert tail_ratio(returns) == pytest.approx(high / low)


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60),
    confidence=st.floats(0.5, 0.99),
)
def test_risk_equals_skfolio(values: list[float], confidence: float) -> None:
    returns = np.array(values)
    share = (1 - confidence) * returns.size
    if abs(share - round(share)) < 1e-6:  # there skfolio rounds otherwise
        return
    var, cvar = value_at_risk(returns, confidence), conditional_value_at_risk(returns, confidence)
    assert var == pytest.approx(measures.value_at_risk(returns, beta=confidence), abs=1e-12)
    assert cvar == pytest.approx(measures.cvar(returns, beta=confidence), abs=1e-12)
    assert cvar >= var - 1e-12


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_a_confidence_outside_its_range_is_refused(confidence: float) -> None:
    with pytest.raises(UsageError, match="confidence must be between 0 and 1"):
        value_at_risk(np.zeros(5), confidence)
