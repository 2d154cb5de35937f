"""What a strategy is run with: its parameters, prices from any source, and where its signals come from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cluster.config import Config
    from tune.prices import Prices
    from tune.signal_sources import SignalSources

ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; repeat for more."),
]
FORECASTER = "autoregression"
ForecasterOption = Annotated[
    str,
    typer.Option(
        "--forecaster",
        metavar="NAME",
        help="autoregression, drift, a model (nhits, nhits@3), or with --retrain a kind of model.",
    ),
]
RetrainOption = Annotated[
    str,
    typer.Option(
        "--retrain",
        metavar="12m",
        help="Train the forecaster again so often on the past alone; needs the extra `train`.",
    ),
]
SentimentOption = Annotated[
    str, typer.Option("--sentiment", metavar="FILE", help="time,symbol,score (-1 to 1).")
]
HoldingsOption = Annotated[
    str,
    typer.Option(
        "--holdings", metavar="FILE", help="report_date,disclosed_date,symbol,value to mirror."
    ),
]


def sources_of(
    config: "Config", forecaster: str, sentiment: str, holdings: str, retrain: str, *, quiet: bool
) -> "SignalSources":
    """Return where a run's signals come from; what is trained on the way is kept for the next run."""
    from cluster.cli.output import note
    from cluster.models import model_access
    from tune.forecasters import Forecasters
    from tune.signal_sources import SignalSources

    def tell(number: int, of: int) -> None:
        note(f"Training {number} of {of}: {forecaster}", quiet=quiet)

    forecasters = Forecasters(
        models=model_access(config),
        retrain=retrain,
        kept=str(config.cluster.state_dir / "walk_forward"),
        on_training=tell,
    )
    return SignalSources(forecaster, sentiment, holdings, forecasters)


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


def fixed_parameters(strategy: str, texts: list[str]) -> dict[str, Any]:
    """Read the parameters that have one value in all trials of a strategy.

    Raises
    ------
    UsageError
        If there is no such strategy, it has no such parameter, or a text has no name or no value.
    """
    from inspect import signature

    from trading.errors import UsageError
    from tune.objective import strategy_class

    found = parameters_of(texts)
    known = signature(strategy_class(strategy)).parameters
    for name in found:
        if name not in known:
            raise UsageError(f"{strategy} has no parameter {name!r}; {nearest(name, known)}")
    return found


def nearest(name: str, known: "Iterable[str]", prefix: str = "") -> str:
    """Return what may have been meant instead of `name`, or all that there is."""
    from difflib import get_close_matches

    names = tuple(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {prefix}{near[0]}?" if near else f"it has {', '.join(names)}."


def symbols_of(text: str) -> tuple[str, ...]:
    """Read `A,B`; nothing is all that there are."""
    return tuple(each.strip() for each in text.split(",") if each.strip())


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

    wanted = symbols_of(symbols)
    catalogue = Catalogue(str(config.cluster.state_dir / "catalogue"))
    table = open_source(data, wanted, catalogue)
    actions = None
    if data.startswith(CATALOGUE):
        known = catalogue.actions(data.removeprefix(CATALOGUE).partition("@")[0])
        actions = None if known.is_empty() else action_arrays(table, known)
    return prices_of(table, actions, *span)
