"""The risk report as one HTML page, and the same figures for machines."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from trading.identifiers import symbol_of
from trading.portfolio_risk.estimate import Estimate
from tune.report.charts import PALETTE, blank
from tune.report.page import facts, figures, page, table, write_page
from tune.risk.dependence import Dependence
from tune.risk.measures import Measures
from tune.risk.portfolio import Portfolio
from tune.risk.stress import StressRow, broken_correlation

MEASURE_HEADINGS = (
    "method", "confidence", "value at risk", "95 % interval", "expected shortfall", "95 % interval",
)  # fmt: skip


def measure_rows(estimates: Sequence[Estimate]) -> list[tuple[str, ...]]:
    """Return the table of all methods, money in whole units."""
    return [
        (
            each.method,
            f"{100 * each.confidence:g} %",
            money(each.value_at_risk),
            _interval(each.interval),
            money(each.expected_shortfall),
            _interval(each.shortfall_interval),
        )
        for each in estimates
    ]


DRIVER_HEADINGS = ("position", "value", "share of VaR", "VaR", "marginal", "without it")


def driver_rows(portfolio: Portfolio, measures: Measures) -> list[tuple[str, ...]]:
    """Return the positions, the one that adds most to the value at risk first."""
    found = measures.drivers.value_at_risk
    order = sorted(range(len(portfolio.names)), key=lambda i: -found.component[i])
    total = found.total or 1.0
    return [
        (
            symbol_of(portfolio.names[i]),
            money(portfolio.exposures[i]),
            f"{100 * found.component[i] / total:.1f} %",
            money(found.component[i]),
            f"{found.marginal[i]:.4f}",
            money(-found.incremental[i]),
        )
        for i in order
    ]


JUDGED_HEADINGS = ("method", "confidence", "bars", "exceptions", "Kupiec p", "runs p", "zone")


def judged_rows(measures: Measures) -> list[tuple[str, ...]]:
    """Return how the quick methods did over the last bars."""
    return [
        (
            each.method,
            f"{100 * each.confidence:g} %",
            str(each.bars),
            str(each.exceptions),
            f"{each.kupiec:.3f}",
            f"{each.christoffersen:.3f}",
            each.zone,
        )
        for each in measures.judged
    ]


STRESS_HEADINGS = (
    "scenario", "profit", "of equity", "at that time's prices", "worst position", "its profit", "meaning",
)  # fmt: skip


def stress_rows(portfolio: Portfolio, found: Sequence[StressRow]) -> list[tuple[str, ...]]:
    """Return what each scenario would do, the worst first."""
    return [
        (
            each.name,
            money(each.profit),
            f"{100 * each.profit / portfolio.equity:.1f} %" if portfolio.equity > 0 else "-",
            "-" if each.replayed is None else money(each.replayed),
            symbol_of(each.worst),
            money(each.worst_profit),
            each.title,
        )
        for each in sorted(found, key=lambda row: row.profit)
    ]


LIMIT_HEADINGS = ("limit", "value", "used", "left")


def write_report(
    path: Path,
    portfolio: Portfolio,
    measures: Measures,
    stress: Sequence[StressRow],
    dependence: Dependence | None,
    limits: Sequence[tuple[str, ...]] = (),
) -> Path:
    """Write the page and return its absolute path.

    Parameters
    ----------
    limits : sequence of `LIMIT_HEADINGS`
        Of the account, as far as they are measured.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    day = datetime.fromtimestamp(portfolio.as_of / 1e9, UTC).date()
    title = f"Risk of {len(portfolio.names)} positions on {day}"
    notes = "".join(f'<p class="dim">{escape(note)}</p>' for note in measures.notes)
    body = f"""<h1>{escape(title)}</h1>
<p class="dim">Losses are positive. The history is that of the last {len(portfolio.returns)} bars.</p>
{_summary(portfolio, measures, dependence)}
<h2>What can be lost</h2>{table(MEASURE_HEADINGS, measure_rows(measures.estimates), (1, 2, 3, 4, 5))}{notes}
<h2>Where it comes from</h2>{table(DRIVER_HEADINGS, driver_rows(portfolio, measures), (1, 2, 3, 4, 5))}
<h2>How the methods did</h2>{table(JUDGED_HEADINGS, judged_rows(measures), (1, 2, 3, 4, 5))}
<h2>Stress</h2>{table(STRESS_HEADINGS, stress_rows(portfolio, stress), (1, 2, 3, 5))}
{_limits(limits)}{_dependence(dependence)}
{figures(_charts(portfolio, measures, stress, dependence))}"""
    return write_page(page(title, body), path)


def as_plain(
    portfolio: Portfolio,
    measures: Measures,
    stress: Sequence[StressRow],
    dependence: Dependence | None,
) -> dict[str, Any]:
    """Return all figures of the report for machines; arrays by position."""
    drivers = {
        "value_at_risk": _attribution(measures.drivers.value_at_risk),
        "expected_shortfall": _attribution(measures.drivers.expected_shortfall),
    }
    return {
        "as_of": portfolio.as_of,
        "equity": portfolio.equity,
        "cash": portfolio.cash,
        "positions": [
            {"instrument_id": str(name), "units": units, "price": price, "value": units * price}
            for name, units, price in zip(
                portfolio.names, portfolio.units.tolist(), portfolio.prices.tolist(), strict=True
            )
        ],
        "estimates": list(measures.estimates),
        "drivers": drivers,
        "judged": list(measures.judged),
        "stress": list(stress),
        "effective_bets": None if dependence is None else dependence.bets,
        "correlation_alarm": None if dependence is None else dependence.alarm,
        "notes": list(measures.notes),
    }


