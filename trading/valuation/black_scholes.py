"""European options by Black, Scholes and Merton: price and sensitivities in closed form.

Source: Merton (1973), "Theory of Rational Option Pricing", Bell Journal of Economics 4; the formulas
as in Hull, "Options, Futures, and Other Derivatives", 11th edition, chapters 17 and 19.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from trading.indicators.rolling import FloatArray
from trading.valuation.option_terms import BoolArray, Numbers, OptionTerms, option_terms

DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True, eq=False)
class Greeks:
    """Price of one option on one unit of the underlying, and what moves it. All arrays of one shape.

    Attributes
    ----------
    price : array
        Money.
    delta : array
        Change of the price per 1.00 of money in the spot.
    gamma : array
        Change of delta per 1.00 of money in the spot.
    vega : array
        Change of the price per 1.00 of volatility (from 20 % to 120 %); a hundredth of it per point.
    theta : array
        Change of the price per year that passes, all else the same.
    rho : array
        Change of the price per 1.00 of the rate (from 5 % to 105 %); 1/10,000 of it per basis point.
    """

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray

    @property
    def theta_per_day(self) -> FloatArray:
        """Change of the price per calendar day that passes (a 365th of theta)."""
        return self.theta / DAYS_PER_YEAR


def black_scholes_price(
    spot: Numbers,
    strike: Numbers,
    years: Numbers,
    rate: Numbers,
    volatility: Numbers,
    dividend_yield: Numbers = 0.0,
    is_call: bool | BoolArray = True,
) -> FloatArray:
    """Return the price of European options (money per unit of the underlying).

    Arguments broadcast; for their units see `OptionTerms`. At expiry, or without volatility, the price is
    that of a certain outcome.

    Raises
    ------
    DataError
        If a term is not usable, see `option_terms`.
    """
    terms = option_terms(spot, strike, years, rate, volatility, dividend_yield, is_call)
    return price_and_vega(terms)[0]


def black_scholes_greeks(
    spot: Numbers,
    strike: Numbers,
    years: Numbers,
    rate: Numbers,
    volatility: Numbers,
    dividend_yield: Numbers = 0.0,
    is_call: bool | BoolArray = True,
) -> Greeks:
    """Return price, delta, gamma, vega, theta and rho of European options; units in `Greeks`.

    Exactly at the money at expiry gamma is infinite and theta minus infinity: the limits.

    Raises
    ------
    DataError
        If a term is not usable, see `option_terms`.
    """
    terms = option_terms(spot, strike, years, rate, volatility, dividend_yield, is_call)
    d1, d2 = distances(terms)
    sign, root, density = terms.sign, np.sqrt(terms.years), _density(d1)
    price, vega = price_and_vega(terms)
    asset, cash = terms.spot_now * ndtr(sign * d1), terms.strike_now * ndtr(sign * d2)
    spread = density * terms.volatility
    decay = 0.5 * terms.spot_now * _ratio(spread, root, spread)
    return Greeks(
        price=price,
        delta=sign * asset / terms.spot,
        gamma=terms.spot_now / terms.spot**2 * _ratio(density, terms.volatility * root, density),
        vega=vega,
        theta=sign * (terms.dividend_yield * asset - terms.rate * cash) - decay,
        rho=sign * terms.years * cash,
    )


def price_and_vega(terms: OptionTerms) -> tuple[FloatArray, FloatArray]:
    """Return price and vega of European options whose terms are checked already."""
    d1, d2 = distances(terms)
    sign = terms.sign
    price = sign * (terms.spot_now * ndtr(sign * d1) - terms.strike_now * ndtr(sign * d2))
    return np.maximum(price, 0.0), terms.spot_now * _density(d1) * np.sqrt(terms.years)


def distances(terms: OptionTerms) -> tuple[FloatArray, FloatArray]:
    """Return d1 and d2: how far the forward is from the strike, in deviations; 0 / 0 counts as 0."""
    deviation = terms.volatility * np.sqrt(terms.years)
    moneyness = np.log(terms.spot_now / terms.strike_now)
    distance = _ratio(moneyness, deviation, moneyness)
    return distance + 0.5 * deviation, distance - 0.5 * deviation


def _density(distance: FloatArray) -> FloatArray:
    """Density of the standard normal distribution."""
    with np.errstate(over="ignore"):
        density: FloatArray = np.exp(-0.5 * distance * distance) / np.sqrt(2.0 * np.pi)
    return density


def _ratio(numerator: FloatArray, denominator: FloatArray, decisive: FloatArray) -> FloatArray:
    """Numerator / denominator; 0 wherever `decisive` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(decisive == 0.0, 0.0, numerator / denominator)
