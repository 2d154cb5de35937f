"""What a search found, as a person should read it: the honest record first, the best parameters second."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from trading.metrics.growth import wealth
from trading.strategies.strategy import Bars
from trading.validation.sensitivity import CostSensitivity
from tune.backtest import BUY_AND_HOLD, EQUAL_WEIGHT, StrategyRun, yardsticks
from tune.figures import COURSE_FIGURES
from tune.findings import Around, around, costs_of
from tune.outcome import SearchOutcome
from tune.prices import Quoted
from tune.report import charts
from tune.report.page import facts, figures, page, table, write_page
from tune.search import SearchPlan
from tune.space import from_record

WALK_FORWARD = "walk_forward"
SHOWN = 50
"""Trials in the page; the Parquet file has all."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchFindings:
    """A search that has ended, and what stands beside its best trial.

    Attributes
    ----------
    name, source : str
        Of the run, and of its bars.
    notes : tuple of str
        On where signals came from.
    trials : DataFrame
        One row per trial, the best first: `trial`, `ending`, `score`, `reason`, `params` (JSON), `folds`, and
        the means over its folds of `train.*` and `test.*`.
    beside : tuple of StrategyRun
        Buy-and-hold and equal weights over the test bars.
    around : Around or None
        The neighbours of the best parameters, over all bars.
    costs : CostSensitivity or None
        Of the best parameters, over all bars.
    """

    name: str
    source: str
    notes: tuple[str, ...]
    plan: SearchPlan
    outcome: SearchOutcome
    trials: pl.DataFrame
    beside: tuple[StrategyRun, ...]
    around: Around | None
    costs: CostSensitivity | None


def search_findings(
    name: str,
    source: str,
    notes: tuple[str, ...],
    plan: SearchPlan,
    outcome: SearchOutcome,
    bars: Bars,
    quoted: Quoted | None = None,
) -> SearchFindings:
    """Measure what must stand beside the best trial of a search.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.
    """
    objective, best = plan.objective, outcome.best_params
    strategy, settings = objective.strategy, objective.settings
    test = slice(objective.folds[0].test_start, objective.folds[-1].test_stop)
    market = bars if quoted is None else quoted.bars
    actions = None if quoted is None else quoted.rows(test.start, test.stop).actions
    return SearchFindings(
        name=name,
        source=source,
        notes=notes,
        plan=plan,
        outcome=outcome,
        trials=_trials(outcome),
        beside=yardsticks(market.rows(test.start, test.stop), settings, actions),
        around=around(strategy, best, from_record(plan.space), bars, settings, quoted),
        costs=costs_of(strategy, best, bars, settings, quoted),
    )


def results_of(found: SearchFindings) -> list[dict[str, Any]]:
    """Return the trials for machines, the best first: one `{strategy, params, metrics}` each.

    The metrics are the means over the folds of a trial, null where nothing was measured: `train.*` chose it, `test.*`
    came after.
    """
    kept = [name for name in found.trials.columns if name not in {"params", "reason"}]
    return [
        {
            "strategy": found.plan.objective.strategy,
            "params": msgspec.json.decode(row["params"]),
            "metrics": {name: row[name] for name in kept},
        }
        for row in found.trials.iter_rows(named=True)
    ]


def summary_of(found: SearchFindings) -> dict[str, Any]:
    """Return everything for the JSON file beside the report."""
    measured = found.trials.filter(pl.col("folds") > 0).height
    return {
        "name": found.name,
        "strategy": found.plan.objective.strategy,
        "metric": found.plan.objective.metric,
        "source": found.source,
        "notes": found.notes,
        "trials_measured": measured,
        "deflated_sharpe": found.outcome.deflated_sharpe,
        "probability_of_overfitting": found.outcome.overfitting,
        "out_of_sample": out_of_sample(found),
        "around_the_best": None if found.around is None else _plain(found.around),
        "costs_of_the_best": None if found.costs is None else _plain(found.costs),
        "results": results_of(found),
    }


def out_of_sample(found: SearchFindings) -> dict[str, Mapping[str, float]]:
    """Return the figures of walking forward, of buy-and-hold and of equal weights over the same bars."""
    beside = {
        run.strategy: {name: getattr(run.metrics, name) for name in COURSE_FIGURES}
        for run in found.beside
    }
    return {WALK_FORWARD: found.outcome.out_of_sample, **beside}


