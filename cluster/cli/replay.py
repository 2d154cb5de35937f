"""`trader replay`: a simulated run by seed, or the account as it was at one moment."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from actors.simulation.simulation import SimulationReport


def replay(
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Simulate with the faults of this seed.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="Days of a simulated run.")] = 40,
    until: Annotated[
        int | None,
        typer.Option("--until", min=0, metavar="SEQ", help="Show the account at this sequence."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Repeat a simulated run (--seed), or look at the account as it was (--until)."""
    from trading.errors import UsageError

    if (seed is None) == (until is None):
        raise UsageError("give either --seed N (simulate) or --until SEQ (look back).")
    if seed is not None:
        _simulate(seed, days, as_json=as_json)
    elif until is not None:
        _look_back(config, until, as_json=as_json, quiet=quiet)


def _simulate(seed: int, days: int, *, as_json: bool) -> None:
    from actors.simulation import simulation
    from cluster.cli.output import print_json

    report = simulation.replay_seed(seed, days)
    if as_json:
        print_json(report)
    else:
        _print_simulation(report, days)
    raise typer.Exit(ExitCode.OK if report.is_clean else ExitCode.FAILED)


def _print_simulation(report: "SimulationReport", days: int) -> None:
    from cluster.cli.output import print_facts

    found = report.comparison
    print_facts(
        {
            "seed": f"{report.seed} ({report.profile} faults, {days} days)",
            "crashes": report.crashes,
            "orders": report.orders,
            "fills": report.fills,
            "messages": report.events,
            "duplicates": found.duplicates,
            "lost": found.lost,
            "position difference": found.position_difference,
            "cash difference": found.cash_difference,
            "state": report.state_hash,
        }
    )
    if report.is_clean:
        typer.echo("Every promise held.")
        return
    typer.echo("What happened:")
    for line in report.story:
        typer.echo(f"  {line}")
    typer.echo("Broken promises:")
    for problem in report.problems:
        typer.echo(f"  {problem}")


def _look_back(path: "Path | None", until: int, *, as_json: bool, quiet: bool) -> None:
    from cluster.cli.account import rows_of_journal
    from cluster.cli.folders import config_of_newest_journal
    from cluster.cli.output import note, print_facts, print_json
    from cluster.cli.tables import print_orders, print_positions
    from cluster.cli.wording import money
    from cluster.logs import without_password
    from trading.errors import UsageError

    settings = config_of(path)
    stored = config_of_newest_journal(settings)
    if stored is None:
        raise UsageError("there is no journal yet; `trader run` or `trader up` makes one.")
    note(f"Reading {without_password(stored.cluster.journal)}.", quiet=quiet)
    rows = rows_of_journal(stored, until)
    if as_json:
        print_json(
            {
                "sequence": rows.sequence,
                "cash": rows.cash,
                "orders": rows.orders,
                "positions": rows.positions,
            }
        )
        return
    print_facts({"sequence": rows.sequence, "cash": money(rows.cash), "orders": len(rows.orders)})
    if rows.positions:
        typer.echo("\nPositions\n")
        print_positions(rows.positions)
    if rows.orders:
        typer.echo("\nOrders, newest first\n")
        print_orders(rows.orders)
