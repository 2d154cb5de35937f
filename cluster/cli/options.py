"""The options that several commands share, and the configuration that they amount to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cluster.config import Config

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Configuration file (TOML)."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no hints on stderr.")
]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", metavar="ADDRESS", help="local, auto or ray://host:port."),
]
AccountOption = Annotated[
    str, typer.Option("--account", metavar="ID", help="Of this account alone; default: of all.")
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="Newest rows to show.")]


def config_of(
    path: Path | None, address: str | None = None, data: dict[str, Any] | None = None
) -> "Config":
    """Return the configuration in force, with what the command line says on top.

    Raises
    ------
    ConfigError, AuthError
        As `cluster.config.load`.
    """
    from cluster.config import load_config

    overrides: dict[str, Any] = {"data": data} if data else {}
    if address is not None:
        overrides["cluster"] = {"address": address}
    return load_config(path, overrides)