def out_of_sample_rows(found: SearchFindings) -> list[tuple[str, ...]]:
    """Return `out_of_sample` as lines of text, under `OUT_OF_SAMPLE`."""
    return [
        (
            name,
            number(100 * each["total_return"], 1),
            number(100 * each["annual_return"], 2),
            number(100 * each["volatility"], 1),
            number(each["sharpe"], 2),
            number(100 * each["max_drawdown"], 1),
        )
        for name, each in out_of_sample(found).items()
    ]


OUT_OF_SAMPLE = ("out of sample", "return %", "a year %", "volatility %", "Sharpe", "drawdown %")


def trial_headings(found: SearchFindings) -> tuple[str, ...]:
    metric = found.plan.objective.metric
    return (
        "rank",
        "trial",
        "parameters",
        f"{metric} in training",
        f"{metric} out of sample",
        "folds",
    )


def trial_rows(found: SearchFindings, limit: int) -> list[tuple[str, ...]]:
    """Return the best trials as lines of text, under `trial_headings`; those without a result are left out."""
    metric = found.plan.objective.metric
    measured = found.trials.filter(pl.col("folds") > 0).head(limit)
    return [
        (
            str(rank),
            str(row["trial"]),
            params_text(msgspec.json.decode(row["params"])),
            number(row[f"train.{metric}"], 3),
            number(row[f"test.{metric}"], 3),
            str(row["folds"]),
        )
        for rank, row in enumerate(measured.iter_rows(named=True), 1)
    ]


def verdict(found: SearchFindings) -> list[str]:
    """Return what a reader must know before believing the ranking, one sentence each."""
    outcome = found.outcome
    measured = found.trials.filter(pl.col("folds") > 0).height
    told = [
        (
            f"Deflated Sharpe: {_share(outcome.deflated_sharpe)} probability that the true Sharpe ratio of walking "
            f"forward is above 0, after {measured:,} trials."
        ),
        (
            f"Overfitting: {_share(outcome.overfitting)} probability that the best trial of one half of the time is "
            "below the median in the other half (CSCV)."
        ),
    ]
    return [*told, *beside_the_best(found.around, found.costs)]


def beside_the_best(near: Around | None, costs: CostSensitivity | None) -> list[str]:
    """Return how much the best parameters hang on their values and on the costs, over all bars."""
    told = []
    if near is not None and near.neighbours:
        told.append(
            f"Neighbours of the best: Sharpe {number(near.mean, 2)} on average and {number(near.worst, 2)} at "
            f"worst at {near.neighbours} points around it, {number(near.figure, 2)} at it."
        )
    if costs is None:
        told.append("Costs: the account is ruined under some multiple of the costs.")
    elif np.isnan(costs.break_even):
        told.append("Costs: the best earns nothing even without costs.")
    elif np.isinf(costs.break_even):
        most = costs.rows[-1].multiple
        told.append(f"Costs: the best still earns something at {most:g} times the assumed costs.")
    else:
        told.append(
            f"Costs: the best earns nothing at {costs.break_even:.2f} times the assumed costs."
        )
    return told


