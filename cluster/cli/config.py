"""`trader config`: see, check and describe the configuration."""

from typing import Annotated, Any

import typer

from cluster.cli.options import ConfigOption, JsonOption

app = typer.Typer(help="Show, check or describe the configuration.", no_args_is_help=True)


@app.command()
def show(
    config: ConfigOption = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value comes from.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the configuration in force.

    A value is taken from the first of: command line, environment (TRADER_...), .env, --config file,
    ./trader.toml, ~/.config/neural-trader/config.toml, defaults. Without any file: the shipped demo.
    """
    from cluster.cli.output import print_json
    from cluster.config import load
    from cluster.logs import without_password

    loaded = load(config)
    values = loaded.config.model_dump(mode="json")
    for key in ("journal", "ladder"):
        values["cluster"][key] = without_password(values["cluster"][key])
    values["auth"]["record"] = without_password(values["auth"]["record"])
    flat = _flatten(values)
    if as_json:
        origins = {key: loaded.origin(key) for key in flat}
        print_json({"values": values, "origins": origins} if origin else values)
        return
    width = max(len(key) for key in flat)
    for key, value in flat.items():
        line = f"{key:<{width}} = {_literal(value)}"
        typer.echo(f"{line:<{width + 40}}  # {loaded.origin(key)}" if origin else line)


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the configuration; exit 3 names every mistake."""
    from cluster.cli.output import print_json
    from cluster.config import load

    loaded = load(config)
    sources = sorted(set(loaded.origins.values()))
    if as_json:
        print_json({"ok": True, "sources": sources})
    else:
        typer.echo(f"The configuration is valid; it comes from {', '.join(sources)}.")


@app.command()
def schema() -> None:
    """Print the JSON Schema, for editors."""
    from cluster.cli.output import print_json
    from cluster.config import Config

    print_json(Config.model_json_schema())


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _literal(value: Any) -> str:
    import json

    return "(none)" if value is None else json.dumps(value)
