"""Bonds as cash flows: price, yield, duration, convexity and DV01, from a yield or from a zero curve.

Source of the formulas: Fabozzi, "Bond Markets, Analysis, and Strategies", 9th edition, chapters 2 to 5.
Prices are dirty: the value of everything that is still to come.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.valuation.zero_curve import ZeroCurve

BASIS_POINT = 1e-4
_ROUNDING = 1e-9
"""Width of the search for a yield that is known without one (a single payment)."""


@dataclass(frozen=True, slots=True, eq=False)
class CashFlows:
    """What is still to be paid.

    Attributes
    ----------
    years : (payment,)
        Time to each payment (years, > 0), rising.
    amounts : (payment,)
        Money.

    Raises
    ------
    DataError
        If there is no payment, the shapes differ, a number is not finite, or the times do not rise from
        above 0.
    """

    years: FloatArray
    amounts: FloatArray

    def __post_init__(self) -> None:
        if self.years.ndim != 1 or self.years.shape != self.amounts.shape or not self.years.size:
            raise DataError("Cash flows need one amount for each time, and at least one of them.")
        if not (np.isfinite(self.years).all() and np.isfinite(self.amounts).all()):
            raise DataError("Cash flows must be finite numbers.")
        if self.years[0] <= 0.0 or (np.diff(self.years) <= 0.0).any():
            raise DataError("The times of cash flows must lie in the future and rise.")


@dataclass(frozen=True, slots=True)
class BondMeasures:
    """What one bond is worth and how it moves with its yield.

    Attributes
    ----------
    price : float
        Money (dirty).
    bond_yield : float
        Fraction per year, compounded as asked.
    macaulay_duration : float
        Mean time of the payments, weighted by present value (years).
    modified_duration : float
        Relative fall of the price per 1.00 of yield (from 5 % to 105 %), to first order (years).
    convexity : float
        Second derivative of the price by the yield, relative to the price (years squared).
    dv01 : float
        Fall of the price per basis point (0.01 %) of yield, to first order; positive for a long bond.
    """

    price: float
    bond_yield: float
    macaulay_duration: float
    modified_duration: float
    convexity: float
    dv01: float


def fixed_rate_bond(
    face: float, coupon_rate: float, years: float, coupons_per_year: int = 2
) -> CashFlows:
    """Return the payments of a bond with equal coupons, counted back from its redemption.

    Parameters
    ----------
    face : float
        Redeemed at the end (money).
    coupon_rate : float
        Fraction of the face per year.
    years : float
        To redemption (> 0). A first period that has begun already pays its whole coupon.

    Raises
    ------
    UsageError
        If the time is not positive or there is less than one coupon per year.
    """
    if not years > 0.0 or coupons_per_year < 1:
        raise UsageError(
            f"A bond needs time to redemption and a coupon each year, got {years} years and "
            f"{coupons_per_year} coupons per year."
        )
    periods = int(np.ceil(years * coupons_per_year - 1e-9))
    times = years - np.arange(periods - 1, -1, -1) / coupons_per_year
    amounts = np.full(periods, face * coupon_rate / coupons_per_year)
    amounts[-1] += face
    return CashFlows(times, amounts)


def price_from_yield(flows: CashFlows, bond_yield: float, periods_per_year: int = 2) -> float:
    """Return the present value (money) at one yield for all payments.

    Parameters
    ----------
    bond_yield : float
        Fraction per year.
    periods_per_year : int
        How often it is compounded; 0 is continuously.

    Raises
    ------
    UsageError
        If the compounding is negative, or the yield takes everything in one period.
    """
    return float(flows.amounts @ _discounts(flows.years, bond_yield, periods_per_year))


def price_from_curve(flows: CashFlows, curve: ZeroCurve) -> float:
    """Return the present value (money) of each payment at the zero rate of its time."""
    return float(flows.amounts @ curve.discount(flows.years))


def yield_of_price(flows: CashFlows, price: float, periods_per_year: int = 2) -> float:
    """Return the yield (fraction per year) at which the payments are worth `price`.

    Raises
    ------
    UsageError
        If the compounding is negative.
    DataError
        If a payment is negative or none is positive (there may be several yields), or the price is not a
        positive number.
    """
    if (flows.amounts < 0.0).any() or not (flows.amounts > 0.0).any():
        raise DataError("A yield needs payments that are never negative, and one that is positive.")
    if not (np.isfinite(price) and price > 0.0):
        raise DataError(f"A bond's price must be a positive number, got {price}.")
    is_paid = flows.amounts > 0.0
    years, logs = flows.years[is_paid], np.log(flows.amounts[is_paid])
    low, high = sorted((logsumexp(logs) - np.log(price)) / years[[0, -1]])

    def excess(growth: float) -> float:
        return float(logsumexp(logs - growth * years) - np.log(price))

    growth = brentq(excess, low - _ROUNDING, high + _ROUNDING, xtol=1e-15, rtol=1e-14)
    return _from_continuous(growth, periods_per_year)


def bond_measures(flows: CashFlows, bond_yield: float, periods_per_year: int = 2) -> BondMeasures:
    """Return price, durations, convexity and DV01 at a yield.

    Parameters
    ----------
    bond_yield : float
        Fraction per year.
    periods_per_year : int
        How often it is compounded; 0 is continuously.

    Raises
    ------
    UsageError
        As `price_from_yield`.
    DataError
        If the price is 0: nothing is relative to it.
    """
    worth = flows.amounts * _discounts(flows.years, bond_yield, periods_per_year)
    price = float(worth.sum())
    if price == 0.0:
        raise DataError("A bond that is worth 0 has no duration.")
    period = 1.0 / periods_per_year if periods_per_year else 0.0
    growth = 1.0 + bond_yield * period
    fall = float(worth @ flows.years) / growth
    curvature = float(worth @ (flows.years * (flows.years + period))) / growth**2
    return BondMeasures(
        price=price,
        bond_yield=bond_yield,
        macaulay_duration=fall * growth / price,
        modified_duration=fall / price,
        convexity=curvature / price,
        dv01=fall * BASIS_POINT,
    )


def key_rate_dv01(flows: CashFlows, curve: ZeroCurve) -> FloatArray:
    """Return the fall of the price per basis point of each of the curve's rates: (knot,) money.

    To first order. Their sum is the DV01 of a parallel shift of the curve.
    """
    worth = flows.amounts * curve.discount(flows.years)
    falls: FloatArray = BASIS_POINT * (worth * flows.years) @ curve.knot_weights(flows.years)
    return falls


def _discounts(years: FloatArray, bond_yield: float, periods_per_year: int) -> FloatArray:
    _require_compounding(periods_per_year)
    if periods_per_year == 0:
        return np.exp(-bond_yield * years)
    growth = 1.0 + bond_yield / periods_per_year
    if not growth > 0.0:
        raise UsageError(f"A yield of {bond_yield} takes everything within one period.")
    discounts: FloatArray = growth ** (-periods_per_year * years)
    return discounts


def _from_continuous(growth: float, periods_per_year: int) -> float:
    """The yield of that compounding for a continuously compounded one."""
    _require_compounding(periods_per_year)
    if periods_per_year == 0:
        return growth
    return float(periods_per_year * np.expm1(growth / periods_per_year))


def _require_compounding(periods_per_year: int) -> None:
    if periods_per_year < 0:
        raise UsageError(f"A yield is compounded 0 or more times per year, got {periods_per_year}.")
