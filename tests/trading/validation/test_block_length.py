import math

import numpy as np
import pytest

from trading.validation.block_length import BlockLength, optimal_block_length


def wave(count: int, memory: float) -> np.ndarray:
    """A series without a generator behind it, so that its figures never change."""
    values = np.zeros(count)
    for row in range(1, count):
        values[row] = memory * values[row - 1] + math.sin(row * row)
    return values


@pytest.mark.parametrize(
    ("count", "memory", "stationary", "circular"),
    [
        (2000, 0.0, 2.317781154796284, 2.653197099017015),
        (5000, 0.95, 86.04685117917425, 98.49905607166774),
    ],
)
def test_lengths_equal_those_of_arch(
    count: int, memory: float, stationary: float, circular: float
) -> None:
    # arch 8.0.0, optimal_block_length. It takes the first small lag where the paper takes the one
    # before; these series are such that both take the same.
    found = optimal_block_length(wave(count, memory))
    assert found.stationary == pytest.approx(stationary)
    assert found.circular == pytest.approx(circular)


@pytest.mark.parametrize("memory", [0.3, 0.6])
def test_length_of_an_autoregression_is_the_known_one(memory: float) -> None:
    # AR(1): G / g(0) = 2 f / (1 - f^2), hence b = (2 f / (1 - f^2))^(2/3) n^(1/3): Politis and White
    # (2004), section 3
    count, found = 20_000, []
    for seed in range(12):
        noise = np.random.default_rng(seed).normal(size=count)
        values = np.zeros(count)
        for row in range(1, count):
            values[row] = memory * values[row - 1] + noise[row]
        found.append(optimal_block_length(values).stationary)
    expected = (2 * memory / (1 - memory**2)) ** (2 / 3) * count ** (1 / 3)
    assert np.median(found) == pytest.approx(expected, rel=0.15)


def test_length_by_a_loop() -> None:
    values = wave(300, -0.4)
    count, mean = values.size, values.mean()

    def covariance(lag: int) -> float:
        return sum((values[t] - mean) * (values[t - lag] - mean) for t in range(lag, count)) / count

    bound = 2 * math.sqrt(math.log10(count) / count)
    small = [abs(covariance(lag) / covariance(0)) < bound for lag in range(1, 24)]
    last = next(lag for lag in range(18) if all(small[lag : lag + 5]))
    width = 2 * max(last, 1)
    weight = {k: min(1.0, 2 * (1 - abs(k) / width)) for k in range(-width, width + 1)}
    slope = sum(weight[k] * abs(k) * covariance(abs(k)) for k in weight)
    spectrum = sum(weight[k] * covariance(abs(k)) for k in weight)
    found = optimal_block_length(values)
    cube = 2 * slope**2 / (2 * spectrum**2) * count
    assert found.stationary == pytest.approx(cube ** (1 / 3))
    assert found.circular == pytest.approx((1.5 * cube) ** (1 / 3))


@pytest.mark.parametrize("values", [[], [0.1], [0.1] * 50, [0.1, -0.2, 0.3]])
def test_nothing_to_measure_makes_blocks_of_one(values: list[float]) -> None:
    assert optimal_block_length(np.array(values)) == BlockLength(1.0, 1.0)


def test_a_length_stays_within_the_history() -> None:
    found = optimal_block_length(np.arange(40.0))
    assert 1 <= found.stationary <= 40 / 3 + 1
    assert 1 <= found.circular <= 40 / 3 + 1
