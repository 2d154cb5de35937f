"""The report of one or several backtests, and the files beside it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from trading.backtest.settings import BacktestSettings
from trading.errors import UsageError
from trading.identifiers import symbol_of
from trading.metrics.drawdown import worst_drawdowns
from trading.metrics.monthly import monthly_table
from trading.strategies.strategy import Bars
from trading.validation.monte_carlo import MonteCarlo
from trading.validation.sensitivity import CostSensitivity
from tune.backtest import StrategyRun
from tune.report import charts
from tune.report.page import facts, figures, page, table, write_files

TRADES_MAX = 200
"""Longer lists of trades show their newest rows and say so; the Parquet file has all."""
RUIN = 0.5
COLUMNS = (
    "strategy", "return %", "a year %", "volatility %", "Sharpe", "Sortino", "Calmar", "drawdown %",
    "turnover", "trades", "won %", "exposure %", "costs", "P(Sharpe > 0) %",
)  # fmt: skip


class Details(msgspec.Struct, frozen=True):
    """What the report of a single strategy adds: 10,000 other courses, and other costs."""

    monte_carlo: MonteCarlo
    costs: CostSensitivity


def summary_rows(runs: Sequence[StrategyRun]) -> list[tuple[str, ...]]:
    """Return one line of text per run, under `COLUMNS`."""
    rows: list[tuple[str, ...]] = []
    for run in runs:
        m = run.metrics
        rows.append(
            (
                run.strategy,
                _number(100 * m.total_return, 1),
                _number(100 * m.annual_return, 2),
                _number(100 * m.volatility, 1),
                _number(m.sharpe, 2),
                _number(m.sortino, 2),
                _number(m.calmar, 2),
                _number(100 * m.max_drawdown, 1),
                _number(m.turnover, 1),
                f"{m.trades:,}",
                _number(100 * m.win_rate, 1),
                _number(100 * m.exposure, 0),
                _number(m.commission + m.slippage, 0),
                _number(100 * m.probabilistic_sharpe, 1),
            )
        )
    return rows


def write_report(
    runs: Sequence[StrategyRun],
    bars: Bars,
    path: Path,
    source: str,
    details: Details | None = None,
) -> Path:
    """Write the HTML page, and beside it the figures as JSON and the courses as Parquet.

    Parameters
    ----------
    runs : sequence
        Strategies first, then the yardsticks.
    details : Details or None
        Of the first run.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    if path.suffix in {".json", ".parquet"}:
        raise UsageError(f"{path} is the name of a file beside the report; name the page *.html.")
    table_of_courses = BytesIO()
    courses(runs).write_parquet(table_of_courses)
    write_files(
        {
            path: report_html(runs, bars, source, details).encode(),
            path.with_suffix(".json"): msgspec.json.encode(results_of(runs)),
            path.with_suffix(".parquet"): table_of_courses.getvalue(),
        }
    )
    return path.absolute()


def results_of(runs: Sequence[StrategyRun], points: int = 0) -> list[dict[str, Any]]:
    """Return the results for machines: one `{strategy, params, metrics}` per run.

    Parameters
    ----------
    points : int
        Above 0, also `equity`: so many moments at most, evenly spread, the last one among them.
    """
    return [
        {"strategy": run.strategy, "params": dict(run.params), "metrics": run.metrics}
        | ({"equity": _thinned(run, points)} if points else {})
        for run in runs
    ]


def _thinned(run: StrategyRun, points: int) -> list[dict[str, Any]]:
    ts, equity = run.result.ts, run.result.equity
    picked = np.unique(np.linspace(0, len(ts) - 1, min(points, len(ts))).round().astype(int))
    return [
        {
            "at": datetime.fromtimestamp(ts[index] / 1e9, UTC).isoformat(),
            "equity": float(equity[index]),
        }
        for index in picked
    ]


