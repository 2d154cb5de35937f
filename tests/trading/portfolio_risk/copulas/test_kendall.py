import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trading.portfolio_risk.copulas.kendall import (
    correlation_of_tau,
    kendall_tau,
    tau_of_correlation,
)


def naive(x, y):
    """Concordant less discordant pairs, over pairs without ties."""
    signs = total_x = total_y = 0
    for i in range(len(x)):
        for j in range(i):
            a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
            signs += a * b
            total_x += a != 0
            total_y += b != 0
    return signs / np.sqrt(total_x * total_y)


@given(arrays(np.float64, (9, 3), elements=st.integers(0, 5).map(float)))
@settings(deadline=None, max_examples=50)
def test_every_pair_is_counted(values):
    values[0], values[1] = -1.0, 9.0
    tau = kendall_tau(values)
    for i in range(3):
        for j in range(3):
            assert np.isclose(tau[i, j], naive(values[:, i], values[:, j]))


@given(st.floats(-0.999, 0.999))
@settings(deadline=None, max_examples=50)
def test_correlation_and_tau_lead_to_each_other(correlation):
    tau = tau_of_correlation(np.array(correlation))
    assert np.isclose(correlation_of_tau(tau), correlation)
    assert np.isclose(tau_of_correlation(np.array(0.5)), 1.0 / 3.0)
