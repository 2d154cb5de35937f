"""One scenario as an HTML page: losses by position and factor, and the path of that time."""

from html import escape
from pathlib import Path
from typing import Any

from trading.identifiers import symbol_of
from trading.stress.replay import Replay
from trading.stress.scenario_loss import ScenarioLoss
from tune.report.charts import PALETTE, blank
from tune.report.page import facts, figures, page, table, write_page
from tune.risk.portfolio import Portfolio
from tune.risk.report import money


def write_stress_page(
    path: Path, portfolio: Portfolio, loss: ScenarioLoss, past: Replay | None, title: str
) -> Path:
    """Write the page and return its absolute path.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    cards = [("By the factors", money(-loss.total), "bad" if loss.total > 0 else "good")]
    if past is not None:
        cards.append(("On the prices of that time", money(-past.total), ""))
        cards.append(("Worst day", f"{money(-past.worst_day_loss)} on {past.worst_day}", ""))
    factors = zip(loss.factors, loss.by_factor.tolist(), strict=True)
    body = f"""<h1>{escape(loss.scenario)}</h1><p class="dim">{escape(title)}</p>{facts(cards)}
<h2>By factor</h2>{table(("factor", "profit"), [(name, money(-lost)) for name, lost in factors], (1,))}
<h2>By position</h2>{figures(_charts(portfolio, loss, past))}"""
    return write_page(page(loss.scenario, body), path)


def _charts(portfolio: Portfolio, loss: ScenarioLoss, past: Replay | None) -> list[Any]:
    by_position = loss.by_position
    order = sorted(range(len(portfolio.names)), key=lambda i: by_position[i])
    chart = blank("Profit and loss by position")
    chart.add_bar(
        y=[symbol_of(portfolio.names[i]) for i in order],
        x=[-float(by_position[i]) for i in order],
        orientation="h",
        marker_color=[PALETTE[6] if by_position[i] > 0 else PALETTE[2] for i in order],
    )
    chart.update_layout(height=120 + 24 * len(order), hovermode="closest")
    chart.update_yaxes(automargin=True)
    charts = [chart]
    if past is not None:
        path = blank("Today's positions on the prices of that time")
        path.add_scatter(
            x=past.days.astype(str).tolist(), y=(-past.path).tolist(), line={"color": PALETTE[0]}
        )
        charts.append(path)
    return charts
