import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from trading.errors import ForecastInvalid, UsageError
from trading.forecasting.aggregation import METHODS, aggregate, fit_stacking
from trading.forecasting.prediction import LEVELS, Prediction
from trading.forecasting.scores import pinball

SHAPE = (6, 3, len(LEVELS))
MIDDLE = LEVELS.index(0.5)


def drawn(count: int, seed: int = 0) -> dict[str, Prediction]:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.01, 0.03, SHAPE[0])
    return {
        f"m{i}@1": Prediction(np.sort(rng.normal(0, 0.02, SHAPE), axis=2), scale)
        for i in range(count)
    }


def weighing(method: str, members: dict[str, Prediction], seed: int) -> dict:
    """What the method needs beside the members."""
    rng = np.random.default_rng(seed)
    numbers = {name: float(rng.uniform(0.0, 2.0)) + 1e-3 for name in sorted(members)}
    return {"weighted": {"losses": numbers}, "stacking": {"weights": numbers}}.get(method, {})


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(METHODS), st.integers(1, 6), st.integers(0, 1_000), st.randoms())
def test_together_is_a_prediction_between_its_members_in_any_order(
    method: str, count: int, seed: int, shuffle
) -> None:
    members = drawn(count, seed)
    extra = weighing(method, members, seed)
    together = aggregate(method, members, **extra)
    together.check("together")
    stacked = np.stack([each.log_returns for each in members.values()])
    assert (together.log_returns >= stacked.min(axis=0)).all()
    assert (together.log_returns <= stacked.max(axis=0)).all()
    names = list(members)
    shuffle.shuffle(names)
    again = aggregate(method, {name: members[name] for name in names}, **extra)
    assert (again.log_returns == together.log_returns).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_member_is_the_answer(method: str) -> None:
    members = drawn(1)
    found = aggregate(method, members, **weighing(method, members, 0))
    assert (found.log_returns == members["m0@1"].log_returns).all()
    assert (found.scale == members["m0@1"].scale).all()


@pytest.mark.parametrize("method", METHODS)
def test_members_that_agree_are_the_answer(method: str) -> None:
    one = drawn(1)["m0@1"]
    members = {"a": one, "b": one, "c": one}
    found = aggregate(method, members, **weighing(method, members, 0))
    assert (found.log_returns == one.log_returns).all()


def test_mean_and_median_are_those_of_each_quantile() -> None:
    members = drawn(4)
    for method, by in (("mean", np.mean), ("median", np.median)):
        found = aggregate(method, members).log_returns
        for place in np.ndindex(SHAPE):
            expected = by([each.log_returns[place] for each in members.values()])
            assert found[place] == pytest.approx(expected, rel=1e-12)


def test_half_the_loss_is_twice_the_weight() -> None:
    members = drawn(2)
    found = aggregate("weighted", members, losses={"m0@1": 0.01, "m1@1": 0.02})
    expected = (2 * members["m0@1"].log_returns + members["m1@1"].log_returns) / 3
    assert found.log_returns == pytest.approx(expected)


def test_weights_of_members_that_did_not_answer_go_to_the_others() -> None:
    members = drawn(3)
    weights = {"m0@1": 0.2, "m1@1": 0.3, "m2@1": 0.5}
    del members["m2@1"]
    found = aggregate("stacking", members, weights=weights)
    expected = 0.4 * members["m0@1"].log_returns + 0.6 * members["m1@1"].log_returns
    assert found.log_returns == pytest.approx(expected)


def test_members_without_weight_count_the_same_when_the_others_are_gone() -> None:
    members = drawn(2)
    found = aggregate("stacking", members, weights={"m0@1": 0.0, "m1@1": 0.0, "m2@1": 1.0})
    assert (found.log_returns == aggregate("mean", members).log_returns).all()


def test_majority_is_the_mean_of_those_who_agree() -> None:
    def around(center: float) -> Prediction:
        return Prediction(center + np.linspace(-0.02, 0.02, 9)[None, None], np.array([0.01]))

    members = {"a": around(0.01), "b": around(0.03), "c": around(-0.05)}
    assert float(aggregate("majority", members).median[0, 0]) == pytest.approx(0.02)
    tied = {"a": around(0.01), "c": around(-0.05)}
    assert float(aggregate("majority", tied).median[0, 0]) == pytest.approx(-0.02)


def test_majority_votes_window_by_window_and_step_by_step() -> None:
    members = drawn(5, seed=3)
    found = aggregate("majority", members).log_returns
    for window, step in np.ndindex(SHAPE[:2]):
        rows = [each.log_returns[window, step] for each in members.values()]
        up = sum(row[MIDDLE] > 0 for row in rows) > 2.5
        expected = np.mean([row for row in rows if (row[MIDDLE] > 0) == up], axis=0)
        assert found[window, step] == pytest.approx(expected)


