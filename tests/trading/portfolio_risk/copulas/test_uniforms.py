import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from trading.errors import DataError, UsageError
from trading.portfolio_risk.copulas.uniforms import (
    inside,
    pseudo_observations,
    require_count,
    require_names,
    require_sample,
    require_uniforms,
)

NAMES = ("AAPL", "KO")


@given(arrays(np.float64, (12, 2), elements=st.integers(-4, 4).map(float)))
@settings(deadline=None, max_examples=100)
def test_ranks_are_those_of_scipy_also_with_ties(values):
    values[0], values[1] = -5.0, 5.0
    expected = rankdata(values, axis=0) / 13.0
    np.testing.assert_allclose(pseudo_observations(values, NAMES), expected)


def test_a_constant_asset_is_named():
    values = np.column_stack([np.arange(20.0), np.full(20, 0.01)])
    with pytest.raises(DataError, match="KO does not move"):
        pseudo_observations(values, NAMES)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gap_is_named(bad):
    values = np.random.default_rng(1).random((20, 2))
    values[3, 1] = bad
    with pytest.raises(DataError, match="KO: value 3 is"):
        pseudo_observations(values, NAMES)
    with pytest.raises(DataError, match="KO: value 3 is"):
        require_uniforms(values, NAMES)


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, 1.1])
def test_a_value_outside_the_unit_interval_is_named(bad):
    uniforms = np.full((3, 2), 0.5)
    uniforms[2, 0] = bad
    with pytest.raises(DataError, match=r"AAPL: value 2 is .* between 0 and 1"):
        require_uniforms(uniforms, NAMES)


def test_one_observation_and_fewer_than_assets_are_refused():
    with pytest.raises(DataError, match="there are 1 observations"):
        pseudo_observations(np.zeros((1, 2)), NAMES)
    names = tuple(f"S{i}" for i in range(30))
    uniforms = np.random.default_rng(1).random((30, 30))
    with pytest.raises(DataError, match="30 observations of 30 assets, at least 31"):
        require_sample(uniforms, names)


def test_another_shape_is_refused():
    with pytest.raises(DataError, match=r"shape \(3, 3\), must be \(time, 2\)"):
        require_uniforms(np.full((3, 3), 0.5), NAMES)


def test_names_that_repeat_or_stand_alone_are_refused():
    with pytest.raises(UsageError, match="KO is there twice"):
        require_names(("KO", "AAPL", "KO"))
    with pytest.raises(UsageError, match="at least two assets, not 1"):
        require_names(("KO",))


def test_no_draw_is_refused():
    with pytest.raises(UsageError, match="0 draws"):
        require_count(0)


def test_kept_probabilities_are_inside():
    kept = inside(np.array([0.0, 0.5, 1.0]))
    assert kept[1] == 0.5
    assert 0.0 < kept[0] < 1e-15
    assert 0.0 < 1.0 - kept[2] < 1e-15
