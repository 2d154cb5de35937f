"""`trader agent`: strategies that agents wrote, and the ladder from a candidate to money."""

import getpass
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.agent_submission import submit
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from trading.ladder.standing import Stage, Standing

if TYPE_CHECKING:
    from cluster.config import Config
    from trading.ladder.record import AgentRecord

app = typer.Typer(
    help="Judge strategies that agents wrote, and let them up and down the ladder.",
    no_args_is_help=True,
)
app.command("submit")(submit)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the strategy.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded with who and when.")
]


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every strategy: where it stands, what it passed, what it made."""
    from cluster.agent_ladder import open_ladder
    from cluster.agent_results import follow
    from cluster.cli.output import print_json, print_table
    from cluster.cli.wording import money, percent

    settings = config_of(config)
    with open_ladder(settings) as ladder:
        records = [follow(settings, ladder, name) for name in ladder.names()]
    if as_json:
        print_json([_plain(record) for record in records])
        return
    if not records:
        typer.echo("There is no strategy yet; hand one in with `trader agent submit FILE`.")
        return
    rows = [
        (
            record.name, record.standing, record.sha256[:12], _passed(record), record.days,
            money(record.profit) if record.marks else "-", percent(record.fall), len(record.kills),
        )
        for record in records
    ]  # fmt: skip
    print_table(
        ("strategy", "standing", "source", "passed", "days", "profit", "fall", "kills"), rows
    )


def _passed(record: "AgentRecord") -> str:
    passed = sum(verdict.passed for verdict in record.verdicts.values())
    return f"{passed} of {len(Stage)}"


@app.command()
def show(
    name: NameArgument,
    source: Annotated[
        bool, typer.Option("--source", help="Print the source in force and nothing else.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show the report card of one strategy, and what stands between it and the next rung."""
    from cluster.agent_ladder import open_ladder
    from cluster.agent_results import follow
    from cluster.cli.output import note, print_facts, print_json, print_table

    settings = config_of(config)
    with open_ladder(settings) as ladder:
        _require_known(ladder.names(), name)
        record = follow(settings, ladder, name)
        told = _next_step(record, ladder.rules)
    assert record.submitted is not None
    if source:
        typer.echo(record.submitted.source, nl=False)
        return
    if as_json:
        print_json({**_plain(record), **told})
        return
    print_table(("stage", "verdict", "when (UTC)", "found"), _rows(record))
    print_facts(_facts(record))
    for text in told["objections"]:
        note(f"Not to {told['next']}: {text}.", quiet=quiet)


def _require_known(names: tuple[str, ...], name: str) -> None:
    from trading.ladder.refusal import LadderRefused

    if name not in names:
        known = ", ".join(names) or "none yet"
        raise LadderRefused(f"there is no strategy {name!r}; known are {known}.")


def _next_step(record: "AgentRecord", rules: Any) -> dict[str, Any]:
    from trading.ladder.promotion import UP, objections

    above = UP.get(record.standing)
    found = objections(record, above, rules, time.time_ns()) if above else ()
    return {"next": above, "objections": list(found)}


def _rows(record: "AgentRecord") -> list[tuple[str, ...]]:
    from cluster.cli.wording import moment

    rows: list[tuple[str, ...]] = []
    for stage in Stage:
        verdict = record.verdicts.get(stage)
        if verdict is None:
            rows.append((str(stage), "-", "-", "Not reached."))
        else:
            word = "passed" if verdict.passed else "FAILED"
            rows.append((str(stage), word, moment(verdict.ts_init), verdict.reason))
    return rows


def _facts(record: "AgentRecord") -> dict[str, object]:
    from cluster.cli.wording import moment, money, percent

    assert record.submitted is not None
    facts: dict[str, object] = {
        "standing": record.standing,
        "source": record.sha256,
        "parameters": record.submitted.parameters,
    }
    if moved := record.since:
        facts["since"] = f"{moment(moved.ts_init)} by {moved.actor}: {moved.reason or moved.code}"
    if record.marks:
        made = f"{money(record.profit)} in {record.days} days, fall {percent(record.fall)}"
        facts["made"] = made
    return facts