def courses(runs: Sequence[StrategyRun]) -> pl.DataFrame:
    """Return equity, cash, positions' value and costs of every run at every close."""
    return pl.concat(
        pl.DataFrame(
            {
                "strategy": [run.strategy] * len(run.result.ts),
                "ts": run.result.ts,
                **{
                    name: np.ascontiguousarray(getattr(run.result, name))
                    for name in ("equity", "cash", "gross", "net", "traded", "commission", "slippage", "interest", "dividends")
                },
            }
        )
        for run in runs
    )  # fmt: skip


def report_html(
    runs: Sequence[StrategyRun], bars: Bars, source: str, details: Details | None = None
) -> str:
    """Return the whole page."""
    first, last = _day(bars, 0), _day(bars, -1)
    title = f"{runs[0].strategy if details else 'Backtests'}: {first} to {last}"
    drawn = [charts.equity(runs), charts.drawdown(runs), charts.rolling(runs)]
    about = f"{len(bars):,} bars of {len(bars.instrument_ids)} instruments from {source}."
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(about)}</p>',
        _cards(runs[0]) if details else "",
        "<h2>Result</h2>",
        table(COLUMNS, summary_rows(runs), numeric=range(1, len(COLUMNS))),
        _notes(runs),
    ]
    if details is None:
        parts.append(f"<h2>Course</h2>{figures(drawn)}")
    else:
        parts += _one(runs[0], bars, details, drawn)
    parts.append(_footer(runs[0].result.settings, source))
    return page(title, "\n".join(parts))


def _one(run: StrategyRun, bars: Bars, details: Details, drawn: list[Any]) -> list[str]:
    """Return the parts of a page on one strategy."""
    rows = details.costs.rows
    multiples = np.array([row.multiple for row in rows])
    annual = np.array([row.figure for row in rows])
    drawn += [
        charts.exposure(run),
        charts.months(monthly_table(run.result.ts, run.result.returns)),
        charts.fan(details.monte_carlo.fan, run.result.ts),
        charts.costs(multiples, annual),
    ]
    return [
        f"<h2>Course</h2>{figures(drawn)}",
        f"<h2>What else could have happened</h2>{_monte_carlo(details.monte_carlo)}",
        f"<h2>Costs</h2>{_costs(details.costs)}",
        f"<h2>Worst drawdowns</h2>{_drawdowns(run, bars)}",
        f"<h2>Parameters</h2>{_parameters(run)}",
        f"<h2>All figures</h2>{_all_figures(run)}",
        f"<h2>Trades</h2>{_trades(run, bars)}",
    ]


def _cards(run: StrategyRun) -> str:
    m = run.metrics
    return facts(
        [
            ("Final equity", f"{run.result.equity[-1]:,.0f}", ""),
            ("A year", f"{100 * m.annual_return:+.2f} %", "good" if m.annual_return > 0 else "bad"),
            ("Sharpe ratio", _number(m.sharpe, 2), ""),
            ("Largest drawdown", f"{100 * m.max_drawdown:.1f} %", ""),
            ("Trades", f"{m.trades:,}", ""),
            ("Costs", f"{m.commission + m.slippage:,.0f}", ""),
            ("Probability that the Sharpe ratio is above 0", f"{100 * m.probabilistic_sharpe:.1f} %", ""),
        ]
    )  # fmt: skip


def _notes(runs: Sequence[StrategyRun]) -> str:
    told = [f"{run.strategy}: {note}" for run in runs for note in run.notes]
    ruined = [
        f"{run.strategy} lost everything at bar {run.result.ruined_at + 1:,}."
        for run in runs
        if run.result.ruined_at is not None
    ]
    return "".join(f'<p class="dim">{escape(text)}</p>' for text in [*told, *ruined])


def _monte_carlo(found: MonteCarlo) -> str:
    percentiles = (5, 25, 50, 75, 95)
    rows = [
        (name, *(_number(scale * value, 2) for value in np.percentile(values, percentiles)))
        for name, values, scale in (
            ("total return %", found.total_return, 100),
            ("largest drawdown %", found.max_drawdown, 100),
            ("Sharpe", found.sharpe, 1),
        )
    ]
    risk = (
        f"<p>{len(found.total_return):,} courses, resampled in blocks of the returns: "
        f"{100 * found.probability_of_loss:.1f} % end with a loss, "
        f"{100 * found.probability_of_ruin(RUIN):.1f} % fall below half of the start at some time.</p>"
    )
    headings = ("percentile", *(f"{each} %" for each in percentiles))
    return risk + table(headings, rows, numeric=range(1, 6))


