"""`trader backtest`: one strategy, or all of them, over history."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.laboratory_options import DataOption, FromOption, SymbolsOption, ToOption
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.strategy_inputs import (
    FORECASTER,
    ForecasterOption,
    HoldingsOption,
    ParamOption,
    RetrainOption,
    SentimentOption,
    parameters_of,
    prices_of_source,
    sources_of,
)
from trading.backtest.settings import Execution

if TYPE_CHECKING:
    from trading.backtest.settings import BacktestSettings
    from trading.strategies.strategy import Bars, Strategy
    from tune.backtest import StrategyRun
    from tune.prices import Prices
    from tune.report.backtest_report import Details
    from tune.signal_sources import SignalSources

SEED = 0
"""Of the resampled courses in the report."""


class Gear(StrEnum):
    VECTOR = "vector"
    EVENT = "event"


def backtest(
    ctx: typer.Context,
    strategy: Annotated[
        str,
        typer.Argument(metavar="STRATEGY", help="Name, or FILE.py[:Class]; omit it with --all."),
    ] = "",
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every installed strategy.")] = False,
    param: ParamOption = None,
    data: DataOption = "sp500",
    symbols: SymbolsOption = "",
    start: FromOption = "",
    end: ToOption = "",
    gear: Annotated[
        Gear, typer.Option("--gear", help="vector, or event: the order path that trades.")
    ] = Gear.VECTOR,
    cash: Annotated[float, typer.Option("--cash", help="Initial cash.")] = 1_000_000.0,
    execution: Annotated[
        Execution, typer.Option("--execution", help="When a decision is filled.")
    ] = Execution.NEXT_OPEN,
    fee_bps: Annotated[float, typer.Option("--fee-bps", help="Commission, basis points.")] = 0.0,
    fee_per_unit: Annotated[
        float, typer.Option("--fee-per-unit", help="Commission per unit.")
    ] = 0.005,
    fee_min: Annotated[float, typer.Option("--fee-min", help="Least commission of a fill.")] = 1.0,
    half_spread_bps: Annotated[
        float, typer.Option("--half-spread-bps", help="Half the spread, basis points.")
    ] = 1.0,
    slippage_bps: Annotated[
        float, typer.Option("--slippage-bps", help="Slippage, basis points.")
    ] = 1.0,
    stop_loss: Annotated[
        float, typer.Option("--stop-loss", help="Distance from the entry (0.1 is 10 %); 0: none.")
    ] = 0.0,
    take_profit: Annotated[
        float, typer.Option("--take-profit", help="Distance from the entry; 0: none.")
    ] = 0.0,
    trailing_stop: Annotated[
        float, typer.Option("--trailing-stop", help="Distance from the best price; 0: none.")
    ] = 0.0,
    leverage: Annotated[
        float | None,
        typer.Option(
            "--leverage",
            help="Largest sum of positions over the equity: what goes beyond is made smaller (default 1), by the "
            "event gear refused (default 2).",
        ),
    ] = None,
    long_only: Annotated[bool, typer.Option("--long-only", help="Cut short weights to 0.")] = False,
    forecaster: ForecasterOption = FORECASTER,
    retrain: RetrainOption = "",
    sentiment: SentimentOption = "",
    holdings: HoldingsOption = "",
    report: Annotated[
        Path | None, typer.Option("--report", metavar="PATH", help="Where the HTML report goes.")
    ] = None,
    points: Annotated[
        int,
        typer.Option(
            "--points", min=0, max=2_000, help="With --json: tell the equity at so many moments."
        ),
    ] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a strategy over history, with costs, beside buy-and-hold and equal weights.

    Decisions are made on a close and filled on the next bar. The report is one HTML file; the figures
    (JSON) and the courses (Parquet) lie beside it. With --json, a list of {strategy, params, metrics}.
    """
    from cluster.cli import event_backtest
    from trading.backtest.settings import BacktestSettings, Costs, Exits, Limits
    from trading.errors import UsageError

    if gear is Gear.EVENT:
        event_backtest.require_honoured(ctx)
    names = _names(strategy, every=all_, params=param or [])
    try:
        settings = BacktestSettings(
            initial_cash=cash,
            execution=execution,
            costs=Costs(
                bps=fee_bps,
                per_unit=fee_per_unit,
                minimum=fee_min,
                half_spread_bps=half_spread_bps,
                slippage_bps=slippage_bps,
            ),
            exits=Exits(stop_loss=stop_loss, take_profit=take_profit, trailing_stop=trailing_stop),
            limits=Limits(
                max_leverage=1.0 if leverage is None else leverage, allow_short=not long_only
            ),
        )
    except ValueError as error:
        raise UsageError(f"{error}.") from None
    sources = sources_of(config_of(config), forecaster, sentiment, holdings, retrain, quiet=quiet)
    if gear is Gear.EVENT:
        market = event_backtest.market_of_source(
            ctx, config_of(config), data, symbols, (start, end)
        )
        venue = event_backtest.event_settings(settings, leverage)
        event_backtest.through_the_order_path(
            names, market, venue, sources, as_json=as_json, quiet=quiet
        )
        return
    prices = prices_of_source(config_of(config), data, symbols, (start, end))
    runs = _run_all(names, prices, settings, sources, as_json=as_json, quiet=quiet)
    details = None
    if len(names) == 1:
        details = _details(runs[0], prices, as_json=as_json, quiet=quiet)
    _tell(
        runs, prices.bars, _place(report, config), data, details,
        points=points, as_json=as_json, quiet=quiet,
    )  # fmt: skip


