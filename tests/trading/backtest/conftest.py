from collections.abc import Callable, Sequence

import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

DAY = 86_400_000_000_000
MakeBars = Callable[..., Bars]


@pytest.fixture(scope="session")
def make_bars() -> MakeBars:
    """Daily bars of one or more instruments from lists of closes (and opens, highs, lows, volumes)."""

    def make(
        closes: Sequence[object],
        *,
        opens: Sequence[object] | None = None,
        highs: Sequence[object] | None = None,
        lows: Sequence[object] | None = None,
        volumes: Sequence[object] | None = None,
    ) -> Bars:
        def column(values: Sequence[object] | None, otherwise: np.ndarray) -> np.ndarray:
            if values is None:
                return otherwise
            array = np.array(values, dtype=float)
            return array[:, None] if array.ndim == 1 else array

        close = column(closes, np.zeros(0))
        open_ = column(opens, close)
        names = tuple(InstrumentId(f"S{i}.XNAS") for i in range(close.shape[1]))
        return Bars(
            DAY * np.arange(len(close)),
            names,
            close,
            open_,
            column(highs, np.fmax(open_, close)),
            column(lows, np.fmin(open_, close)),
            column(volumes, np.zeros(close.shape)),
        )

    return make
