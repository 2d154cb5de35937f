import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.allocation.kelly.allocation import KellyRule, Method, kelly_allocation
from trading.allocation.kelly.caps import Caps
from trading.allocation.kelly.drawdown import LossBound, surplus_fraction
from trading.allocation.kelly.estimation_error import estimation_shrinkage
from trading.allocation.kelly.exact import growth_optimal_weights, growth_rate
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray

NAMES = ("momentum", "pairs", "carry")


def history(seed: int = 0, bars: int = 500) -> FloatArray:
    rng = np.random.default_rng(seed)
    return 0.01 * (rng.normal(size=(bars, 3)) + np.array([0.08, 0.05, -0.03]))


def test_plain_rule_holds_the_growth_optimum() -> None:
    found = kelly_allocation(history(), NAMES, KellyRule(fraction=1.0, shrinks=False))
    assert found.weights == pytest.approx(growth_optimal_weights(history(), NAMES))
    assert (found.fraction, found.shrinkage) == (1.0, 1.0)
    assert found.growth == growth_rate(history(), found.weights)


def test_half_kelly_has_three_quarters_of_the_growth_and_a_quarter_of_the_variance() -> None:
    full = kelly_allocation(history(), NAMES, KellyRule(fraction=1.0, shrinks=False))
    half = kelly_allocation(history(), NAMES, KellyRule(fraction=0.5, shrinks=False))
    assert half.growth / full.growth == pytest.approx(0.75, abs=0.01)
    assert half.variance / full.variance == pytest.approx(0.25, abs=0.01)
    assert full.loss_probability(0.5) == pytest.approx(0.5, abs=0.03)
    assert half.loss_probability(0.5) == pytest.approx(0.125, abs=0.02)


def test_everything_that_makes_it_smaller_multiplies() -> None:
    rule = KellyRule(fraction=0.5, drawdown=0.05, drawdown_limit=0.2)
    found = kelly_allocation(history(), NAMES, rule)
    shrinkage = estimation_shrinkage(history(), NAMES)
    expected = 0.5 * shrinkage * surplus_fraction(0.05, 0.2)
    assert found.shrinkage == shrinkage
    assert found.fraction == pytest.approx(expected)
    assert found.weights == pytest.approx(expected * growth_optimal_weights(history(), NAMES))


def test_nothing_is_held_at_the_limit_of_the_drawdown() -> None:
    found = kelly_allocation(history(), NAMES, KellyRule(drawdown=0.2, drawdown_limit=0.2))
    assert not found.weights.any()
    assert (found.growth, found.variance, found.loss_probability(0.1)) == (0.0, 0.0, 0.0)


def test_loss_bound_makes_the_allocation_smaller() -> None:
    loose = kelly_allocation(history(), NAMES, KellyRule(fraction=1.0, shrinks=False))
    bound = LossBound(depth=0.3, probability=0.05)
    tight = kelly_allocation(
        history(), NAMES, KellyRule(fraction=1.0, shrinks=False, loss_bound=bound)
    )
    assert tight.weights == pytest.approx(loose.weights * tight.fraction)
    assert tight.fraction < 0.5
    assert tight.loss_probability(0.3) < 0.06 < loose.loss_probability(0.3)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1000),
    method=st.sampled_from(["exact", "quadratic"]),
    fraction=st.sampled_from([0.1, 0.5, 1.0]),
    cap=st.sampled_from([0.05, 0.5]),
    gross=st.sampled_from([0.1, 1.0, np.inf]),
)
def test_caps_hold_in_the_end(
    seed: int, method: Method, fraction: float, cap: float, gross: float
) -> None:
    caps = Caps(weight_min=0.0, weight_max=cap, gross_max=gross)
    rule = KellyRule(method=method, fraction=fraction, caps=caps)
    weights = kelly_allocation(history(seed), NAMES, rule).weights
    assert (weights >= 0.0).all()
    assert (weights <= cap).all()
    assert weights.sum() <= gross * (1 + 1e-12)


def test_fraction_does_not_leave_room_under_the_caps_unused() -> None:
    """Half of 13 is still above a cap of 1."""
    rule = KellyRule(fraction=0.5, shrinks=False, caps=Caps(weight_max=1.0))
    assert kelly_allocation(history(), NAMES, rule).weights[1] == pytest.approx(1.0)


def test_methods_agree_on_small_returns() -> None:
    exact, quadratic = (
        kelly_allocation(history(bars=4000) / 10, NAMES, KellyRule(method=method, fraction=0.1))
        for method in ("exact", "quadratic")
    )
    assert exact.weights == pytest.approx(quadratic.weights, rel=0.02)


def test_single_strategy_is_enough() -> None:
    found = kelly_allocation(history()[:, :1], NAMES[:1], KellyRule(method="quadratic"))
    assert found.weights.shape == (1,)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (KellyRule(fraction=0.0), "fraction of Kelly is 0"),
        (KellyRule(fraction=1.5), r"fraction of Kelly is 1\.5"),
        (KellyRule(method="best"), "no method 'best'; known are: exact, quadratic"),  # type: ignore[arg-type]
        (KellyRule(drawdown_limit=2.0), r"the loss is 2\.0"),
        (KellyRule(caps=Caps(weight_min=1.0)), "momentum: weight_min"),
    ],
)
def test_unfit_rule_is_refused(rule: KellyRule, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        kelly_allocation(history(), NAMES, rule)


def test_unfit_returns_are_refused() -> None:
    returns = history()
    returns[:, 2] = np.nan
    with pytest.raises(DataError, match="carry has no returns at all"):
        kelly_allocation(returns, NAMES, KellyRule())
