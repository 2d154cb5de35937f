"""What moves a price: any pricing function, any of its parameters, by central differences or along a ladder.

slope_and_curvature(black_scholes_price, terms, "volatility", 1e-3).slope   # vega
ladder(value_of_book, market, "spot", (-0.2, -0.1, 0.1, 0.2), is_relative=True)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray

Pricing: TypeAlias = Callable[..., Any]
"""Called with the parameters by name; returns money: a number or an array."""


@dataclass(frozen=True, slots=True, eq=False)
class Bump:
    """How a price changes with one parameter.

    Attributes
    ----------
    slope : array
        Money per 1.00 of the parameter.
    curvature : array
        Money per 1.00 of the parameter squared (second derivative).
    """

    slope: FloatArray
    curvature: FloatArray


def slope_and_curvature(
    price: Pricing, parameters: Mapping[str, Any], name: str, size: float
) -> Bump:
    """Return first and second derivative by one parameter, by central differences.

    The error falls with the square of `size`; rounding grows as it shrinks. A size of about 1e-3 of the
    parameter suits the slope of a smooth price, 1e-2 a tree's or a simulation's with fixed random numbers.

    Parameters
    ----------
    parameters : mapping
        Every argument of `price` by name.
    name : str
        The parameter to bump.
    size : float
        How far, in its own unit (> 0).

    Raises
    ------
    UsageError
        If there is no such parameter or the size is not positive.
    DataError
        If the price is not finite at one of the three points.
    """
    if not (np.isfinite(size) and size > 0.0):
        raise UsageError(f"The bump of {name} must be a positive number, got {size}.")
    below, middle, above = (
        _priced(price, parameters, name, shift, is_relative=False) for shift in (-size, 0.0, size)
    )
    return Bump((above - below) / (2.0 * size), (above - 2.0 * middle + below) / size**2)


def ladder(
    price: Pricing,
    parameters: Mapping[str, Any],
    name: str,
    shifts: Sequence[float],
    *,
    is_relative: bool = False,
) -> FloatArray:
    """Return the gain (money, losses negative) under each shift of one parameter, fully repriced.

    Parameters
    ----------
    shifts : sequence of float
        Added to the parameter; as fractions of it if `is_relative`.

    Returns
    -------
    (shift, ...)
        In the order of `shifts`, then in the shape of the price.

    Raises
    ------
    UsageError
        If there is no such parameter or no shift.
    DataError
        If the price is not finite now or under a shift.
    """
    if not len(shifts):
        raise UsageError(f"A ladder of {name} needs at least one shift.")
    now = _priced(price, parameters, name, 0.0, is_relative=False)
    return np.stack(
        [_priced(price, parameters, name, each, is_relative=is_relative) - now for each in shifts]
    )


def _priced(
    price: Pricing, parameters: Mapping[str, Any], name: str, shift: float, *, is_relative: bool
) -> FloatArray:
    if name not in parameters:
        known = ", ".join(parameters)
        raise UsageError(f"There is no parameter {name!r} to bump; known are: {known}.")
    value = np.asarray(parameters[name], dtype=np.float64)
    moved = value * (1.0 + shift) if is_relative else value + shift
    result = np.asarray(price(**{**parameters, name: moved[()]}), dtype=np.float64)
    if not np.isfinite(result).all():
        raise DataError(
            f"The price is not finite when {name} moves by {shift}; take a smaller step."
        )
    return result
