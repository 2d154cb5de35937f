"""What `trader risk` measures: the positions of the account, or of a file, at the prices of a source."""

import csv
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cluster.config import Config
    from trading.identifiers import InstrumentId
    from tune.risk.portfolio import Portfolio

PositionsOption = Annotated[
    Path | None,
    typer.Option(
        "--positions", metavar="FILE", help="CSV `symbol,quantity`; default: those of the account."
    ),
]
CashOption = Annotated[
    float, typer.Option("--cash", metavar="MONEY", help="Cash beside the positions of the file.")
]
DataOption = Annotated[
    str, typer.Option("--data", metavar="SOURCE", help="Prices; default: data.source.")
]
AsOfOption = Annotated[
    str,
    typer.Option("--as-of", metavar="DATE", help="Last bar that counts; default: the account's."),
]


def portfolio(
    config: "Config", positions: Path | None, cash: float, data: str, as_of: str
) -> "Portfolio":
    """Return what is held, with the history of its prices.

    Raises
    ------
    DataError
        If nothing is held, or a price is missing.
    UsageError
        If a date cannot be read.
    """
    from actors.storage.catalogue import Catalogue
    from actors.storage.price_tables import open_source
    from tune.prices import moment_of
    from tune.risk.portfolio import portfolio_of

    until = moment_of(as_of, is_end=True) - 1 if as_of else None
    if positions is not None:
        units, money, moment = _units_of_file(positions), cash, None
    else:
        units, money, moment = _units_of_account(config)
    catalogue = Catalogue(str(config.cluster.state_dir / "catalogue"))
    table = open_source(data or config.data.source, (), catalogue)
    return portfolio_of(units, money, table, until or moment)


def _units_of_file(path: Path) -> "Mapping[InstrumentId, float]":
    """Read `symbol,quantity`; a symbol without a venue is one of the paper venue's listing."""
    from actors.feeds.sources import LISTING
    from trading.errors import DataError
    from trading.identifiers import InstrumentId

    try:
        with path.expanduser().open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    units: dict[InstrumentId, float] = {}
    for line, row in enumerate(rows, 2):
        symbol, text = (row.get("symbol") or "").strip(), row.get("quantity") or ""
        try:
            quantity = float(text)
        except ValueError:
            quantity = float("nan")
        if not symbol or not isfinite(quantity):
            raise DataError(
                f"{path}, line {line}: write symbol,quantity; found {symbol!r},{text!r}."
            )
        name = InstrumentId(symbol if symbol.endswith(f".{LISTING}") else f"{symbol}.{LISTING}")
        units[name] = units.get(name, 0.0) + quantity
    return units


def _units_of_account(config: "Config") -> "tuple[Mapping[InstrumentId, float], float, int | None]":
    """Return positions, cash and market time of the running cluster, or of its journal."""
    from cluster.cli.account import rows_of_cluster, rows_of_journal
    from cluster.cli.folders import config_of_newest_journal
    from cluster.client import connect
    from trading.errors import ClusterUnreachable, DataError
    from trading.identifiers import InstrumentId

    moment: int | None
    try:
        snapshot = connect(config).snapshot()
        rows, moment = rows_of_cluster(snapshot), snapshot.clock_ns
    except ClusterUnreachable:
        stored = config_of_newest_journal(config)
        if stored is None:
            raise DataError(
                "there is no account to measure yet; give positions with --positions FILE."
            ) from None
        rows = rows_of_journal(stored)
        moment = max((int(fill["ts_event"]) for fill in rows.fills), default=None)
    units = {InstrumentId(row["instrument_id"]): float(row["quantity"]) for row in rows.positions}
    cash: Any = rows.cash
    return units, float(cash or 0.0), moment
