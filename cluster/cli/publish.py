"""`trader publish`: tell the running strategies a tone, a forecast, or a trade of the leader they mirror."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from cluster.client import RayClusterView
    from cluster.config import Config
    from trading.events import SignalPublished


class Kind(StrEnum):
    SENTIMENT = "sentiment"
    FORECAST = "forecast"
    LEADER = "leader"


def publish(
    kind: Annotated[Kind, typer.Argument(help="What the rows say.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON lines; - reads stdin.")],
    source: Annotated[
        str,
        typer.Option("--source", metavar="NAME", help="Who says it; the kind by default."),
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Publish facts to the strategies that read them (`signals` in the configuration).

    Rows have `symbol` (or `instrument_id`), `time` (market time; now when it is missing) and: `score` for sentiment;
    `expected_return`, `deviation`, `horizon_bars`, `expires` for forecasts; `trade_id`, `quantity` (signed, or with
    `side`), `price`, `capital` for a leader's trades. Of a file all rows are published or none, of stdin each as it
    comes. They go into the journal, so a strategy that is down hears them when it starts.
    """
    from cluster.cli.output import note, print_json
    from cluster.config.sections import NAME_PATTERN
    from trading.errors import UsageError
    from trading.strategies.published import signal_stream

    settings = config_of(config)
    name = source or str(kind)
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(f"--source {name!r}: write letters, digits, '_', '-' or '.'.")
    count = 0
    with _lines(file) as lines:
        facts = _facts(settings, kind, name, lines)
        for batch in ([fact] for fact in facts) if file == "-" else (list(facts),):
            _append(settings, name, batch)
            count += len(batch)
    if as_json:
        print_json({"stream": signal_stream(name), "published": count})
    else:
        note(f"Published {count} to {signal_stream(name)}.", quiet=quiet)


@contextmanager
def _lines(file: str) -> Iterator[Iterable[str]]:
    from trading.errors import DataError

    if file == "-":
        yield sys.stdin
        return
    try:
        stream = Path(file).expanduser().open(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from None
    with stream:
        yield stream


def _facts(
    config: "Config", kind: Kind, source: str, lines: Iterable[str]
) -> "Iterator[SignalPublished]":
    """Yield the fact of each row as it comes; the row that is wrong is named."""
    from actors.feeds.sources import LISTING
    from actors.storage.signal_rows import fact_of, read_rows
    from trading.errors import DataError
    from trading.identifiers import instrument_id

    listed = partial(instrument_id, venue=LISTING)
    clock = _MarketClock(config)
    for number, row in enumerate(read_rows(lines), 1):
        try:
            yield fact_of(row, kind, source, listed, clock.now)
        except DataError as error:
            raise DataError(f"row {number}: {error}.") from None


class _MarketClock:
    """Asks the running cluster, once there is a reason to, what time its market has."""

    def __init__(self, config: "Config") -> None:
        self._config = config
        self._view: RayClusterView | None = None

    def now(self) -> int:
        """Return the market's time (ns UTC); 0 when no cluster answers."""
        from cluster.client import connect
        from trading.errors import ClusterUnreachable

        try:
            self._view = self._view or connect(self._config)
            return self._view.snapshot().clock_ns
        except ClusterUnreachable:
            return 0


def _append(config: "Config", source: str, facts: "list[SignalPublished]") -> None:
    """All of them or none."""
    from msgspec.structs import replace

    from cluster.cli.shared_facts import append_shared_facts
    from trading.strategies.published import signal_stream

    if not facts:
        return
    now = time.time_ns()
    stamped = [replace(fact, ts_init=now, correlation_id=f"publish:{source}") for fact in facts]
    append_shared_facts(config, signal_stream(source), stamped)
