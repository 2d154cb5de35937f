"""The terms of options as arrays of one shape, checked."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trading.errors import DataError
from trading.indicators.rolling import FloatArray

BoolArray: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = float | FloatArray
"""A number, or an array; several of them are broadcast against each other."""


class OptionTerms(NamedTuple):
    """Options and their market, all of one shape.

    Attributes
    ----------
    spot, strike : array
        Money per unit of the underlying (> 0).
    years : array
        Time to expiry (years, >= 0).
    rate, dividend_yield : array
        Continuously compounded, fraction per year.
    volatility : array
        Of the log price, fraction per square root of a year (>= 0).
    is_call : array of bool
        False is a put.
    """

    spot: FloatArray
    strike: FloatArray
    years: FloatArray
    rate: FloatArray
    volatility: FloatArray
    dividend_yield: FloatArray
    is_call: BoolArray

    @property
    def sign(self) -> FloatArray:
        """1 for a call, -1 for a put."""
        return np.where(self.is_call, 1.0, -1.0)

    def as_column(self) -> "OptionTerms":
        """Return the same options below each other: (option, 1)."""
        numbers = {name: getattr(self, name).reshape(-1, 1) for name in self._fields}
        return OptionTerms(**numbers)

    @property
    def spot_now(self) -> FloatArray:
        """Today's value of one unit of the underlying at expiry."""
        value: FloatArray = self.spot * np.exp(-self.dividend_yield * self.years)
        return value

    @property
    def strike_now(self) -> FloatArray:
        """Today's value of the strike, paid at expiry."""
        value: FloatArray = self.strike * np.exp(-self.rate * self.years)
        return value


def option_terms(
    spot: Numbers,
    strike: Numbers,
    years: Numbers,
    rate: Numbers,
    volatility: Numbers,
    dividend_yield: Numbers,
    is_call: bool | BoolArray,
) -> OptionTerms:
    """Return the terms, broadcast to one shape.

    Raises
    ------
    DataError
        If the shapes do not fit, a number is not finite, a price is not positive, or a time or a
        volatility is negative.
    """
    given = (spot, strike, years, rate, volatility, dividend_yield)
    arrays: list[NDArray[Any]] = [np.asarray(each, dtype=np.float64) for each in given]
    arrays.append(np.asarray(is_call, dtype=np.bool_))
    try:
        terms = OptionTerms(*np.broadcast_arrays(*arrays))
    except ValueError as error:
        raise DataError(f"The option's terms have shapes that do not fit: {error}.") from error
    _require_usable(terms)
    return terms


def _require_usable(terms: OptionTerms) -> None:
    for name in ("spot", "strike"):
        _require(name, getattr(terms, name), getattr(terms, name) > 0.0, "a positive number")
    for name in ("years", "volatility"):
        _require(name, getattr(terms, name), getattr(terms, name) >= 0.0, "a number, 0 or more")
    for name in OptionTerms._fields[:-1]:
        _require(name, getattr(terms, name), np.isfinite(getattr(terms, name)), "a finite number")


def _require(name: str, values: FloatArray, is_good: BoolArray, wanted: str) -> None:
    if not is_good.all():
        place = tuple(np.argwhere(~is_good)[0].tolist())
        where = f" at {list(place)}" if place else ""
        raise DataError(f"The option's {name}{where} is {values[place]}, must be {wanted}.")