def money(value: float) -> str:
    """Return an amount in whole units of the account currency."""
    return f"{value:,.0f}"


def _attribution(found: Any) -> dict[str, Any]:
    return {
        "total": found.total,
        "component": found.component.tolist(),
        "marginal": found.marginal.tolist(),
        "incremental": found.incremental.tolist(),
    }


def _interval(bounds: tuple[float, float]) -> str:
    return " to ".join(money(bound) for bound in bounds)


def _summary(portfolio: Portfolio, measures: Measures, dependence: Dependence | None) -> str:
    first = measures.estimates[0] if measures.estimates else None
    exposures = portfolio.exposures
    cards = [
        ("Equity", money(portfolio.equity), ""),
        ("Gross exposure", money(float(abs(exposures).sum())), ""),
        ("Net exposure", money(float(exposures.sum())), ""),
    ]
    if first is not None:
        cards.append(
            (f"VaR {100 * first.confidence:g} %, {first.method}", money(first.value_at_risk), "")
        )
    if dependence is not None:
        cards.append(("Effective bets", f"{dependence.bets:.1f}", ""))
        broken = broken_correlation(portfolio)
        cards.append(("Deviation of a bar", money(broken.deviation_before), ""))
        cards.append(("If all moved together at worst", money(broken.deviation_after), ""))
    return facts(cards)


def _limits(rows: Sequence[tuple[str, ...]]) -> str:
    return f"<h2>Limits</h2>{table(LIMIT_HEADINGS, rows, (1, 2, 3))}" if rows else ""


def _dependence(found: Dependence | None) -> str:
    if found is None:
        return ""
    groups = "; ".join(", ".join(map(symbol_of, group)) for group in found.groups)  # type: ignore[arg-type]
    text = f"<p>Groups that move together: {escape(groups)}.</p>"
    if found.alarm is not None:
        alarm = found.alarm
        said = "differs from" if alarm.is_raised else "is like"
        text += (
            f"<p>The correlation of the last bars ({alarm.mean_recent:.2f} on average) {said} that before "
            f"({alarm.mean_before:.2f}); p = {alarm.p_value:.3f}.</p>"
        )
    return f"<h2>How positions move together</h2>{text}"


def _charts(
    portfolio: Portfolio,
    measures: Measures,
    stress: Sequence[StressRow],
    dependence: Dependence | None,
) -> list[Any]:
    charts = [_losses(portfolio, measures)]
    if stress:
        charts.append(_stress_chart(stress))
    if dependence is not None:
        charts.append(_heat_map(dependence))
    return charts


def _losses(portfolio: Portfolio, measures: Measures) -> Any:
    """Daily results of today's positions over the history, with the estimates as lines."""
    chart = blank("What today's positions would have made each bar")
    chart.add_histogram(
        x=portfolio.returns @ portfolio.exposures, nbinsx=80, marker_color=PALETTE[0], name="bars"
    )
    worst = max((each.confidence for each in measures.estimates), default=0.0)
    shown = [each for each in measures.estimates if each.confidence == worst and each.horizon == 1]
    for index, each in enumerate(shown):
        chart.add_vline(
            x=-each.value_at_risk,
            line_color=PALETTE[(index + 1) % len(PALETTE)],
            line_dash="dot",
        )
        chart.add_scatter(
            x=[None], y=[None], mode="lines", name=each.method,
            line={"color": PALETTE[(index + 1) % len(PALETTE)], "dash": "dot"},
        )  # fmt: skip
    return chart


def _stress_chart(stress: Sequence[StressRow]) -> Any:
    chart = blank("What scenarios would make or lose")
    rows = sorted(stress, key=lambda row: -row.profit)
    colours = [PALETTE[6] if row.profit < 0 else PALETTE[2] for row in rows]
    chart.add_bar(
        y=[row.name for row in rows],
        x=[row.profit for row in rows],
        orientation="h",
        marker_color=colours,
    )
    chart.update_layout(height=80 + 28 * len(rows), hovermode="closest")
    chart.update_yaxes(automargin=True)
    return chart


def _heat_map(found: Dependence) -> Any:
    chart = blank("Correlation, like beside like")
    symbols = [symbol_of(name) for name in found.names]  # type: ignore[arg-type]
    chart.add_trace(
        go.Heatmap(
            z=found.correlation,
            x=symbols,
            y=symbols,
            zmin=-1,
            zmax=1,
            colorscale="RdBu",
            hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
        )
    )
    chart.update_layout(height=max(360, 120 + 26 * len(symbols)), hovermode="closest")
    chart.update_yaxes(autorange="reversed", automargin=True)
    return chart