@app.command()
def promote(
    name: NameArgument,
    to: Annotated[
        Standing, typer.Argument(metavar="TO", help="paper, live, or candidate after a quarantine.")
    ],
    reason: ReasonOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a strategy up one rung; live asks a person to type its name, in live mode.

    Refused, with everything that stands in the way, when a stage is missing, failed, was about another
    source, or is too old.
    """
    from cluster.agent_ladder import open_ladder
    from cluster.agent_results import follow, settle
    from trading.ladder.moves import move_of, promoted

    settings = config_of(config)
    with open_ladder(settings) as ladder:
        _require_known(ladder.names(), name)
        before = follow(settings, ladder, name)
        account = _account_of(settings) if to is Standing.LIVE else ""
        move = move_of(before, to, getpass.getuser(), reason, account)
        promoted(before, to, ladder.rules, time.time_ns(), move)
        if to is Standing.LIVE:
            _confirm(name, account)
        after = ladder.append(
            name,
            lambda record, now: [
                promoted(record, to, ladder.rules, now, _of(record, move_of, to, reason, account))
            ],
        )
        settle(settings, before, after)
    _tell(before, after, as_json=as_json)


def _of(record: "AgentRecord", make: Any, to: Standing, reason: str, account: str) -> Any:
    return make(record, to, getpass.getuser(), reason, account)


def _account_of(config: "Config") -> str:
    """Return the account that money is traded on; in live mode the configuration has passed its gate.

    Raises
    ------
    ConfigError
        If this is no live mode.
    """
    from trading.errors import ConfigError

    if config.cluster.mode != "live":
        raise ConfigError('money needs an account in live mode: set cluster.mode = "live".')
    return config.account.account_id


def _confirm(name: str, account: str) -> None:
    """Ask a person to type the name; nothing else opens this door."""
    from trading.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("money needs a person: type the confirmation on a terminal.")
    typed = typer.prompt(f"Type {name} to let it trade money on account {account}", err=True)
    if typed.strip() != name:
        raise UsageError("that is not its name; nothing was done.")


@app.command()
def demote(
    name: NameArgument,
    to: Annotated[
        Standing, typer.Argument(metavar="[TO]", help="candidate, or paper.")
    ] = Standing.CANDIDATE,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a strategy down; the running risk manager lets it open nothing more within a second."""
    from trading.ladder.moves import demoted

    _take_down(
        name, config, lambda record, _: [demoted(record, to, getpass.getuser(), reason)], as_json
    )


@app.command()
def retire(
    name: NameArgument,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a strategy up for good; what it was stays on record."""
    from trading.ladder.moves import retired

    _take_down(
        name, config, lambda record, _: [retired(record, getpass.getuser(), reason)], as_json
    )


def _take_down(name: str, config: Path | None, decide: Any, as_json: bool) -> None:
    from cluster.agent_ladder import open_ladder
    from cluster.agent_results import settle

    settings = config_of(config)
    with open_ladder(settings) as ladder:
        _require_known(ladder.names(), name)
        before = ladder.record(name)
        after = settle(settings, before, ladder.append(name, decide))
    _tell(before, after, as_json=as_json)


def _tell(before: "AgentRecord", after: "AgentRecord", *, as_json: bool) -> None:
    from cluster.cli.output import print_json

    assert after.since is not None
    if as_json:
        actor, number = after.since.actor, after.since.number
        print_json(
            {
                "name": after.name,
                "from": before.standing,
                "to": after.standing,
                "actor": actor,
                "number": number,
            }
        )
    else:
        typer.echo(
            f"{after.name}: {before.standing} -> {after.standing} (by {after.since.actor}, journalled)"
        )


def _plain(record: "AgentRecord") -> dict[str, Any]:
    """Return a record for JSON."""
    assert record.submitted is not None
    return {
        "name": record.name,
        "standing": record.standing,
        "sha256": record.sha256,
        "parameters": record.submitted.parameters,
        "stages": {
            stage: {
                "passed": verdict.passed,
                "reason": verdict.reason,
                "ts": verdict.ts_init,
                "figures": dict(verdict.figures),
                "inputs": dict(verdict.inputs),
            }
            for stage, verdict in record.verdicts.items()
        },
        "days": record.days,
        "profit": record.profit,
        "loss": record.loss,
        "fall": record.fall,
        "kills": len(record.kills),
        "since": record.since
        and {"code": record.since.code, "actor": record.since.actor, "reason": record.since.reason},
    }
