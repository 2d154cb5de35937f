import numpy as np
import pytest

from trading.strategies.hysteresis import next_side

LONG, FLAT, SHORT = 1.0, 0.0, -1.0


@pytest.mark.parametrize(
    ("side", "score", "expected"),
    [
        (FLAT, -1.9, FLAT),
        (FLAT, -2.0, LONG),
        (FLAT, 2.0, SHORT),
        (LONG, -0.6, LONG),
        (LONG, -0.5, FLAT),
        (LONG, 1.0, FLAT),
        (LONG, 2.5, SHORT),
        (SHORT, 0.6, SHORT),
        (SHORT, 0.5, FLAT),
        (SHORT, -3.0, LONG),
        (LONG, np.nan, FLAT),
        (SHORT, np.nan, FLAT),
        (FLAT, np.nan, FLAT),
    ],
)
def test_side_after_one_bar(side: float, score: float, expected: float) -> None:
    assert next_side(np.array([side]), np.array([score]), 2.0, 0.5)[0] == expected
