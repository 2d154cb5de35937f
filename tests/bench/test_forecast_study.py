"""The study judges what it trained on the past alone, and its tables say what was measured."""

import numpy as np
import pytest

from bench import forecast_study
from bench.forecast_study import Series, by_year, study, table
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars


def a_season() -> Series:
    """Fourteen years of months with a yearly wave and little noise."""
    months = np.arange("2000-01", "2014-01", dtype="datetime64[M]")
    ends = (months + 1).astype("datetime64[D]") - 1
    ts = ends.astype("datetime64[ns]").astype(np.int64)
    wave = 0.3 * np.sin(2 * np.pi * np.arange(ts.size) / 12)
    noise = np.random.default_rng(2).normal(0, 0.01, ts.size)
    close = np.exp(4.0 + wave + noise)[:, None]
    return Series(
        title="A season",
        bars=Bars.of_closes(ts, (InstrumentId("WAVE"),), close),
        plan={
            "horizon": 6,
            "input_size": 24,
            "max_steps": 120,
            "check_every": 40,
            "batch_size": 32,
            "test_share": 0.0,
            "validation_share": 0.2,
            "calibration_share": 0.2,
        },
        season=12,
        years=2,
    )


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    return study(a_season(), kinds=("nhits", "linear"), tell=lambda _: None)


def test_networks_and_their_ensemble_stand_beside_the_baselines(found: dict) -> None:
    assert list(found) == ["nhits", "linear", "ensemble"]
    lines = table(found).splitlines()
    assert len(lines) == 2 + 3 + 4
    scores = [float(line.split("|")[2]) for line in lines[2:]]
    assert scores == sorted(scores)
    assert {line.split("|")[1].strip() for line in lines[2:]} == {
        "nhits", "linear", "ensemble", "naive (baseline)", "seasonal_naive (baseline)",
        "ets (baseline)", "linear (baseline)",
    }  # fmt: skip


def test_network_finds_the_season(found: dict) -> None:
    pooled = found["nhits"].pooled
    assert pooled.beats_naive
    assert pooled.metrics["crps"] < 0.5 * pooled.baselines["naive"]["crps"]


def test_years_are_those_that_were_not_trained_on(found: dict) -> None:
    head, _, *rows = by_year(found).splitlines()
    assert head == "| model | 2012 | 2013 |"
    assert [row.split("|")[1].strip() for row in rows] == ["nhits", "linear", "ensemble"]


def test_training_sees_nothing_of_the_year_that_it_is_judged_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    real = forecast_study.split_windows

    def spy(bars: Bars, plan: object) -> object:
        seen.append(int(bars.ts[-1]))
        return real(bars, plan)

    monkeypatch.setattr(forecast_study, "split_windows", spy)
    study(a_season(), kinds=("linear",), tell=lambda _: None)
    ends = [np.datetime64(ts, "ns").astype("datetime64[M]") for ts in seen]
    assert [str(end) for end in ends] == ["2011-12", "2012-12"]


def test_page_is_replaced_between_its_marks_alone() -> None:
    page = f"before\n{forecast_study.BEGIN}\nold\n{forecast_study.END}\nafter\n"
    new = forecast_study._inserted(page, "new")
    assert new == f"before\n{forecast_study.BEGIN}\nnew\n{forecast_study.END}\nafter\n"