def _costs(found: CostSensitivity) -> str:
    rows = [(f"{row.multiple:g}", _number(100 * row.figure, 2)) for row in found.rows]
    if np.isinf(found.break_even):
        text = "The return stays above zero under every multiple of the costs that was tried."
    elif np.isnan(found.break_even):
        text = "Even without costs nothing is earned."
    else:
        text = f"Nothing is left when costs are {found.break_even:.2f} times as high as assumed."
    return f"<p>{text}</p>" + table(("costs times", "a year %"), rows, numeric=(0, 1))


def _drawdowns(run: StrategyRun, bars: Bars) -> str:
    rows = [
        (
            f"{100 * each.depth:.1f}",
            _day(bars, each.start),
            _day(bars, each.trough),
            "not yet" if each.end is None else _day(bars, each.end),
            f"{each.bars:,}",
        )
        for each in worst_drawdowns(run.result.returns)
    ]
    return table(("depth %", "begin", "lowest", "recovered", "bars"), rows, numeric=(0, 4))


def _parameters(run: StrategyRun) -> str:
    return table(("parameter", "value"), [(k, str(v)) for k, v in run.params.items()], numeric=())


def _all_figures(run: StrategyRun) -> str:
    values = msgspec.structs.asdict(run.metrics)
    rows = [(name.replace("_", " "), f"{value:,.6g}") for name, value in values.items()]
    return table(("figure", "value"), rows, numeric=(1,))


def _trades(run: StrategyRun, bars: Bars) -> str:
    trades = run.result.trades
    order = np.argsort(-trades.exit_bar, stable=True)
    rows = [
        (
            symbol_of(bars.instrument_ids[trades.column[i]]),
            "long" if trades.side[i] > 0 else "short",
            _day(bars, int(trades.entry_bar[i])),
            "open" if trades.is_open[i] else _day(bars, int(trades.exit_bar[i])),
            _number(trades.units[i], 2),
            _number(trades.entry_price[i], 4),
            _number(trades.exit_price[i], 4),
            _number(trades.profit[i], 2),
        )
        for i in order[:TRADES_MAX].tolist()
    ]
    if not rows:
        return "<p>Nothing was traded.</p>"
    shown = f"The newest {TRADES_MAX} of {len(trades):,}" if len(trades) > TRADES_MAX else "All"
    headings = ("symbol", "side", "begin", "end", "units", "entry", "exit", "profit")
    return f'<p class="dim">{shown}, newest first.</p>' + table(headings, rows, numeric=range(4, 8))


def _footer(settings: BacktestSettings, source: str) -> str:
    costs, financing = settings.costs, settings.financing
    survivors = (
        " The 20 stocks are adjusted for splits and dividends, and they are stocks that survived to 2022: "
        "every result is flattered, buy-and-hold most of all."
        if source == "sp500"
        else ""
    )
    return f"""<footer><p><b>Assumptions:</b> decided on a close, filled at {settings.execution.value.replace("_", " ")};
{costs.bps:g} basis points, {costs.per_unit:g} per unit, at least {costs.minimum:g} per fill; half a spread
of {costs.half_spread_bps:g} and slippage of {costs.slippage_bps:g} basis points; borrowed shares cost
{100 * financing.borrow_rate:g} % and borrowed cash {100 * financing.debit_rate:g} % a year, cash earns
{100 * financing.cash_rate:g} %; leverage up to {settings.limits.max_leverage:g}.{survivors}</p>
<p>Past results of a simulation say little about the future, and less after many trials. Before taxes;
ratios without a risk-free rate.</p></footer>"""


def _number(value: float, digits: int) -> str:
    return "-" if not np.isfinite(value) else f"{value:,.{digits}f}"


def _day(bars: Bars, row: int) -> str:
    return str(datetime.fromtimestamp(int(bars.ts[row]) // 10**9, UTC).date())
