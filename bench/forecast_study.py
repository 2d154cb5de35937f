"""The table of docs/models.md: every kind of model beside the baselines, out of sample, year by year.

    python -m bench.forecast_study           prints it (about half an hour on two cores)
    python -m bench.forecast_study --write   and writes it into docs/models.md

At the beginning of each of the last years every model is trained anew on the bars before, corrected on the last of
them, and judged on the year. The ensemble is the mean of the networks, corrected in the same way.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from actors.feeds.sources import load_prices, symbols_of
from trading.forecasting.aggregation import aggregate
from trading.forecasting.conformal import Calibration, calibrate, calibrated
from trading.forecasting.history import Inputs
from trading.forecasting.prediction import Prediction
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars
from tune.train.baselines import Predict
from tune.train.evaluation import (
    RollingEvaluation,
    WindowShape,
    predict_all,
    rolling_origin,
    yearly_origins,
)
from tune.train.export import network_predictor
from tune.train.fit import fit
from tune.train.plan import TrainingPlan, plan_of
from tune.train.splits import split_windows
from tune.train.windows import Windows

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
BEGIN, END = "<!-- study -->", "<!-- end of study -->"
NETWORKS = ("nhits", "lstm", "patchtst", "transformer", "tft")
_COLUMNS = (
    ("CRPS", "crps", 10_000.0, ".1f"),
    ("pinball", "pinball", 10_000.0, ".1f"),
    ("MASE", "mase", 1.0, ".3f"),
    ("sMAPE %", "smape", 100.0, ".2f"),
    ("direction %", "directional_accuracy", 100.0, ".1f"),
    ("in 50 %", "coverage_50", 100.0, ".1f"),
    ("in 80 %", "coverage_80", 100.0, ".1f"),
    ("in 95 %", "coverage_95", 100.0, ".1f"),
    ("in 99 %", "coverage_99", 100.0, ".1f"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What is forecast in one part of the study.

    Attributes
    ----------
    plan : mapping of setting to value
        Of every training, see `TrainingPlan`.
    season : int
        Of the seasonal baseline (bars).
    years, years_apart : int
        How many are judged, and how many lie between two trainings.
    """

    title: str
    bars: Bars
    plan: Mapping[str, object]
    season: int
    years: int
    years_apart: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model of one origin: what it says before any correction, and the correction."""

    predict: Predict
    held_out: Windows
    calibration: Calibration | None

    def corrected(self, inputs: Inputs) -> Prediction:
        raw = self.predict(inputs)
        return raw if self.calibration is None else calibrated(raw, self.calibration)


def stocks() -> Series:
    """Return 20 large US stocks, daily, 1990 to 2022 (skfolio)."""
    table = load_prices("sp500", symbols_of("sp500"))
    return Series(
        title="Daily closes of 20 large US stocks, 5 days ahead",
        bars=Bars.of_closes(table.ts, table.instrument_ids, table.close),
        plan={"max_steps": 1000, "test_share": 0.0},
        season=5,
        years=5,
    )


def passengers() -> Series:
    """Return the air passengers of Box and Jenkins, monthly, 1949 to 1960 (neuralforecast)."""
    from neuralforecast.utils import AirPassengersDF

    months = AirPassengersDF["ds"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    return Series(
        title="Air passengers per month, 12 months ahead",
        bars=_one("PASSENGERS", months, AirPassengersDF["y"].to_numpy()),
        plan=_SEASONAL | {"input_size": 36, "validation_share": 0.3, "calibration_share": 0.0},
        season=12,
        years=4,
        years_apart=2,
    )


def carbon_dioxide() -> Series:
    """Return the carbon dioxide over Mauna Loa, mean of each month, 1958 to 2001 (statsmodels)."""
    from statsmodels.datasets import co2

    monthly = co2.load_pandas().data["co2"].resample("ME").mean().interpolate()
    months = monthly.index.to_numpy().astype("datetime64[ns]").astype(np.int64)
    return Series(
        title="Carbon dioxide over Mauna Loa per month, 12 months ahead",
        bars=_one("CO2", months, monthly.to_numpy()),
        plan=_SEASONAL | {"input_size": 36, "validation_share": 0.1, "calibration_share": 0.2},
        season=12,
        years=10,
        years_apart=2,
    )


_SEASONAL = {
    "horizon": 12,
    "test_share": 0.0,
    "max_steps": 1000,
    "batch_size": 64,
    "learning_rate": 1e-3,
}
SERIES: tuple[Callable[[], Series], ...] = (stocks, passengers, carbon_dioxide)


def study(
    series: Series, kinds: Sequence[str] = NETWORKS, tell: Callable[[str], None] = print
) -> dict[str, RollingEvaluation]:
    """Return the rolling evaluation of every kind and of their ensemble."""
    plans = {kind: plan_of(kind, **series.plan) for kind in kinds}
    members: dict[tuple[str, int], Trained] = {}

    def member(kind: str, origin: int) -> Trained:
        if (kind, origin) not in members:
            members[kind, origin] = _trained(series.bars, plans[kind], origin)
            tell(f"{series.title}: {kind} of {np.datetime64(origin, 'ns').astype('datetime64[Y]')}")
        return members[kind, origin]

    def ensemble(origin: int) -> Trained:
        return _together({kind: member(kind, origin) for kind in kinds})

    shape = _shape(next(iter(plans.values())))
    origins = yearly_origins(series.bars.ts, series.years)[:: series.years_apart]
    makers: dict[str, Callable[[int], Trained]] = {
        kind: partial(member, kind) for kind in kinds
    } | ({"ensemble": ensemble} if len(kinds) > 1 else {})
    return {
        name: rolling_origin(
            lambda origin, make=make: make(origin).corrected,  # type: ignore[misc]
            series.bars,
            shape,
            origins,
            season=series.season,
        )
        for name, make in makers.items()
    }


def table(found: Mapping[str, RollingEvaluation]) -> str:
    """Return the pooled scores as Markdown, the best CRPS first."""
    first = next(iter(found.values()))
    rows: dict[str, Mapping[str, float]] = {
        f"{name} (baseline)": scores for name, scores in first.pooled.baselines.items()
    }
    rows |= {name: each.pooled.metrics for name, each in found.items()}
    names = sorted(rows, key=lambda name: rows[name]["crps"])
    head = ["model", *(title for title, *_ in _COLUMNS), "against naive"]
    lines = [_row(head), _row(["---", *["---:"] * (len(head) - 1)])]
    for name in names:
        scores = rows[name]
        cells = [format(scores[key] * unit, style) for _, key, unit, style in _COLUMNS]
        lines.append(_row([name, *cells, _against_naive(scores)]))
    return "\n".join(lines)


def by_year(found: Mapping[str, RollingEvaluation]) -> str:
    """Return the CRPS of every model in every year, in parts of the naive forecast's, as Markdown."""
    first = next(iter(found.values()))
    years = [np.datetime64(each.start_ts, "ns").astype("datetime64[Y]") for each in first.origins]
    lines = [_row(["model", *map(str, years)]), _row(["---", *["---:"] * len(years)])]
    for name, each in found.items():
        ratios = [
            origin.evaluation.metrics["crps"] / origin.evaluation.baselines["naive"]["crps"]
            for origin in each.origins
        ]
        lines.append(_row([name, *(f"{ratio:.3f}" for ratio in ratios)]))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, print its tables, and write them where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.forecast_study")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/models.md")
    wanted = parser.parse_args(arguments)
    sections = []
    for make in SERIES:
        series = make()
        found = study(series, tell=lambda line: print(line, file=sys.stderr))
        windows = int(next(iter(found.values())).pooled.metrics["windows"])
        title = f"### {series.title}\n\n{series.years} years out of sample, {windows} windows."
        sections.append(
            f"{title}\n\n{table(found)}\n\nCRPS over that of the naive forecast, by year:\n\n{by_year(found)}"
        )
    text = "\n\n".join(sections)
    print(text)
    if wanted.write:
        PAGE.write_text(_inserted(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


def _trained(bars: Bars, plan: TrainingPlan, origin: int) -> Trained:
    """Train on the bars before an origin."""
    split = split_windows(bars.rows(0, int(np.searchsorted(bars.ts, origin))), plan)
    predict = network_predictor(fit(plan, split.train, split.validation).network)
    calibration = None
    if len(split.calibration):
        said = predict_all(predict, split.calibration.inputs)
        calibration = calibrate(said, split.calibration.outcomes)
    return Trained(predict, split.calibration, calibration)


def _together(members: Mapping[str, Trained]) -> Trained:
    def predict(inputs: Inputs) -> Prediction:
        return aggregate("mean", {kind: each.corrected(inputs) for kind, each in members.items()})

    held_out = next(iter(members.values())).held_out
    calibration = None
    if len(held_out):
        calibration = calibrate(predict_all(predict, held_out.inputs), held_out.outcomes)
    return Trained(predict, held_out, calibration)


def _shape(plan: TrainingPlan) -> WindowShape:
    return WindowShape(input_size=plan.input_size, horizon=plan.horizon)


def _one(symbol: str, ts: FloatArray, values: FloatArray) -> Bars:
    column = values.astype(np.float64)[:, None]
    return Bars.of_closes(ts.astype(np.int64), (InstrumentId(symbol),), column)


def _against_naive(scores: Mapping[str, float]) -> str:
    if "dm_vs_naive" not in scores:
        return ""
    verdict = "better" if scores["dm_vs_naive"] < 0 else "worse"
    chance = scores["dm_vs_naive_p"]
    return f"{verdict}, p = {chance:.3f}" if chance >= 0.001 else f"{verdict}, p < 0.001"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _inserted(page: str, text: str) -> str:
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    main()
