"""`trader sandbox`: what isolation this machine offers, a strategy in it, a script in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli import sandbox_templates
from cluster.cli.laboratory_options import DataOption, FromOption, SymbolsOption, ToOption
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.sandbox_files import (
    GivenOption,
    OutOption,
    TemplateOption,
    files_at,
    keep,
    pass_on,
    read_bytes,
    status_of,
)
from cluster.cli.sandbox_options import BackendOption, LeastRungOption
from cluster.cli.sandbox_process import process
from cluster.cli.strategy_inputs import ParamOption, parameters_of, prices_of_source
from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from sandboxes.attacks.run import AttackResult
    from sandboxes.limits import Limits
    from sandboxes.sandbox import RunResult, SandboxBackend
    from tune.agents.worker import Worker
    from tune.prices import Prices

app = typer.Typer(help="Run code that nobody vouches for in isolation.", no_args_is_help=True)
app.add_typer(sandbox_templates.app, name="templates")
app.command("process")(process)

SHOWN = ("sharpe", "annual_return", "max_drawdown", "trades")


@app.command()
def check(
    backend: BackendOption = "",
    least_rung: LeastRungOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the isolation that this machine offers and attack it, canaries planted, attack by attack.

    The exit code is 1 when something got through, 3 when there is no isolation at all.
    """
    from cluster.cli.output import note, print_json, print_table
    from cluster.sandboxes import choice_of, open_backend
    from sandboxes.attacks.run import run_attacks

    def tell(result: "AttackResult") -> None:
        note(f"{result.name}: {'held' if result.held else 'ESCAPED'}", quiet=quiet)

    found = open_backend(choice_of(config_of(config), backend, least_rung))
    isolation = found.isolation
    note(f"Attacking {isolation.backend} {isolation.rung}.", quiet=quiet)
    attacks = run_attacks(found, tell)
    if as_json:
        print_json({"backend": isolation.backend, "rung": isolation.rung, "attacks": attacks})
    else:
        rows = [(each.name, each.what, _held(each), each.how) for each in attacks]
        print_table(("attack", "what it tries", "verdict", "how"), rows)
        count = sum(each.held for each in attacks)
        note(f"{isolation.backend} {isolation.rung} held {count} of {len(attacks)}.", quiet=quiet)
    raise typer.Exit(ExitCode.OK if all(each.held for each in attacks) else ExitCode.FAILED)


def _held(result: "AttackResult") -> str:
    return "held" if result.held else "ESCAPED"


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A strategy: see docs/agents.md.")],
    *,
    param: ParamOption = None,
    data: DataOption = "sp500",
    symbols: SymbolsOption = "",
    start: FromOption = "",
    end: ToOption = "",
    backend: BackendOption = "",
    least_rung: LeastRungOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a strategy over real prices, isolated: what it would hold now, and what it would have earned.

    All bars are in view at once here; `trader agent submit` finds out whether it looks ahead.
    """
    from cluster.cli.output import note, print_facts, print_json
    from cluster.sandboxes import choice_of, open_worker
    from tune.agents.candidate import read_candidate

    settings = config_of(config)
    candidate = read_candidate(file, parameters_of(param or []))
    prices = prices_of_source(settings, data, symbols, (start, end))
    with open_worker(choice_of(settings, backend, least_rung), candidate) as worker:
        told = _told(candidate.name, worker, prices)
    if as_json:
        print_json(told)
        return
    figures = {name: f"{value:.4g}" for name, value in told["metrics"].items()}
    isolation = f"{told['backend']} {told['rung']}"
    print_facts({"isolation": isolation, "bars": told["bars"], **figures, **told["weights"]})
    note("Weights are those of the last bar.", quiet=quiet)


def _told(name: str, worker: "Worker", prices: "Prices") -> dict[str, Any]:
    """Return what the strategy makes of the prices; without an answer, its own error ends the command."""
    from msgspec import to_builtins

    from trading.backtest.settings import BacktestSettings, Costs
    from trading.metrics.summary import metrics_of
    from tune.prices import trade

    weights = worker.strategy.targets(prices.bars)
    settings = BacktestSettings(costs=Costs(per_unit=0.005, minimum=1.0))
    metrics = to_builtins(metrics_of(trade(prices.bars, weights, settings, prices.quoted)))
    newest = zip(prices.bars.instrument_ids, weights[-1].tolist(), strict=True)
    return {
        "strategy": name,
        "backend": worker.isolation.backend,
        "rung": worker.isolation.rung,
        "bars": len(prices.bars),
        "metrics": {each: metrics[each] for each in SHOWN},
        "weights": dict(newest),
    }


@app.command("exec")
def execute(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Python script.")],
    *,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds until it is killed.")
    ] = 60.0,
    given: GivenOption = None,
    out: OutOption = None,
    template: TemplateOption = "polars",
    backend: BackendOption = "",
    least_rung: LeastRungOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a script in isolation: what it prints, what it writes, how it ended.

    Without --json its output is passed on as it comes. The exit code is 0 when it ended with status 0, 7 when
    it was killed for taking too long, otherwise 1.
    """
    import asyncio

    from cluster.cli.output import note
    from cluster.sandboxes import choice_of, open_backend
    from sandboxes.templates.registry import inspect

    script, files = read_bytes(file).decode(errors="replace"), files_at(given or [])
    limits = inspect(template).for_jobs(timeout)
    found = open_backend(choice_of(config_of(config), backend, least_rung))
    listener = None if as_json else pass_on
    result = asyncio.run(_execute(found, template, limits, script, files, listener))
    if out is not None:
        keep(result.files, out)
    if as_json:
        _print(result)
    else:
        words = result.error or f"exit code {result.exit_code}"
        note(f"{result.isolation.rung}: {words} after {result.seconds:.2f} s", quiet=quiet)
    raise typer.Exit(status_of(result.error, ok=result.ok))


async def _execute(
    backend: "SandboxBackend",
    template: str,
    limits: "Limits",
    script: str,
    files: dict[str, bytes],
    listener: Any,
) -> "RunResult":
    sandbox = await backend.create(template, limits)
    try:
        return await sandbox.run(script, files, limits.call_timeout_s, listener)
    finally:
        await sandbox.kill()


def _print(result: "RunResult") -> None:
    from cluster.cli.output import print_json

    print_json(
        {
            "ok": result.ok,
            "exit_code": result.exit_code,
            "stdout": result.stdout,
            "stderr": result.stderr,
            "error": result.error,
            "seconds": round(result.seconds, 6),
            "rung": result.isolation.rung,
            "template": result.isolation.details.get("template", ""),
            "digest": result.isolation.details.get("digest", ""),
            "files": {name: len(data) for name, data in result.files.items()},
        }
    )
