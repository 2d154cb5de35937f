"""`trader slippage`: what orders cost against the price that they were decided on."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from cluster.config import Config
    from trading.slippage import SlippageGroup, SlippageReport


class By(StrEnum):
    """`trading.slippage.GroupBy`, without the time that its import takes."""

    STRATEGY = "strategy"
    VENUE = "venue"
    INSTRUMENT = "instrument"
    ALGORITHM = "algorithm"


def slippage(
    by: Annotated[
        By, typer.Option("--by", help="What the lines of the table have in common.")
    ] = By.ALGORITHM,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare what orders were filled at with the market at the moment they were decided on.

    Positive is a cost. The shortfall is what the market moved until the order left (delay) and what was paid
    over its middle then (spread); fees come on top. Read from the journal, running or not.
    """
    from cluster.cli.output import note, print_json
    from trading.slippage import GroupBy, summarize

    settings = config_of(config)
    report = report_of_journal(settings)
    rows = () if report is None else report.rows
    groups = summarize(rows, GroupBy(by))
    if as_json:
        unmeasured = 0 if report is None else report.unmeasured
        orders = [{**_fields(row), "shortfall_bps": round(row.shortfall_bps, 4)} for row in rows]
        print_json(
            {
                "by": by,
                "groups": [_fields(group) for group in groups],
                "orders": orders,
                "unmeasured": unmeasured,
            }
        )
        return
    if report is None or not (rows or report.unmeasured):
        typer.echo("There are no fills yet, so there is nothing to measure.")
        return
    if groups:
        _print(by, groups)
    if report.unmeasured:
        left_out = f"{report.unmeasured} orders have no arrival price and are left out."
        note(left_out, quiet=quiet)


def report_of_journal(config: "Config") -> "SlippageReport | None":
    """Measure all accounts of the journal that was written last; None when there is none.

    Raises
    ------
    JournalError
        If the journal cannot be used, or a record does not fit the chain.
    """
    from actors.journal.open import open_journal
    from cluster.cli.folders import config_of_newest_journal
    from cluster.journal_slippage import slippage_of

    stored = config_of_newest_journal(config)
    if stored is None:
        return None
    journal = open_journal(stored.cluster.journal)
    try:
        return slippage_of(journal)
    finally:
        journal.close()


def _fields(struct: Any) -> dict[str, Any]:
    """Return the fields of a struct; ratios with four decimals, money as it is."""
    fields = {name: getattr(struct, name) for name in struct.__struct_fields__}
    return {
        name: round(value, 4) if name.endswith(("_bps", "_s")) else value
        for name, value in fields.items()
    }


def _print(by: By, groups: Sequence["SlippageGroup"]) -> None:
    from cluster.cli.output import print_table
    from cluster.cli.wording import money, ratio, units

    print_table(
        (by, "orders", "value", "shortfall", "bps", "median", "p90", "worst", "delay cost",
         "spread cost", "fees", "currency", "first fill s"),
        [
            (
                g.name, g.orders, money(g.arrival_value), money(g.shortfall),
                units(round(g.shortfall_bps, 2)), units(round(g.median_bps, 2)),
                units(round(g.p90_bps, 2)), units(round(g.worst_bps, 2)), money(g.delay_cost),
                money(g.spread_cost), money(g.fees), g.currency, ratio(float(g.mean_delay_s)),
            )
            for g in groups
        ],
    )  # fmt: skip
