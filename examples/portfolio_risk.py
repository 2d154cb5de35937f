"""The risk of a portfolio: what it can lose by several methods, which position that comes from, and what a crisis would do.

    python -m examples.portfolio_risk

The whole report, as a page: `trader risk report --positions held.csv --cash 5000`.
"""

from actors.feeds.sources import SP500, load_prices
from trading.identifiers import instrument_id
from trading.portfolio_risk.contributions import scenario_contributions
from trading.portfolio_risk.portfolio_losses import window_returns
from tune.risk.measures import METHODS
from tune.risk.portfolio import Portfolio, portfolio_of
from tune.risk.stress import every_scenario

HELD = {"AAPL": 200, "JPM": 150, "XOM": -100, "JNJ": 120}
"""Units; a negative number is a short position."""
SECTORS = {"AAPL": "technology", "JPM": "financials", "XOM": "energy", "JNJ": "health care"}
LEVEL = 0.99
SEED = 7


def portfolio(held: dict[str, int], cash: float) -> Portfolio:
    """Return the positions at the last prices of the shipped data."""
    units = {instrument_id(symbol, "XNAS"): float(count) for symbol, count in held.items()}
    return portfolio_of(units, cash, load_prices(SP500, ()))


def main() -> None:
    held = portfolio(HELD, cash=5_000.0)
    print(f"Equity {held.equity:,.0f}, of one day the loss that 99 of 100 days stay below:")
    for name in ("historical", "normal", "filtered-historical", "monte-carlo-student"):
        said = METHODS[name](held, 1, SEED)(LEVEL)
        low, high = said.interval
        print(
            f"  {said.method:24}{said.value_at_risk:9,.0f}   ({low:,.0f} to {high:,.0f});"
            f" beyond it {said.expected_shortfall:,.0f} on average"
        )
    print("\nWhere it comes from (adds up to the historical figure):")
    windows = window_returns(held.returns, 1)
    shares = scenario_contributions(windows, held.exposures, held.names, LEVEL)
    for asset, part in zip(held.names, shares.value_at_risk.component, strict=True):
        print(f"  {asset:24}{part:9,.0f}")
    print("\nWhat crises would do:")
    for row in sorted(every_scenario(held, SECTORS), key=lambda each: each.profit)[:4]:
        print(f"  {row.title:58}{row.profit:10,.0f}, worst {row.worst}")


if __name__ == "__main__":
    main()
