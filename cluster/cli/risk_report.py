"""`trader risk report`: value at risk by every method, what drives it, stress, limits; a table and a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.risk_inputs import AsOfOption, CashOption, DataOption, PositionsOption

if TYPE_CHECKING:
    from tune.risk.dependence import Dependence
    from tune.risk.measures import Measures
    from tune.risk.portfolio import Portfolio
    from tune.risk.stress import StressRow

SEED = 20_261_121
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the simulations.")]


def report(
    *,
    positions: PositionsOption = None,
    cash: CashOption = 0.0,
    data: DataOption = "",
    as_of: AsOfOption = "",
    confidence: Annotated[
        list[float] | None,
        typer.Option("--confidence", metavar="LEVEL", help="Repeat for more; 0.95 and 0.99."),
    ] = None,
    horizon: Annotated[int, typer.Option("--horizon", metavar="BARS", help="Bars ahead.")] = 1,
    seed: SeedOption = SEED,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="The HTML page.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the account's positions: VaR and CVaR by eight methods, drivers, judged methods, stress.

    A higher confidence never has a smaller loss: VaR 99 % is at least VaR 95 %.
    """
    from cluster.cli.meter import meter
    from cluster.cli.output import note, print_json, print_table
    from cluster.cli.risk_inputs import portfolio as portfolio_of
    from cluster.cli.risk_limits import measured_rows
    from tune.risk.dependence import dependence_of
    from tune.risk.measures import METHODS, measure
    from tune.risk.report import LIMIT_HEADINGS, as_plain, write_report
    from tune.risk.stress import every_scenario

    settings = config_of(config)
    held = portfolio_of(settings, positions, cash, data, as_of)
    levels = tuple(sorted(set(confidence or (0.95, 0.99))))
    with meter("Methods", len(METHODS), plain=as_json, quiet=quiet) as show:
        measures = measure(held, levels, horizon, seed, show)
    stress = every_scenario(held, settings.risk.sectors)
    together = dependence_of(held, seed)
    place = report or settings.cluster.state_dir / "risk" / "report.html"
    limits = [] if positions else measured_rows(settings)
    page = place.expanduser().absolute()
    written = write_report(page, held, measures, stress, together, limits)
    if as_json:
        print_json(as_plain(held, measures, stress, together))
        return
    _print(held, measures, stress, together)
    if limits:
        typer.echo()
        print_table(LIMIT_HEADINGS, limits)
    for text in measures.notes:
        note(text, quiet=quiet)
    note(f"Report: {written}", quiet=quiet)


def _print(
    held: "Portfolio",
    measures: "Measures",
    stress: "list[StressRow]",
    together: "Dependence | None",
) -> None:
    from cluster.cli.output import print_table
    from tune.risk import report as page

    print_table(page.MEASURE_HEADINGS, page.measure_rows(measures.estimates))
    typer.echo()
    print_table(page.DRIVER_HEADINGS, page.driver_rows(held, measures))
    if measures.judged:
        typer.echo()
        print_table(page.JUDGED_HEADINGS, page.judged_rows(measures))
    typer.echo()
    print_table(page.STRESS_HEADINGS, page.stress_rows(held, stress))
    if together is not None:
        typer.echo()
        typer.echo(f"Effective bets: {together.bets:.1f} of {len(held.names)}.")
        if together.alarm is not None and together.alarm.is_raised:
            typer.echo("The correlation of the last bars differs from that before.")
