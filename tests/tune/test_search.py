"""What a search refuses before it needs Ray; searches themselves are in tests/ray."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from trading.backtest.engine import Actions
from trading.errors import ClusterUnreachable, UsageError
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.search_space import Choice, Span
from trading.strategies.strategy import Bars
from tune.objective import Fold
from tune.prices import Quoted
from tune.search import Execution, SearchPlan, optimise, read_outcome, space_of, with_fixed
from tune.space import to_record
from tune.store import Store
from tune.suggestions import Algorithm


def run(plan: SearchPlan, bars: Bars, folder: Path) -> None:
    optimise(plan, bars, store=Store(folder), name="first", source="walk")


def test_search_without_ray_says_so(
    plan: SearchPlan, bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(ClusterUnreachable, match="connect to a cluster"):
        run(plan, bars, tmp_path)


def test_unknown_figure_is_refused_with_those_that_there_are(
    plan: SearchPlan, bars: Bars, tmp_path: Path
) -> None:
    objective = msgspec.structs.replace(plan.objective, metric="luck")
    with pytest.raises(UsageError, match=r"no figure 'luck'; known are: .*sharpe"):
        run(msgspec.structs.replace(plan, objective=objective), bars, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("folds", [(), (Fold(0, 100, 100, 401),)])
def test_folds_beyond_the_bars_are_refused(
    plan: SearchPlan, bars: Bars, tmp_path: Path, folds: tuple[Fold, ...]
) -> None:
    objective = msgspec.structs.replace(plan.objective, folds=folds)
    with pytest.raises(UsageError, match="do not lie within the 400 bars"):
        run(msgspec.structs.replace(plan, objective=objective), bars, tmp_path)


def test_trials_are_counted_before_the_search(plan: SearchPlan) -> None:
    assert plan.trials_max == 16
    grid = msgspec.structs.replace(
        plan, algorithm=Algorithm.GRID, trials=None, space=to_record({"window_bars": Span(5, 40)})
    )
    assert grid.trials_max == 36


def test_search_space_is_the_one_that_the_strategy_declares() -> None:
    assert space_of("mean_reversion") == MeanReversion.SEARCH
    with pytest.raises(UsageError, match="'builtins:dict' declares no search space"):
        space_of("builtins:dict")
    with pytest.raises(UsageError, match=r"no strategy 'luck'; known are: .*momentum"):
        space_of("luck")


def test_fixed_parameter_has_one_value_and_one_must_be_left() -> None:
    space = {"window_bars": Span(5, 40), "entry_z": Span(0.2, 2.5)}
    fixed = with_fixed(space, {"entry_z": 1.0, "weight": 0.5})
    assert fixed == {
        "window_bars": Span(5, 40),
        "entry_z": Choice((1.0,)),
        "weight": Choice((0.5,)),
    }
    with pytest.raises(UsageError, match="every parameter of the search is fixed"):
        with_fixed(space, {"entry_z": 1.0, "window_bars": 5})


def test_at_least_one_trial_runs_at_a_time() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Execution(max_concurrent=0)


def test_run_that_does_not_exist_or_has_not_ended_is_not_read(
    plan: SearchPlan, bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no run 'first'"):
        read_outcome(Store(tmp_path), "first")
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(ClusterUnreachable):
        run(plan, bars, tmp_path)
    with pytest.raises(UsageError, match="'first' has not ended"):
        read_outcome(Store(tmp_path), "first")


def test_search_on_quoted_prices_is_another_than_one_on_the_bars(
    plan: SearchPlan, bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    quoted = Quoted(bars, Actions(np.ones_like(bars.close), np.zeros_like(bars.close)))
    store = Store(tmp_path)
    for _ in range(2):
        with pytest.raises(ClusterUnreachable):
            optimise(plan, bars, quoted=quoted, store=store, name="first", source="walk")
    with pytest.raises(UsageError, match="made of something else: data was"):
        run(plan, bars, tmp_path)


def test_unknown_strategy_is_refused(plan: SearchPlan, bars: Bars, tmp_path: Path) -> None:
    objective = msgspec.structs.replace(plan.objective, strategy="luck")
    with pytest.raises(UsageError, match="no strategy 'luck'"):
        run(msgspec.structs.replace(plan, objective=objective), bars, tmp_path)
    assert not list(tmp_path.iterdir())
