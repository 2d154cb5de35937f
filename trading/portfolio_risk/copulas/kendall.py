"""Kendall's tau: how much more often two assets move the same way than not."""

import numpy as np

from trading.indicators.rolling import FloatArray


def kendall_tau(values: FloatArray) -> FloatArray:
    """Return Kendall's tau-b (asset, asset) of values (time, asset), each of which moves.

    Kendall (1945), "The Treatment of Ties in Ranking Problems", Biometrika 33.
    """
    from scipy.stats import kendalltau

    assets = values.shape[1]
    tau = np.eye(assets)
    for i in range(assets):
        for j in range(i):
            tau[i, j] = tau[j, i] = kendalltau(values[:, i], values[:, j]).statistic
    return tau


def correlation_of_tau(tau: FloatArray) -> FloatArray:
    """Return the correlation of an elliptical copula with this Kendall's tau.

    Lindskog, McNeil and Schmock (2003), "Kendall's Tau for Elliptical Distributions".
    """
    return np.asarray(np.sin(0.5 * np.pi * tau), dtype=np.float64)


def tau_of_correlation(correlation: FloatArray) -> FloatArray:
    """Return Kendall's tau of an elliptical copula with this correlation."""
    return np.asarray(2.0 / np.pi * np.arcsin(correlation), dtype=np.float64)
