"""`trader backtest --gear event`: strategies through book, risk, broker, exchange and ledger."""

from typing import TYPE_CHECKING

import typer

from cluster.cli.strategy_inputs import prices_of_source

if TYPE_CHECKING:
    from cluster.config import Config
    from trading.backtest.settings import BacktestSettings
    from trading.strategies.strategy import Bars, Strategy
    from tune.event_gear.settings import EventSettings
    from tune.recorded import Recording
    from tune.report.event_summary import EventRun
    from tune.signal_sources import SignalSources

UNUSED = (
    "report",
    "stop_loss",
    "take_profit",
    "trailing_stop",
    "long_only",
    "points",
)
"""Options of the command that say nothing to this gear."""


def require_honoured(ctx: typer.Context) -> None:
    """Refuse what the event gear would not do: it must not pretend otherwise.

    Raises
    ------
    UsageError
        Naming an option that was given and says nothing to it.
    """
    from trading.backtest.settings import Execution
    from trading.errors import UsageError

    for name in UNUSED:
        if _is_given(ctx, name):
            raise UsageError(f"{_option(name)} says nothing to the event gear; leave it out.")
    if _is_given(ctx, "execution") and ctx.params["execution"] != Execution.SAME_CLOSE:
        raise UsageError(
            "--execution: the event gear fills around the close of the decision; leave it out, or give same_close."
        )


def event_settings(settings: "BacktestSettings", leverage: float | None) -> "EventSettings":
    """Return the same cash and costs for the order path.

    Parameters
    ----------
    leverage : float or None
        None is the exchange's own limit.

    Raises
    ------
    UsageError
        If a number is out of the range of the exchange.
    """
    from decimal import Decimal

    from trading.errors import UsageError
    from tune.event_gear.settings import EventSettings, assumptions_of

    try:
        return EventSettings(
            initial_cash=Decimal(repr(settings.initial_cash)),
            assumptions=assumptions_of(settings.costs, leverage),
            decides_ahead=True,
        )
    except ValueError as error:
        raise UsageError(f"{error}.") from None


def market_of_source(
    ctx: typer.Context, config: "Config", data: str, symbols: str, span: tuple[str, str]
) -> "Bars | Recording":
    """Return the record of a data set that holds events alone, the bars of any other source.

    Raises
    ------
    DataError, UsageError
        If the source, a symbol or a date is wrong, or a spread was given for a market that shows its own.
    """
    from actors.storage.catalogue import Catalogue
    from actors.storage.price_tables import CATALOGUE
    from cluster.cli.strategy_inputs import symbols_of
    from trading.errors import UsageError
    from tune.recorded import is_recording, recording_of

    catalogue = Catalogue(str(config.cluster.state_dir / "catalogue"))
    name, _, interval = data.removeprefix(CATALOGUE).partition("@")
    if not data.startswith(CATALOGUE) or not is_recording(catalogue.manifest(name)):
        return prices_of_source(config, data, symbols, span).bars
    if _is_given(ctx, "half_spread_bps"):
        raise UsageError(
            "--half-spread-bps: recorded quotes and books show their own; leave it out."
        )
    for signal in ("sentiment", "holdings"):
        if _is_given(ctx, signal):
            raise UsageError(f"--{signal} says nothing to a record of events; leave it out.")
    return recording_of(catalogue, name, interval, symbols_of(symbols), *span)


def through_the_order_path(
    strategies: dict[str, "Strategy"],
    market: "Bars | Recording",
    settings: "EventSettings",
    sources: "SignalSources",
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run each strategy, and print what came of it."""
    from cluster.cli.output import note, print_json
    from trading.errors import ConfigError
    from tune.recorded import Recording
    from tune.report.event_summary import event_figures, replay_events, run_events

    runs = []
    for name, one in strategies.items():
        try:
            if isinstance(market, Recording):
                build = sources.forecasters.build_live
                runs.append(replay_events(name, one, market, settings, sources.forecaster, build))
            else:
                runs.append(run_events(name, one, market, settings, sources))
        except ConfigError as error:
            if len(strategies) == 1:
                raise
            note(f"left out: {error}", quiet=quiet)
    if as_json:
        print_json([event_figures(run) for run in runs])
        return
    _print(runs)
    for run in runs:
        for text in run.notes:
            note(f"{run.strategy}: {text}", quiet=quiet)
    note(_how(market), quiet=quiet)


def _print(runs: list["EventRun"]) -> None:
    from cluster.cli.output import print_table
    from tune.report.event_summary import event_figures

    headings = ("strategy", "return %", "Sharpe", "drawdown %", "fills", "refused", "books agree")
    rows = []
    for run in runs:
        figures = event_figures(run)["metrics"]
        rows.append(
            (
                run.strategy,
                f"{100 * figures['total_return']:.1f}",
                f"{figures['sharpe']:.2f}",
                f"{100 * figures['max_drawdown']:.1f}",
                figures["fills"],
                figures["refused"],
                "yes" if figures["books_agree"] else "NO",
            )
        )
    print_table(headings, rows)


def _how(market: "Bars | Recording") -> str:
    from trading.identifiers import symbol_of
    from tune.recorded import Recording

    if not isinstance(market, Recording):
        return "Sized on the initial cash, in whole shares, filled around each close."
    grids = ", ".join(
        f"{symbol_of(each.instrument_id)} in ticks of {each.tick_size} and lots of {each.lot_size}"
        for each in market.instruments
    )
    return f"Sized on the initial cash, filled from the record: {grids}."


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
