"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

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
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="Newest rows to show.")]
