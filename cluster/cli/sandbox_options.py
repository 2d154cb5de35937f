"""The options that say where code runs."""

from typing import Annotated

import typer

BackendOption = Annotated[
    str,
    typer.Option(
        "--backend",
        help="auto (E2B where E2B_API_KEY is set, else here), e2b or local; default: as [sandbox] says.",
    ),
]
LeastRungOption = Annotated[
    str,
    typer.Option(
        "--least-rung",
        help="The weakest local isolation that will do: L1 or L2; default: as [sandbox] says.",
    ),
]
