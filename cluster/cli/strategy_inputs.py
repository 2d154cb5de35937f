"""What a strategy is run with: its parameters, and prices from any source."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cluster.config import Config
    from tune.prices import Prices

ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; repeat for more."),
]


def parameters_of(texts: list[str]) -> dict[str, Any]:
    """Read `name=value`; a value is a TOML value or plain text.

    Raises
    ------
    UsageError
        If a text has no name or no value.
    """
    import tomllib

    from trading.errors import UsageError

    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--param {text!r}: write NAME=VALUE, for example top_k=3.")
        try:
            found[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = value
    return found


def prices_of_source(config: "Config", data: str, symbols: str, span: tuple[str, str]) -> "Prices":
    """Return the prices of a source; those of the catalogue with the actions stored beside them.

    Raises
    ------
    DataError, UsageError
        If the source, a symbol or a date is wrong.
    """
    from actors.storage.catalogue import Catalogue
    from actors.storage.corporate_actions import action_arrays
    from actors.storage.price_tables import CATALOGUE, open_source
    from tune.prices import prices_of

    wanted = tuple(each.strip() for each in symbols.split(",") if each.strip())
    catalogue = Catalogue(str(config.cluster.state_dir / "catalogue"))
    table = open_source(data, wanted, catalogue)
    actions = None
    if data.startswith(CATALOGUE):
        known = catalogue.actions(data.removeprefix(CATALOGUE).partition("@")[0])
        actions = None if known.is_empty() else action_arrays(table, known)
    return prices_of(table, actions, *span)
