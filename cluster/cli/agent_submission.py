"""`trader agent submit`: the stages of one strategy, or of a folder of them, and their report cards."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.laboratory_options import DataOption, FromOption, SymbolsOption, ToOption
from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.sandbox_options import BackendOption, LeastRungOption
from cluster.cli.strategy_inputs import ParamOption, parameters_of, prices_of_source
from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from cluster.agent_ladder import AgentLadder
    from cluster.config import Config
    from trading.events import AgentEvent, AgentSubmitted
    from tune.agents.candidate import Candidate
    from tune.agents.examination import Bench, Examined
    from tune.agents.report_card import ReportCard


def submit(
    place: Annotated[
        Path, typer.Argument(metavar="PATH", help="A strategy; with --all, a folder.")
    ],
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="Every *.py of a folder, ranked against each other.")
    ] = False,
    name: Annotated[str, typer.Option("--name", help="Instead of that of the file.")] = "",
    param: ParamOption = None,
    data: DataOption = "sp500",
    symbols: SymbolsOption = "",
    start: FromOption = "",
    end: ToOption = "",
    walk_forward: Annotated[
        str,
        typer.Option("--walk-forward", metavar="24m/6m", help="What must lie before / each test."),
    ] = "24m/6m",
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="With --all and no Ray: at once.")
    ] = 2,
    backend: BackendOption = "",
    least_rung: LeastRungOption = "",
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Judge a strategy: lint, sandbox, look-ahead, determinism, backtest with costs, walk-forward.

    Every verdict is a signed fact in the journal, whatever it is. With --all the candidates run at once, on
    Ray where cluster.address names one, and each counts as a trial against all. The exit code is 1 when a
    stage failed (one strategy), or when none of the folder passed.
    """
    from functools import partial

    from cluster.agent_ladder import open_ladder
    from cluster.sandboxes import choice_of, open_backend, open_worker
    from tune.agents.examination import Bench

    settings = config_of(config, address)
    candidates = _candidates(place, name, param or [], every=all_, quiet=quiet)
    choice = choice_of(settings, backend, least_rung)
    with open_ladder(settings) as ladder:
        _require_welcome(ladder, candidates)
        open_backend(choice)  # without isolation nothing begins
        bench = Bench(
            open_worker=partial(open_worker, choice),
            prices=prices_of_source(settings, data, symbols, (start, end)),
            source=f"{data} {symbols or 'all'} {start or 'first'} to {end or 'last'}",
            rules=ladder.rules,
            plan=walk_forward,
        )
        examined = _examine(candidates, bench, settings, processes, as_json=as_json, quiet=quiet)
        cards = _record(ladder, examined)
    _tell(cards, every=all_, as_json=as_json, quiet=quiet)
    raise typer.Exit(ExitCode.OK if any(card.passed for card in cards) else ExitCode.FAILED)


def _candidates(
    place: Path, name: str, params: list[str], *, every: bool, quiet: bool
) -> "list[Candidate]":
    """Return the strategies at a place; files of a folder that are none are named and left out."""
    from cluster.cli.output import note
    from trading.errors import TradingError, UsageError
    from tune.agents.candidate import read_candidate

    if not every:
        return [read_candidate(place, parameters_of(params), name)]
    if params or name:
        raise UsageError("--param and --name need one strategy, not --all.")
    found = []
    for path in sorted(place.glob("*.py")):
        try:
            found.append(read_candidate(path))
        except TradingError as error:
            note(f"{path.name} is left out: {error}", quiet=quiet)
    if not found:
        raise UsageError(f"there is no strategy in {place}.")
    return found


def _require_welcome(ladder: "AgentLadder", candidates: "list[Candidate]") -> None:
    """Refuse a closed name, and a source that is quarantined under any name."""
    from trading.ladder.moves import require_open
    from trading.ladder.refusal import LadderRefused
    from trading.ladder.standing import Standing

    known = {name: ladder.record(name) for name in ladder.names()}
    barred = {
        record.sha256: name
        for name, record in known.items()
        if record.standing is Standing.QUARANTINED
    }
    for each in candidates:
        if each.name in known:
            require_open(known[each.name], _submitted(each))
        if each.source.sha256 in barred:
            name = barred[each.source.sha256]
            raise LadderRefused(f"this source is quarantined as {name}; a person may release it.")


