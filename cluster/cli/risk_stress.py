"""`trader risk stress`: what a scenario would lose, position by position; or which shock loses a given sum."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.risk_inputs import AsOfOption, CashOption, DataOption, PositionsOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trading.stress.replay import Replay
    from trading.stress.scenario_loss import ScenarioLoss
    from tune.risk.portfolio import Portfolio

BAR_CELLS = 30


def stress(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="[SCENARIO]", help="Name, beginning of a name, or a TOML file; none: all."
        ),
    ] = "",
    *,
    reverse: Annotated[
        float | None,
        typer.Option("--reverse", metavar="MONEY", help="Which shock would lose so much?"),
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Bars beside the table, and a page with the path.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="The page of --plot.")
    ] = None,
    positions: PositionsOption = None,
    cash: CashOption = 0.0,
    data: DataOption = "",
    as_of: AsOfOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what the positions of today would lose in a crisis of the past, or in one of your own.

    Factors move as in docs/stress.md; a stock follows the market with its beta. Where prices reach back so far,
    the positions are also put on the path of that time.
    """
    from actors.storage.scenario_files import find_scenario
    from cluster.cli.risk_inputs import portfolio as portfolio_of
    from trading.errors import UsageError
    from tune.risk.stress import one_scenario, replayed

    settings = config_of(config)
    if scenario and reverse is not None:
        raise UsageError("SCENARIO and --reverse exclude each other.")
    chosen = find_scenario(scenario) if scenario else None
    held = portfolio_of(settings, positions, cash, data, as_of)
    if reverse is not None:
        _reverse(held, reverse, as_json=as_json)
    elif chosen is None:
        _all(held, settings.risk.sectors, as_json=as_json)
    else:
        loss = one_scenario(held, chosen, settings.risk.sectors)
        past = replayed(held, chosen)
        _one(held, loss, past, chosen.title, plot=plot, as_json=as_json)
        if plot:
            place = report or settings.cluster.state_dir / "risk" / f"{chosen.name}.html"
            _page(held, loss, past, chosen.title, place, quiet=quiet)


def _all(held: "Portfolio", sectors: "Mapping[str, str]", *, as_json: bool) -> None:
    from cluster.cli.output import print_json, print_table
    from tune.risk.report import STRESS_HEADINGS, stress_rows
    from tune.risk.stress import every_scenario

    rows = every_scenario(held, sectors)
    if as_json:
        print_json({"equity": held.equity, "scenarios": rows})
    else:
        print_table(STRESS_HEADINGS, stress_rows(held, rows))


def _one(
    held: "Portfolio",
    loss: "ScenarioLoss",
    past: "Replay | None",
    title: str,
    *,
    plot: bool,
    as_json: bool,
) -> None:
    from cluster.cli.output import print_json, print_table
    from trading.identifiers import symbol_of
    from tune.risk.report import money

    lost, replay = loss.by_position, None if past is None else past.by_position
    order = sorted(range(len(held.names)), key=lambda i: -lost[i])
    if as_json:
        print_json(_plain(held, loss, past))
        return
    largest = max(abs(lost).max(), 1e-9)
    headings = ["position", "value", "profit", "at that time's prices"]
    rows = []
    for i in order:
        then = "-" if replay is None else money(-replay[i])
        row = [symbol_of(held.names[i]), money(held.exposures[i]), money(-lost[i]), then]
        if plot:
            row.append(("-" if lost[i] > 0 else "+") * round(BAR_CELLS * abs(lost[i]) / largest))
        rows.append(row)
    total = ["all", money(held.exposures.sum()), money(-loss.total)]
    rows.append([*total, "-" if past is None else money(-past.total), *([""] if plot else [])])
    typer.echo(f"{loss.scenario}: {title}")
    print_table([*headings, *(["loss -, profit +"] if plot else [])], rows)
    if past is not None:
        typer.echo(
            f"On the prices of that time the worst day was {past.worst_day} ({money(-past.worst_day_loss)}), "
            f"the deepest fall {money(-past.drawdown)} from {past.drawdown_start} to {past.drawdown_end}."
        )
    if loss.unmoved:
        typer.echo(f"The scenario says nothing of {', '.join(loss.unmoved)}.")


def _reverse(held: "Portfolio", loss: float, *, as_json: bool) -> None:
    from cluster.cli.output import print_json, print_table
    from trading.identifiers import symbol_of
    from tune.risk.report import money
    from tune.risk.stress import worst_way_to_lose

    found = worst_way_to_lose(held, loss)
    if as_json:
        moves = dict(zip(found.factors, found.moves.tolist(), strict=True))
        print_json(
            {
                "loss": found.loss,
                "moves": moves,
                "distance": found.distance,
                "probability": found.probability,
            }
        )
        return
    order = sorted(range(len(held.names)), key=lambda i: held.exposures[i] * found.moves[i])
    rows = [
        (
            symbol_of(held.names[i]),
            money(held.exposures[i]),
            f"{100 * found.moves[i]:+.2f} %",
            money(held.exposures[i] * found.moves[i]),
        )
        for i in order
    ]
    print_table(("position", "value", "move", "profit"), rows)
    typer.echo(
        f"The most probable way to lose {money(found.loss)} in one bar: {found.distance:.1f} standard deviations, "
        f"probability {found.probability:.2g} if moves were normal (real tails are fatter)."
    )


def _page(
    held: "Portfolio",
    loss: "ScenarioLoss",
    past: "Replay | None",
    title: str,
    place: Path,
    *,
    quiet: bool,
) -> None:
    from cluster.cli.output import note
    from tune.risk.stress_page import write_stress_page

    written = write_stress_page(place.expanduser().absolute(), held, loss, past, title)
    note(f"Report: {written}", quiet=quiet)


def _plain(held: "Portfolio", loss: "ScenarioLoss", past: "Replay | None") -> dict[str, object]:
    return {
        "scenario": loss.scenario,
        "profit": -loss.total,
        "replayed_profit": None if past is None else -past.total,
        "positions": [
            {
                "instrument_id": str(name),
                "value": value,
                "profit": -lost,
                "replayed_profit": None if past is None else -float(past.by_position[i]),
            }
            for i, (name, value, lost) in enumerate(
                zip(held.names, held.exposures.tolist(), loss.by_position.tolist(), strict=True)
            )
        ],
        "factors": dict(zip(loss.factors, (-loss.by_factor).tolist(), strict=True)),
        "unmoved": list(loss.unmoved),
    }
