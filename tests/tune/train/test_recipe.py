"""A real training on the way: small, seeded, calibrated, on the bars that it was given alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

from actors.feeds.sources import load_prices
from actors.models.registry import ModelRegistry
from trading.errors import UsageError
from trading.strategies.signals import FORECAST_DEVIATION
from trading.strategies.strategy import Bars
from tune.forecasters import Forecasters
from tune.train.recipe import recipe_of
from tune.train.walk_forward import RetrainedForecaster

SMALL = {"max_steps": 20, "check_every": 10, "input_size": 16, "batch_size": 32}


@pytest.fixture(scope="module")
def bars() -> Bars:
    table = load_prices("sp500", ("AAPL", "KO", "XOM"))
    start = len(table) - 700
    return Bars.of_closes(table.ts[start:], table.instrument_ids, table.close[start:])


def test_linear_model_is_trained_as_time_goes_on(bars: Bars, tmp_path: Path) -> None:
    kept = ModelRegistry(str(tmp_path))
    forecaster = RetrainedForecaster(
        recipe_of("linear", **SMALL), 12, kept, first_training_bars=300
    )
    found = forecaster.forecast(bars)[FORECAST_DEVIATION]
    manifests = [kept.manifest(f"{name}@1") for name in kept.names()]
    assert len(manifests) >= 1
    assert all(each.kind == "linear" and each.calibration is not None for each in manifests)
    first = min(each.data.last_ts for each in manifests)
    assert np.isnan(found[bars.ts <= first]).all()
    daily = np.diff(np.log(bars.close), axis=0).std()
    assert 0.5 < np.nanmedian(found) / (daily * 5**0.5) < 2.0


def test_same_bars_and_plan_give_the_same_graph(bars: Bars) -> None:
    past = bars.rows(0, 400)
    (one, graph), (two, again) = (recipe_of("linear", **SMALL).train(past) for _ in range(2))
    assert graph == again
    assert one.data == two.data
    assert one.data.last_ts == past.ts[-1]


def test_plan_of_a_recipe_names_all_that_matters() -> None:
    plan = recipe_of("linear", seed=7).plan
    assert plan["seed"] == 7
    assert plan["test_share"] == 0.0
    assert "torch" in plan["made_with"]


def test_kind_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no kind of model 'oracle'"):
        Forecasters(retrain="12m", kept="memory://kept").build("oracle")


def test_training_that_is_not_installed_is_said_in_one_sentence() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from tune.forecasters import Forecasters\n"
        "Forecasters(retrain='12m', kept='memory://kept').build('nhits')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    told = ended.stderr.splitlines()[-1]
    assert "UsageError: --retrain needs packages that are not installed (torch)" in told
    assert "pip install 'neural-trader[train]'" in told
