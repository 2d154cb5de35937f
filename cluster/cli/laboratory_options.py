"""What `trader tune` and `trader sweep` share: options, bars with signals, the store, Ray, names of runs."""

import re
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from cluster.config import Config
    from trading.backtest.settings import BacktestSettings
    from trading.strategies.strategy import Bars
    from tune.prices import Quoted
    from tune.signal_sources import SignalSources
    from tune.store import Store

StrategyArgument = Annotated[
    str, typer.Argument(metavar="STRATEGY", help="Installed name, or module:Class.")
]
DataOption = Annotated[
    str, typer.Option("--data", metavar="SOURCE", help="sp500, a file, or catalogue:NAME[@5m].")
]
SymbolsOption = Annotated[
    str, typer.Option("--symbols", metavar="A,B", help="These symbols alone.")
]
FromOption = Annotated[
    str, typer.Option("--from", metavar="DATE", help="First day: YYYY, YYYY-MM or YYYY-MM-DD.")
]
ToOption = Annotated[str, typer.Option("--to", metavar="DATE", help="Last day, included.")]
CostOption = Annotated[
    float,
    typer.Option(
        "--cost-bps",
        metavar="BPS",
        help="Commission, basis points; half a spread and slippage of one each come on top.",
    ),
]
NameOption = Annotated[
    str,
    typer.Option(
        "--name", metavar="NAME", help="Of the run; the same call goes on with what is there."
    ),
]
FixedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter that is not varied; repeat for more.",
    ),
]
ResumeOption = Annotated[
    str, typer.Option("--resume", metavar="NAME", help="As --name, for a run that must exist.")
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="PATH", help="Where the HTML report goes; default: its run."),
]


SURVIVORS = (
    "Data: the 20 stocks of sp500 are stocks that survived to 2022, so every result is flattered, buy-and-hold most "
    "of all."
)


@dataclass(frozen=True, slots=True)
class Material:
    """What strategies are tried on.

    Attributes
    ----------
    bars : Bars
        What they look at.
    quoted : Quoted or None
        What is traded, when that is not `bars`.
    source : str
        Where the bars and the signals came from, in words.
    notes : tuple of str
        Where the signals came from, and what flatters the data.
    """

    bars: "Bars"
    quoted: "Quoted | None"
    source: str
    notes: tuple[str, ...]


def material_of(
    config: "Config",
    strategy: str,
    fixed: Mapping[str, object],
    data: str,
    symbols: str,
    span: tuple[str, str],
    sources: "SignalSources",
) -> Material:
    """Return the bars, with the signals that the strategy needs, and what is traded.

    Parameters
    ----------
    fixed : mapping
        Parameters of the strategy; what it needs may depend on them.

    Raises
    ------
    UsageError, DataError
        If the strategy, the source, a symbol, a date or a file of signals is wrong.
    """
    from actors.feeds.sources import SP500
    from cluster.cli.strategy_inputs import prices_of_source
    from tune.objective import needs_of
    from tune.signal_sources import with_signals

    needs = needs_of(strategy, fixed)
    prices = prices_of_source(config, data, symbols, span)
    bars, notes = with_signals(prices.bars, needs, sources)
    given = {
        "from": span[0],
        "to": span[1],
        "forecaster": _forecaster_of(sources),
        "sentiment": sources.sentiment,
        "holdings": sources.holdings,
    }
    words = [data, symbols, *(f"{name} {value}" for name, value in given.items() if value)]
    told = (*notes, SURVIVORS) if data == SP500 else notes
    return Material(bars, prices.quoted, " ".join(word for word in words if word), told)


def _forecaster_of(sources: "SignalSources") -> str:
    """Return who forecasts, with the version of a model; empty for the default."""
    from cluster.cli.strategy_inputs import FORECASTER

    forecasters = sources.forecasters
    if sources.forecaster == FORECASTER and not forecasters.retrain:
        return ""
    return forecasters.described(sources.forecaster)


def settings_of(cost_bps: float) -> "BacktestSettings":
    """Return the assumptions of all backtests of a run.

    Raises
    ------
    UsageError
        If the costs are not a number from 0.
    """
    from trading.backtest.settings import BacktestSettings, Costs
    from trading.errors import UsageError

    try:
        return BacktestSettings(costs=Costs(bps=cost_bps))
    except ValueError as error:
        raise UsageError(f"--cost-bps: {error}.") from None


def store_of(config: "Config") -> "Store":
    """Return the results store of the configured cluster."""
    from tune.store import Store

    return Store(config.cluster.state_dir / "results")


def run_name(store: "Store", strategy: str, name: str, resume: str) -> str:
    """Return the name of the run: given, to be resumed, or made of strategy and time.

    Raises
    ------
    UsageError
        If two are given, or there is no run to resume.
    """
    from cluster.cli.folders import stamp_of
    from trading.errors import UsageError

    if name and resume:
        raise UsageError("give --name or --resume, not both.")
    if resume:
        return store.manifest(resume).name
    stem = re.sub(r"[^A-Za-z0-9_-]", "-", strategy.rpartition(":")[2])
    return name or f"{stem}-{stamp_of(time.time_ns())}"


def is_finished(store: "Store", name: str) -> bool:
    """Return whether a run of that name has ended, so that its results only have to be shown."""
    return name in store.names() and store.manifest(name).finished_at is not None


def how_to_go_on(name: str) -> str:
    """Return the command that goes on with this run: the one of this process, by the run's name."""
    words: list[str] = []
    given = iter(sys.argv[1:])
    for word in given:
        if word in {"--name", "--resume"}:
            next(given, None)
        elif not word.startswith(("--name=", "--resume=")):
            words.append(word)
    return shlex.join(["trader", *words, "--resume", name])


@contextmanager
def resumable(name: str) -> Iterator[None]:
    """End with the code of an interruption when Ctrl-C is pressed, saying how to go on."""
    from cluster.cli.output import note

    try:
        yield
    except KeyboardInterrupt:
        note(f"Interrupted; what was finished is kept. Go on with:\n  {how_to_go_on(name)}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


@contextmanager
def connected(config: "Config", cores: int | None = None) -> Iterator[Any]:
    """Give a Ray: one that ends with the block, or, by the configured address, one that runs already.

    Parameters
    ----------
    cores : int or None
        Of a Ray that is started here; None is as configured.
    """
    from cluster import ray_runtime

    address = config.cluster.address
    if address != "local":
        ray = ray_runtime.join(config, address)
    else:
        own = {} if cores is None else {"num_cpus": cores}
        cluster = config.cluster.model_copy(update={**own, "dashboard": False})
        ray = ray_runtime.start_local(config.model_copy(update={"cluster": cluster}))
    try:
        yield ray
    finally:
        ray.shutdown()