def write_search_report(found: SearchFindings, path: Path) -> Path:
    """Write the page, and beside it all figures as JSON and every trial and fold as Parquet.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    written = write_page(search_html(found), path)
    written.with_suffix(".json").write_bytes(msgspec.json.encode(summary_of(found)))
    found.outcome.trials.write_parquet(written.with_suffix(".parquet"))
    return written


def search_html(found: SearchFindings) -> str:
    """Return the whole page."""
    objective, headings = found.plan.objective, trial_headings(found)
    title = f"Search for {objective.strategy}: {found.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        (
            f'<p class="dim">{found.trials.height:,} trials ({found.plan.algorithm.value}, seed '
            f"{found.plan.seed}) on {len(objective.folds)} folds; {escape(found.source)}.</p>"
        ),
        _cards(found),
        "<h2>Out of sample</h2>",
        "<p>In each fold the trial that was best in its training, judged on the bars that follow.</p>",
        table(OUT_OF_SAMPLE, out_of_sample_rows(found), numeric=range(1, 6)),
        figures([_course(found), _scatter(found)]),
        "<h2>What to make of it</h2>",
        "".join(f"<p>{escape(each)}</p>" for each in (*verdict(found), *found.notes)),
        "<h2>Trials</h2>",
        table(headings, trial_rows(found, SHOWN), numeric=(0, 1, 3, 4, 5)),
        "<h2>Folds</h2>",
        _folds(found),
        "<h2>Costs of the best</h2>",
        costs_table(found.costs),
        (
            "<footer><p>Every fold starts without positions. Past results of a simulation say little about the "
            "future, and less after many trials.</p></footer>"
        ),
    ]
    return page(title, "\n".join(parts))


def costs_table(costs: CostSensitivity | None) -> str:
    """Return the table of a return a year under multiples of the costs."""
    rows = [] if costs is None else costs.rows
    cells = [(f"{row.multiple:g}", number(100 * row.figure, 2)) for row in rows]
    return table(("costs times", "a year %"), cells, numeric=(0, 1))


def params_text(params: Mapping[str, object]) -> str:
    """Return parameters in one line; fractions with four digits."""
    return ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in params.items()
    )


def number(value: float | None, digits: int) -> str:
    """Return a number with separators; `-` for none."""
    return "-" if value is None or not np.isfinite(value) else f"{value:,.{digits}f}"


def _trials(outcome: SearchOutcome) -> pl.DataFrame:
    means = (
        outcome.trials.drop_nulls("fold")
        .group_by("trial")
        .agg(pl.len().alias("folds"), pl.col(r"^(train|test)\..*$").mean())
    )
    ranked = outcome.ranking.select("trial", "ending", "score", "reason", "params")
    joined = ranked.join(means, on="trial", how="left", maintain_order="left")
    return joined.with_columns(pl.col("folds").fill_null(0))


def _cards(found: SearchFindings) -> str:
    outcome = found.outcome
    annual = outcome.out_of_sample["annual_return"]
    return facts(
        [
            ("A year, out of sample", _share(annual), "good" if annual > 0 else "bad"),
            ("Sharpe ratio, out of sample", number(outcome.out_of_sample["sharpe"], 2), ""),
            ("Deflated Sharpe ratio", _share(outcome.deflated_sharpe), ""),
            ("Probability of overfitting", _share(outcome.overfitting), ""),
            ("Trials", f"{found.trials.height:,}", ""),
        ]
    )


def _course(found: SearchFindings) -> Any:
    """Growth of 1 by walking forward, and of the yardsticks."""
    chart = charts.blank("Growth of 1 out of sample (logarithmic)")
    returns = found.outcome.returns
    days, shown = charts.thinned(returns["ts"].to_numpy(), wealth(returns[WALK_FORWARD].to_numpy()))
    chart.add_scatter(x=days, y=shown, name="walking forward", line_color=charts.PALETTE[0])
    for run, dash in zip(found.beside, ("dash", "dot"), strict=True):
        start = run.result.settings.initial_cash
        days, shown = charts.thinned(run.result.ts, run.result.equity / start)
        name = {BUY_AND_HOLD: "buy and hold", EQUAL_WEIGHT: "equal weights"}[run.strategy]
        chart.add_scatter(x=days, y=shown, name=name, line={"color": charts.GREY, "dash": dash})
    chart.update_yaxes(type="log")
    return chart


def _scatter(found: SearchFindings) -> Any:
    """Each trial: what it promised in training against what came of it."""
    metric = found.plan.objective.metric
    chart = charts.blank(f"{metric}: training (across) and out of sample (up)")
    chart.add_scatter(
        x=found.trials[f"train.{metric}"].to_numpy(),
        y=found.trials[f"test.{metric}"].to_numpy(),
        text=[f"trial {each}" for each in found.trials["trial"]],
        mode="markers",
        name="trials",
        marker_color=charts.PALETTE[0],
    )
    chart.update_layout(hovermode="closest")
    return chart


def _folds(found: SearchFindings) -> str:
    metric = found.plan.objective.metric
    rows = [
        (
            str(row["fold"] + 1),
            str(row["trial"]),
            params_text(msgspec.json.decode(row["params"])),
            number(row[f"train.{metric}"], 3),
            number(row[f"test.{metric}"], 3),
        )
        for row in found.outcome.walk_forward.iter_rows(named=True)
    ]
    headings = ("fold", "trial", "parameters", f"{metric} in training", f"{metric} out of sample")
    return table(headings, rows, numeric=(0, 1, 3, 4))


def _plain(found: Around | CostSensitivity) -> Any:
    return msgspec.to_builtins(found)


def _share(value: float) -> str:
    return "unknown" if not np.isfinite(value) else f"{100 * value:.1f} %"
