"""What a compiled loop asks of its arrays: it checks no bounds itself."""

import numpy as np

from trading.indicators.rolling import FloatArray


def is_numpy(values: object) -> bool:
    """Say whether compiled loops can take `values`."""
    return isinstance(values, np.ndarray)


def columns(values: FloatArray) -> FloatArray:
    """Return (time, instrument) in one memory layout, so that one machine code serves all.

    Raises
    ------
    ValueError
        When the array has not two dimensions.
    """
    if values.ndim != 2:
        raise ValueError(f"values must be (time, instrument), got the shape {values.shape}")
    return np.ascontiguousarray(values, dtype=np.float64)


def require_same_shape(first: FloatArray, *others: FloatArray) -> None:
    """Check that arrays that are walked through together are equally large.

    Raises
    ------
    ValueError
        Naming two shapes.
    """
    for each in others:
        if each.shape != first.shape:
            raise ValueError(f"arrays must have one shape, got {first.shape} and {each.shape}")
