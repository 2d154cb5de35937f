"""`trader sandbox process`: the steps of an agent, one after another, over files that stay between them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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

if TYPE_CHECKING:
    from sandboxes.executor import AgentProcess, Kind, Step

COMMAND = "$ "


def process(
    steps: Annotated[
        list[str],
        typer.Argument(
            metavar="STEP...",
            help="Python scripts, or shell commands such as '$ sort in > out' (at E2B only).",
        ),
    ],
    *,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds until a step is killed.")
    ] = 60.0,
    total: Annotated[
        float, typer.Option("--total", min=0.1, help="Seconds for all steps together.")
    ] = 600.0,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Also after a step that failed.")
    ] = False,
    given: GivenOption = None,
    out: OutOption = None,
    template: TemplateOption = "polars",
    backend: BackendOption = "",
    least_rung: LeastRungOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the steps of an agent in isolation, one after another; Ctrl-C kills the one that runs.

    Every step finds the files that were given and those that steps before it wrote; nothing else is handed on.
    It ends with the last step, or with the first that fails. The exit code is 0 when all ended with status 0, 7 when
    the last one was killed for taking too long, otherwise 1. With --json: the log of every step.
    """
    import asyncio

    from msgspec.structs import replace

    from cluster.sandboxes import choice_of, open_backend
    from sandboxes.executor import AgentProcess
    from sandboxes.templates.registry import inspect

    texts = [_text_of(step) for step in steps]
    limits = replace(inspect(template).for_jobs(timeout), total_timeout_s=total)
    found = open_backend(choice_of(config_of(config), backend, least_rung))
    agent = AgentProcess(found, template, limits)
    agent.files.update(files_at(given or []))
    shown = not as_json
    try:
        asyncio.run(_carry_out(agent, texts, keep_going=keep_going, shown=shown, quiet=quiet))
    finally:
        if out is not None:
            written = {name for step in agent.log for name in step.written}
            keep({name: agent.files[name] for name in sorted(written)}, out)
    ok = len(agent.log) == len(steps) and all(step.ok for step in agent.log)
    if as_json:
        _print(agent, ok=ok)
    raise typer.Exit(status_of(agent.log[-1].error, ok=ok))


def _text_of(step: str) -> "tuple[Kind, str]":
    if step.startswith(COMMAND):
        return "command", step.removeprefix(COMMAND)
    return "script", read_bytes(Path(step)).decode(errors="replace")


async def _carry_out(
    agent: "AgentProcess",
    texts: "list[tuple[Kind, str]]",
    *,
    keep_going: bool,
    shown: bool,
    quiet: bool,
) -> None:
    from cluster.cli.output import note

    listener = pass_on if shown else None
    async with agent:
        for kind, text in texts:
            run = agent.script if kind == "script" else agent.command
            step = await run(text, on_output=listener)
            if shown:
                note(f"step {step.number}: {_ending(step)}", quiet=quiet)
            if not (step.ok or keep_going):
                return


def _ending(step: "Step") -> str:
    words = step.error or f"exit code {step.exit_code}"
    written = f", wrote {', '.join(sorted(step.written))}" if step.written else ""
    return f"{words} after {step.seconds:.2f} s{written}"


def _print(agent: "AgentProcess", *, ok: bool) -> None:
    from cluster.cli.output import print_json

    isolation = agent.log[-1].isolation
    print_json(
        {
            "ok": ok,
            "rung": isolation.rung,
            "template": isolation.details.get("template", ""),
            "digest": isolation.details.get("digest", ""),
            "steps": [_plain(step) for step in agent.log],
            "files": {name: len(data) for name, data in agent.files.items()},
        }
    )


def _plain(step: "Step") -> dict[str, Any]:
    from msgspec import to_builtins

    told: dict[str, Any] = to_builtins(step)
    del told["isolation"]
    return told
