"""The volatility at which Black-Scholes gives a price that was seen in the market."""

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.valuation.black_scholes import price_and_vega
from trading.valuation.option_terms import BoolArray, Numbers, OptionTerms, option_terms

_STEPS_MAX = 200
_TOLERANCE = 1e-12
"""Of the last step, relative to the volatility."""
_DEVIATION_MAX = 100.0
"""A deviation of the log price at expiry with which every option is worth its ceiling."""
_NOISE = 8.0 * np.finfo(float).eps
"""A time value below this fraction of spot and strike is rounding."""


def implied_volatility(
    price: Numbers,
    spot: Numbers,
    strike: Numbers,
    years: Numbers,
    rate: Numbers,
    dividend_yield: Numbers = 0.0,
    is_call: bool | BoolArray = True,
) -> FloatArray:
    """Return the volatility (fraction per square root of a year) that explains the price of European options.

    Arguments broadcast; for their units see `OptionTerms`. The time value is explained by the option that is
    out of the money (put-call parity), which keeps the digits that an option deep in the money loses. The
    search is Newton's on the logarithm of the price, held in a bracket that shrinks at every step.

    Parameters
    ----------
    price : array
        Money per unit of the underlying.

    Raises
    ------
    DataError
        If a term is not usable (see `option_terms`), an option has expired, or no volatility gives the
        price: it lies at or below what a certain outcome is worth, or at or above the underlying (call) or
        the discounted strike (put).
    """
    prices = np.asarray(price, dtype=np.float64)
    terms = option_terms(spot, strike, years, rate, np.zeros(prices.shape), dividend_yield, is_call)
    prices = np.broadcast_to(prices, terms.spot.shape)
    certain = np.maximum(terms.sign * (terms.spot_now - terms.strike_now), 0.0)
    ceiling = np.where(terms.is_call, terms.spot_now, terms.strike_now)
    noise = _NOISE * np.maximum(terms.spot_now, terms.strike_now)
    is_found = (prices > certain + noise * (certain > 0.0)) & (prices < ceiling)
    _require_solution(is_found & (terms.years > 0.0), prices, certain, ceiling, terms)
    outside = terms._replace(is_call=terms.spot_now < terms.strike_now)
    return _solve(prices - certain, outside)


def _solve(target: FloatArray, terms: OptionTerms) -> FloatArray:
    """Volatility of options out of the money whose price `target` is above 0 and below the ceiling."""
    low, high = np.zeros(target.shape), _DEVIATION_MAX / np.sqrt(terms.years)
    volatility = np.sqrt(2.0 * np.abs(np.log(terms.spot_now / terms.strike_now)) / terms.years)
    volatility = np.where((volatility > 0.0) & (volatility < high), volatility, 0.5 * high)
    for _ in range(_STEPS_MAX):
        excess, slope = _log_excess(target, terms._replace(volatility=volatility))
        is_low = excess < 0.0
        low, high = np.where(is_low, volatility, low), np.where(is_low, high, volatility)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = volatility - excess / slope
        is_inside = (newton >= low) & (newton <= high)
        guess = np.where(is_inside, newton, 0.5 * (low + high))
        is_done = np.abs(guess - volatility) <= _TOLERANCE * guess
        volatility = guess
        if is_done.all():
            break
    return volatility


def _log_excess(target: FloatArray, terms: OptionTerms) -> tuple[FloatArray, FloatArray]:
    """log(price / target) and its slope in the volatility; minus infinity where the price underflows."""
    price, vega = price_and_vega(terms)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(price) - np.log(target), vega / price


def _require_solution(
    is_found: BoolArray,
    price: FloatArray,
    certain: FloatArray,
    ceiling: FloatArray,
    terms: OptionTerms,
) -> None:
    if is_found.all():
        return
    place = tuple(np.argwhere(~is_found)[0].tolist())
    where = f" at {list(place)}" if place else ""
    if terms.years[place] == 0.0:
        raise DataError(f"The option{where} has expired: its price says nothing of volatility.")
    raise DataError(
        f"No volatility gives the price {price[place]}{where}: it must lie above {certain[place]} (what the "
        f"option is worth without volatility) and below {ceiling[place]}."
    )