def _examine(
    candidates: "list[Candidate]",
    bench: "Bench",
    config: "Config",
    processes: int,
    *,
    as_json: bool,
    quiet: bool,
) -> "list[Examined]":
    from contextlib import nullcontext

    from cluster.cli.laboratory_options import connected
    from cluster.cli.meter import meter
    from cluster.cli.output import note
    from tune.agents.examination import examine
    from tune.agents.swarm import examine_all

    if len(candidates) == 1:

        def tell(result: object) -> None:
            note(f"{result.stage}: {result.reason}", quiet=quiet)  # type: ignore[attr-defined]

        return [examine(candidates[0], bench, tell)]
    with (
        nullcontext() if config.cluster.address == "local" else connected(config) as ray,
        meter("Candidates", len(candidates), plain=as_json, quiet=quiet) as show,
    ):
        return examine_all(candidates, bench, processes=processes, ray=ray, on_examined=show)


def _record(ladder: "AgentLadder", examined: "list[Examined]") -> "list[ReportCard]":
    """Journal every verdict; all that was ever tried counts against each, these among them."""
    from trading.ladder.trials import trials_of, tried
    from tune.agents.report_card import card_of, ranked

    ratios = tried(fact for name in ladder.names() for fact in ladder.facts(name))
    for each in examined:
        if each.sharpe is not None:
            ratios[each.candidate.source.sha256, each.candidate.terms] = each.sharpe
    trials = trials_of(ratios.values())
    cards = [card_of(each, trials, ladder.rules) for each in examined]
    for each, card in zip(examined, cards, strict=True):
        _append(ladder, each, card)
    return ranked(cards)


def _append(ladder: "AgentLadder", examined: "Examined", card: "ReportCard") -> None:
    from trading.ladder.moves import require_open

    facts = _facts(examined, card)

    def decide(record: object, _: int) -> "list[AgentEvent]":
        require_open(record, facts[0])  # type: ignore[arg-type]
        return facts

    ladder.append(card.name, decide)


def _facts(examined: "Examined", card: "ReportCard") -> "list[AgentEvent]":
    from cluster.agent_results import kill_of
    from trading.events import AgentStageJudged

    facts: list[AgentEvent] = [_submitted(examined.candidate)]
    facts += [
        AgentStageJudged(
            agent=card.name,
            number=0,
            actor=getpass.getuser(),
            source_sha256=card.sha256,
            stage=result.stage,
            passed=result.passed,
            reason=result.reason,
            inputs=tuple(sorted(result.inputs.items())),
            figures=result.decimals,
        )
        for result in card.results
    ]
    if examined.kill:
        code, reason = examined.kill
        facts.append(kill_of(card.name, card.sha256, code, reason))
    return facts


def _submitted(candidate: "Candidate") -> "AgentSubmitted":
    from trading.events import AgentSubmitted

    return AgentSubmitted(
        agent=candidate.name,
        number=0,
        actor=getpass.getuser(),
        source=candidate.source.text,
        source_sha256=candidate.source.sha256,
        template=candidate.template,
        lookback=candidate.lookback,
        parameters=candidate.terms,
    )


def _tell(cards: "list[ReportCard]", *, every: bool, as_json: bool, quiet: bool) -> None:
    from cluster.cli.output import note, print_json, print_table
    from tune.agents.lint import NOTICE
    from tune.agents.report_card import COLUMNS, RANKING, ranking_rows

    if as_json:
        print_json([card.plain() for card in cards] if every else cards[0].plain())
        return
    if every:
        print_table(RANKING, ranking_rows(cards))
        note(f"{cards[0].trials} trials count against each.", quiet=quiet)
        return
    card = cards[0]
    print_table(COLUMNS, card.rows())
    note(NOTICE, quiet=quiet)
    if card.passed:
        note(f"{card.name} passed. Next: trader agent promote {card.name} paper", quiet=quiet)
    else:
        note(f"{card.name} failed at {card.results[-1].stage}.", quiet=quiet)