def linear_programme(members: dict[str, Prediction], outcomes: np.ndarray) -> float:
    """The least mean pinball loss of a weighted mean, exactly: simplex method on misses above and below."""
    scale = next(iter(members.values())).scale[:, None, None]
    columns = np.stack([(p.log_returns / scale).ravel() for p in members.values()], axis=1)
    seen = np.repeat((outcomes[..., None] / scale).ravel(), len(LEVELS))
    level = np.tile(LEVELS, outcomes.size)
    rows, count = columns.shape
    equal = np.hstack([columns, np.eye(rows), -np.eye(rows)])
    sums = np.concatenate([np.ones(count), np.zeros(2 * rows)])[None]
    cost = np.concatenate([np.zeros(count), level, 1 - level]) / rows
    return linprog(
        cost, A_eq=np.vstack([equal, sums]), b_eq=np.concatenate([seen, [1.0]]), method="highs"
    ).fun


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_stacking_comes_near_the_best_weights_there_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.01, 0.03, 60)
    outcomes = scale[:, None] * rng.standard_normal((60, 2))
    members = {}
    for name, bias, width in (("a", 0.5, 0.5), ("b", -0.8, 1.5), ("c", 2.0, 3.0), ("d", 0.0, 0.2)):
        noise = bias + 0.3 * rng.standard_normal((60, 2, 1))
        spread = np.array([-2.6, -2, -1.3, -0.7, 0, 0.7, 1.3, 2, 2.6])
        members[name] = Prediction(scale[:, None, None] * (noise + width * spread), scale)
    weights = fit_stacking(members, outcomes)
    assert sum(weights.values()) == pytest.approx(1.0)
    assert min(weights.values()) >= 0.0
    together = aggregate("stacking", members, weights=weights)
    loss = float((pinball(together, outcomes) / scale[:, None]).mean())
    assert loss == pytest.approx(linear_programme(members, outcomes), rel=0.01)


def test_stacking_is_no_worse_than_equal_weights_on_its_own_windows() -> None:
    members = drawn(4, seed=5)
    outcomes = np.random.default_rng(6).normal(0, 0.02, SHAPE[:2])
    units = members["m0@1"].scale[:, None]
    fitted = aggregate("stacking", members, weights=fit_stacking(members, outcomes))
    equal = aggregate("mean", members)
    assert (pinball(fitted, outcomes) / units).mean() <= (
        (pinball(equal, outcomes) / units).mean() + 1e-12
    )


def test_stacking_finds_the_model_that_knows() -> None:
    rng = np.random.default_rng(8)
    scale = np.full(400, 0.02)
    outcomes = rng.normal(0, 0.02, (400, 1))
    spread = np.linspace(-0.001, 0.001, 9)
    members = {
        "knows": Prediction(outcomes[..., None] + spread, scale),
        "guesses": Prediction(rng.normal(0, 0.02, (400, 1, 1)) + spread, scale),
    }
    assert fit_stacking(members, outcomes)["knows"] > 0.97


@pytest.mark.parametrize(
    ("method", "extra", "message"),
    [
        ("vote", {}, "no aggregation 'vote'; there are mean, median"),
        ("weighted", {}, "needs weights, or the recent losses"),
        ("stacking", {"losses": {"m0@1": 1.0, "m1@1": 1.0}}, "needs fitted weights"),
        ("weighted", {"losses": {"m0@1": 1.0}}, "no weight or loss of m1@1"),
        ("weighted", {"losses": {"m0@1": 0.0, "m1@1": 1.0}}, "above 0"),
        ("stacking", {"weights": {"m0@1": -0.1, "m1@1": 1.0}}, "at least 0"),
        ("stacking", {"weights": {"m0@1": float("nan"), "m1@1": 1.0}}, "at least 0"),
    ],
)
def test_wrong_call_is_refused_in_one_sentence(method: str, extra: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        aggregate(method, drawn(2), **extra)


def test_no_member_and_members_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="no model answered"):
        aggregate("mean", {})
    members = drawn(2)
    short = Prediction(members["m0@1"].log_returns[:, :2], members["m0@1"].scale)
    with pytest.raises(UsageError, match="do not mix"):
        aggregate("mean", {**members, "short": short})
    with pytest.raises(UsageError, match="an outcome for every"):
        fit_stacking(members, np.zeros((2, 2)))


def test_member_that_is_no_number_is_named() -> None:
    members = drawn(2)
    members["m1@1"].log_returns[0, 0, 0] = np.nan
    with pytest.raises(ForecastInvalid, match="m1@1"):
        aggregate("median", members)
