"""What is held, and how far it follows each factor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_exposures
from trading.stress.factors import unit_of

EQUITY_MARKET = "equity.us"
CRYPTO_MARKET = "crypto.btc"


class AssetClass(StrEnum):
    EQUITY = "equity"
    BOND = "bond"
    COMMODITY = "commodity"
    CURRENCY = "currency"
    CRYPTO = "crypto"
    CASH = "cash"


_EXAMPLES = {
    AssetClass.BOND: "rates.us_10y with minus its duration in years",
    AssetClass.COMMODITY: "commodity.gold with 1",
    AssetClass.CURRENCY: "fx.eur with 1",
}


@dataclass(frozen=True, slots=True)
class Holding:
    """One position.

    Attributes
    ----------
    name : str
        Instrument.
    value : float
        Signed market value (money).
    sector : str
        Of an equity; `Information Technology` and `information_technology` are the same. Empty if not known.
    betas : mapping of str to float
        Return of the instrument per move of 1.00 of the factor: the market beta of a stock; minus the duration
        (years) of a bond to `rates.`, minus its spread duration to `credit.`; of an option, vega per 1.00 of
        volatility over its value to `volatility.`. What is not given is 1 for the factors of `all_betas`.
    """

    name: str
    value: float
    asset_class: AssetClass = AssetClass.EQUITY
    sector: str = ""
    betas: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isfinite(self.value):
            raise DataError(f"{self.name}: the value is {self.value}.")
        for factor, beta in self.betas.items():
            unit_of(factor)
            if not isfinite(beta):
                raise DataError(f"{self.name}: the beta to {factor} is {beta}.")


def all_betas(holding: Holding) -> dict[str, float]:
    """Return the betas given and those assumed.

    An equity without a beta to any `equity.` factor moves one for one with `equity.us`, and one for one with
    its sector's difference to the market, where it has one. A crypto asset without a beta to any `crypto.`
    factor moves one for one with `crypto.btc`. Cash does not move. For others there is no fair assumption.

    Raises
    ------
    UsageError
        If a bond, a commodity or a currency comes without any beta.
    """
    betas = dict(holding.betas)
    if holding.asset_class is AssetClass.EQUITY:
        _assume(betas, EQUITY_MARKET)
        if holding.sector:
            _assume(betas, f"sector.{holding.sector.strip().lower().replace(' ', '_')}")
    elif holding.asset_class is AssetClass.CRYPTO:
        _assume(betas, CRYPTO_MARKET)
    elif holding.asset_class is not AssetClass.CASH and not betas:
        raise UsageError(
            f"{holding.name} is a {holding.asset_class} without betas; "
            f"give it some, such as {_EXAMPLES[holding.asset_class]}."
        )
    return betas


def equity_holdings(
    names: Sequence[str],
    values: FloatArray,
    market_betas: FloatArray | None = None,
    sectors: Mapping[str, str] | None = None,
) -> tuple[Holding, ...]:
    """Return stocks as holdings.

    Parameters
    ----------
    values : (asset,)
        Signed market values (money).
    market_betas : (asset,), optional
        To `equity.us`, for example of `trading.stress.market_beta`; 1 without.
    sectors : mapping of str to str, optional
        By name, where known.

    Raises
    ------
    DataError
        If there is not one finite value and beta for each name.
    """
    require_exposures(values, names)
    if market_betas is not None and market_betas.shape != values.shape:
        raise DataError(f"market betas have shape {market_betas.shape}, must be ({len(names)},).")
    sectors = sectors or {}
    return tuple(
        Holding(
            name,
            float(values[column]),
            sector=sectors.get(name, ""),
            betas={} if market_betas is None else {EQUITY_MARKET: float(market_betas[column])},
        )
        for column, name in enumerate(names)
    )


def _assume(betas: dict[str, float], factor: str) -> None:
    family = factor.partition(".")[0]
    if not any(known.startswith(f"{family}.") for known in betas):
        betas[factor] = 1.0