def _names(strategy: str, *, every: bool, params: list[str]) -> dict[str, "Strategy"]:
    """Return the strategies to run by name.

    Raises
    ------
    UsageError
        If it is neither one nor all, or a parameter cannot be read.
    """
    from trading.errors import UsageError
    from trading.strategies.registry import build_strategy, known_strategies
    from tune.user_strategy import load_strategy

    if every == bool(strategy):
        raise UsageError("give the name of a strategy, or --all.")
    if every:
        if params:
            raise UsageError("--param needs one strategy, not --all.")
        return {name: build_strategy(name, {}) for name in known_strategies()}
    return {Path(strategy).stem: load_strategy(strategy, parameters_of(params))}


def _run_all(
    strategies: dict[str, "Strategy"],
    prices: "Prices",
    settings: "BacktestSettings",
    sources: "SignalSources",
    *,
    as_json: bool,
    quiet: bool,
) -> list["StrategyRun"]:
    """Return the strategies in order of their Sharpe ratio, then the yardsticks."""
    from dataclasses import replace
    from math import isnan

    from cluster.cli.meter import meter
    from tune.backtest import backtest as run_one
    from tune.backtest import yardsticks
    from tune.signal_sources import with_signals

    beside = yardsticks(prices.market, settings, prices.actions)
    market = beside[0].result.returns
    runs = []
    with meter("Backtests", len(strategies), plain=as_json, quiet=quiet) as show:
        for done, (name, strategy) in enumerate(strategies.items(), 1):
            told, notes = with_signals(prices.bars, getattr(strategy, "NEEDS", ()), sources)
            run = run_one(
                name,
                strategy,
                told,
                settings,
                prices.actions,
                market=prices.market,
                benchmark=market,
            )
            runs.append(replace(run, notes=notes))
            show(done, name)
    runs.sort(key=lambda run: (isnan(run.metrics.sharpe), -run.metrics.sharpe))
    return [*runs, *beside]


def _details(run: "StrategyRun", prices: "Prices", *, as_json: bool, quiet: bool) -> "Details":
    import numpy as np

    from cluster.cli.meter import meter
    from trading.validation.monte_carlo import resample_returns
    from trading.validation.sensitivity import cost_sensitivity
    from tune.backtest import returns_under_costs
    from tune.report.backtest_report import Details

    with meter("Resampling", 2, plain=as_json, quiet=quiet) as show:
        costs = cost_sensitivity(
            *returns_under_costs(run.weights, prices.market, run.result.settings, prices.actions)
        )
        show(1, "costs")
        courses = resample_returns(
            run.result.returns, run.metrics.periods_per_year, np.random.default_rng(SEED)
        )
        show(2, "courses")
    return Details(courses, costs)


def _place(report: Path | None, config: Path | None) -> Path:
    import time

    from cluster.cli.folders import stamp_of

    if report is not None:
        return report.absolute()
    folder = config_of(config).cluster.state_dir / "backtests"
    return folder / f"{stamp_of(time.time_ns())}.html"


def _tell(
    runs: list["StrategyRun"],
    bars: "Bars",
    place: Path,
    source: str,
    details: "Details | None",
    *,
    points: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the report and print the result."""
    from cluster.cli.output import note, print_json, print_table
    from tune.report.backtest_report import COLUMNS, results_of, summary_rows, write_report

    written = write_report(runs, bars, place, source, details)
    if as_json:
        print_json(results_of(runs, points))
        return
    print_table(COLUMNS, summary_rows(runs))
    for run in runs:
        for text in run.notes:
            note(f"{run.strategy}: {text}", quiet=quiet)
    if details is not None:
        loss = 100 * details.monte_carlo.probability_of_loss
        note(f"{loss:.1f} % of 10,000 resampled courses end with a loss.", quiet=quiet)
    note(f"Report: {written}", quiet=quiet)
