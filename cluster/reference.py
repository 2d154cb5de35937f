"""Write the reference pages of docs/ from the code: `python -m cluster.reference`.

With `--check` nothing is written; the exit code is 1 when a page is out of date.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cluster.config.loading import PREFIX
from cluster.config.model import Config
from cluster.exit_codes import ExitCode
from cluster.monitoring_files import monitoring_files
from serve.api.reference import routes_table
from serve.auth.gate import Gate
from serve.auth.settings import AccessSettings
from serve.desk.front_desk import FrontDesk
from serve.http.app import build_app
from serve.mcp.reference import with_tables
from trading.refusals import RefusalCode

DOCS = Path(__file__).parent.parent / "docs"
_MADE = "<!-- Made by `python -m cluster.reference`; edit the code, not this page. -->"


def main() -> None:
    """Write every page, or compare with `--check`."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: python -m cluster.reference [--check]")
    stale = [name for name, text in pages().items() if _stored(name) != text]
    if sys.argv[1:]:
        sys.exit(f"out of date: {', '.join(stale)}; run `make docs`." if stale else 0)
    for name in stale:
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(pages()[name], encoding="utf-8")


def pages() -> dict[str, str]:
    """Return every page of the reference, and every file for Prometheus and Grafana, by its place below docs/."""
    written = {"cli.md": cli_page(), "config.md": config_page(), "refusals.md": refusals_page()}
    mcp = with_tables(_stored("mcp.md"))
    return written | monitoring_files() | {"mcp.md": mcp, "http-reference.md": http_page()}


def http_page() -> str:
    """Return the page of all routes."""
    nobody: Any = None
    desk = FrontDesk(
        nobody, nobody, nobody, nobody, nobody, "", secret=bytes(32)
    )  # asked for nothing
    settings = AccessSettings()
    app = build_app(nobody, desk=desk, guard=Gate(settings, None)).api
    return _joined([_HTTP_INTRODUCTION, routes_table(app)])


# -- configuration


def config_page() -> str:
    """Return the page of all configuration keys."""
    return _joined([_CONFIG_INTRODUCTION, *(_section(*item) for item in _sections())])


def documented_keys() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every key of every section as (dotted key, field)."""
    for section, model in _sections():
        for key, field in model.model_fields.items():
            yield f"{section}.{key}", field


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Config.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield name, annotation
            continue
        below = next(each for each in reversed(get_args(annotation)) if each is not Ellipsis)
        yield (f"{name}.<id>" if get_origin(annotation) is dict else f"[{name}]"), below


def _section(name: str, model: type[BaseModel]) -> str:
    rows = [
        (f"`{key}`", _type_name(field), _default(field), field.description or "")
        for key, field in model.model_fields.items()
    ]
    about = (model.__doc__ or "").strip()
    return f"## [{name}]\n\n{about}\n\n{_table(('key', 'type', 'default', 'meaning'), rows)}"


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:
        return f"`{extra['default']}`"
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, Enum):
        value = value.value
    return f"`{value}`" if isinstance(value, Decimal) else f"`{json.dumps(value)}`"


def _type_name(field: FieldInfo) -> str:
    return " or ".join(dict.fromkeys(_names_of(field.annotation)))


def _names_of(annotation: Any) -> list[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return [f'`"{value}"`' for value in arguments]
    if origin is tuple:
        return ["list"]
    if origin is dict:
        return ["table"]
    if hasattr(annotation, "__metadata__"):
        return _names_of(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [f'`"{each.value}"`' for each in annotation]
    if arguments:
        return [name for part in arguments for name in _names_of(part)]
    return [_TOML_NAMES[annotation]] if annotation is not type(None) else []


_TOML_NAMES = {
    str: "text",
    Path: "path",
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
}

_HTTP_INTRODUCTION = f"""# HTTP routes

{_MADE}

How errors, ids, pages, streams and repeated orders work: [http.md](http.md). Every path is there without `/v1` too. The
whole document, with models and examples, is at `/openapi.json`, and readable at `/docs`."""
_CONFIG_INTRODUCTION = f"""\
# Configuration

{_MADE}

A value is taken from the first place that has it:

1. the command line;
2. the process environment: `{PREFIX}<SECTION>__<KEY>`, for example `{PREFIX}DATA__DAYS=250` or
   `{PREFIX}STRATEGIES__PAIRS__CAPITAL=0.2`; lists are separated by commas;
3. `.env` in the working folder, same names;
4. the file given with `--config`;
5. `trader.toml` in the working folder;
6. `~/.config/neural-trader/config.toml`;
7. the shipped demo (`cluster/demo.toml`), only when none of these three files is there;
8. the defaults below.

`trader config show --origin` shows every value and where it comes from, `trader config check` names
every mistake (an unknown key with its nearest neighbour), `trader config schema` prints a JSON
Schema for editors.

Secrets are no part of the configuration: a key that sounds like one is refused. Credentials of venues are
environment variables, or stand in `.env` (`chmod 600`); see docs/venues/. The cluster secret and Ray's token are
files in the state folder, made on first start, readable by their owner alone. Ray is always started with its token
authentication (`RAY_AUTH_MODE=token`; `RAY_AUTH_TOKEN` or `RAY_AUTH_TOKEN_PATH` override the file).

Live money needs all of: `cluster.mode = "live"`, a real venue, `live.confirm_account` equal to
`account.account_id` (with `[accounts]`: a list of all their ids), the variable `TRADER_LIVE_CONFIRM` with
the same accounts, separated by commas, in the shell (not in `.env`), and a `.env` that only its owner can
read."""


# -- refusals


def refusals_page() -> str:
    """Return the page of all codes with which an order is refused."""
    table = _table(("code", "meaning"), [(f"`{code}`", code.meaning) for code in RefusalCode])
    return _joined([_REFUSALS_INTRODUCTION, table])


_REFUSALS_INTRODUCTION = f"""\
# Refusals

{_MADE}

Every order that we refuse carries one of these codes: in the journal (`OrderDenied`), on the screen,
in `trader orders` and in the report. Codes are stable and never reused. *Denied* is ours; when the
venue refuses, the order is *rejected* and carries the venue's own code."""


# -- command line


def cli_page() -> str:
    """Return the page of all commands and exit codes."""
    from cluster.cli.main import app

    root: Any = typer.main.get_command(app)
    commands = [_command(path, command) for path, command in _leaves("trader", root)]
    codes = _table(
        ("exit code", "name", "meaning"), [(str(int(c)), c.name, c.meaning) for c in ExitCode]
    )
    return _joined([_CLI_INTRODUCTION, f"## Exit codes\n\n{codes}", "## Commands", *commands])


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, one in below.items():
        yield from _leaves(f"{path} {name}", one)


def _command(path: str, command: Any) -> str:
    options = [
        (_spelling(option), (option.help or "").replace("|", "\\|"))
        for option in command.params
        if option.name != "help"
    ]
    about = " ".join((command.help or "").split())
    table = _table(("argument or option", "meaning"), options)
    return f"### {path}\n\n{about}" + (f"\n\n{table}" if options else "")


def _spelling(option: Any) -> str:
    if option.param_type_name == "argument":
        return f"`{option.metavar or option.name.upper()}`".replace("|", "\\|")
    names = ", ".join(reversed(option.opts))
    value = "" if option.is_flag else f" {option.metavar or 'N'}"
    return f"`{names}{value}`".replace("|", "\\|")


_CLI_INTRODUCTION = f"""\
# Command line

{_MADE}

Results go to stdout as Markdown tables, or as one JSON object with `--json`; progress, notes and
errors go to stderr. An error is one sentence with its code in brackets. The live screen of
`trader run` needs a terminal, and stays away with `--json`, `--quiet`, `NO_COLOR`, `CI` or
`TERM=dumb`.

`trader run` has a folder and a journal of its own, `runs/<UTC time>` below the state folder, so that
two runs never mix. `trader run --keep-up` and `trader up` use the configured journal, and go on
where it ends. While no cluster answers, `trader orders`, `positions` and `fills` read the journal that
was written last, as `replay --until` always does.

`trader kill` asks first; a script confirms with `--yes`. It stops every account of the
configuration. It latches in the journal even when no cluster answers (exit code 8), and ends with 7 while a
venue has not confirmed every cancellation."""


# -- shared


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _joined(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _stored(name: str) -> str:
    path = DOCS / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    main()
