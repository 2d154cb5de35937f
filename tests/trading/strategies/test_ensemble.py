import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from trading.errors import ConfigError, UsageError
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies import ensemble
from trading.strategies.ensemble import Ensemble, majority, stacked_shares, volatility_rank
from trading.strategies.registry import build_strategy
from trading.strategies.strategy import Bars, Strategy

DAY = 86_400 * 10**9
MEMBERS: dict[str, dict[str, object]] = {
    "mean_reversion": {"window_bars": 10, "entry_z": 1.2, "allow_short": True},
    "momentum": {"formation_bars": 60, "skip_bars": 5, "volatility_bars": 20, "allow_short": True},
    "pairs": {"formation_bars": 40, "significance": 0.1, "entry_z": 1.0},
}
ROWS = range(330, 900, 41)


def opinions(bars: Bars) -> list[FloatArray]:
    return [build_strategy(name, each).targets(bars) for name, each in MEMBERS.items()]


def limited(weights: FloatArray) -> FloatArray:
    return weights / max(1.0, float(np.abs(weights).sum()))


def assert_decides_like(made: Strategy, bars: Bars, expected: Mapping[int, FloatArray]) -> None:
    batch = made.targets(bars)
    assert sum(bool(weights.any()) for weights in expected.values()) >= 5
    for row, weights in expected.items():
        np.testing.assert_allclose(batch[row], weights, rtol=1e-6, atol=1e-9, err_msg=str(row))


def test_weighted_is_the_mean_by_shares(bars: Bars) -> None:
    made = Ensemble(members=MEMBERS, shares={"momentum": 3.0, "pairs": 0.0})
    reversion, trend, _ = opinions(bars)
    assert_decides_like(made, bars, {row: (reversion + 3 * trend)[row] / 4 for row in ROWS})
    equal = Ensemble(members=MEMBERS).targets(bars)
    np.testing.assert_allclose(equal[400:], sum(opinions(bars))[400:] / 3, atol=1e-12)  # type: ignore[index]


def test_voting_decides_like_the_loop(bars: Bars) -> None:
    def vote(weights: list[float]) -> float:
        longs = [weight for weight in weights if weight > 0]
        shorts = [weight for weight in weights if weight < 0]
        winners = longs if len(longs) >= 2 else shorts if len(shorts) >= 2 else [0.0]
        return statistics.fmean(winners)

    each = opinions(bars)
    expected = {
        row: limited(np.array([vote([o[row, column] for o in each]) for column in range(6)]))
        for row in range(330, 900, 7)
    }
    assert_decides_like(Ensemble(members=MEMBERS, mode="voting"), bars, expected)


def month_start(bars: Bars, row: int) -> int:
    def month(at: int) -> tuple[int, int]:
        moment = datetime.fromtimestamp(int(bars.ts[at]) // 10**9, UTC)
        return moment.year, moment.month

    while month(row - 1) == month(row):
        row -= 1
    return row


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_stacking_decides_like_the_loop(ridge: float, bars: Bars) -> None:
    made = Ensemble(members=MEMBERS, mode="stacking", fit_bars=80, ridge=ridge)
    each, expected, negative = opinions(bars), {}, 0
    for row in ROWS:
        start = month_start(bars, row)
        x, y = [], []
        for past in range(start - 80, start):
            for column in range(6):
                x.append([opinion[past, column] for opinion in each])
                y.append(bars.close[past + 1, column] / bars.close[past, column] - 1)
        size = math.sqrt(ridge * sum(value**2 for line in x for value in line) / 3)
        coefficients = np.linalg.lstsq(np.vstack([x, size * np.eye(3)]), np.r_[y, np.zeros(3)])[0]
        negative += int((coefficients < 0).sum())
        useful = [max(float(each), 0.0) for each in coefficients]
        shares = [value / sum(useful) if sum(useful) else 0.0 for value in useful]
        expected[row] = sum((s * o[row] for s, o in zip(shares, each, strict=True)), np.zeros(6))
    assert 0 < negative < 3 * len(ROWS)
    assert_decides_like(made, bars, expected)


def test_regime_decides_like_the_loop(bars: Bars) -> None:
    made = Ensemble(members=MEMBERS, mode="regime", volatility_bars=10, regime_bars=50)
    each, expected, ruled = opinions(bars), {}, set()
    daily = [
        statistics.fmean((bars.close[row] / bars.close[row - 1] - 1).tolist())
        for row in range(1, len(bars))
    ]
    for row in range(330, 900, 7):
        history = [statistics.stdev(daily[at - 10 : at]) for at in range(row - 49, row + 1)]
        lower = sum(past < history[-1] for past in history)
        regime = next(i for i in range(3) if lower / 50 < (i + 1) / 3)
        ruled.add(regime)
        expected[row] = each[regime][row]
    assert ruled == {0, 1, 2}
    assert_decides_like(made, bars, expected)


@dataclass(frozen=True)
class Told:
    """A member that holds what the signal of its name says."""

    name: str
    lookback: int = 3

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802
        return (self.name, "shared")

    def targets(self, bars: Bars) -> FloatArray:
        return bars.signals[self.name]


@pytest.fixture
def told_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "build_strategy", lambda name, each: Told(name, **each))


def told_bars(**signals: list[list[float]]) -> Bars:
    arrays = {name: np.array(values) for name, values in signals.items()}
    shape = next(iter(arrays.values())).shape
    names = tuple(InstrumentId(f"{name}.X") for name in "ABCD"[: shape[1]])
    ts = DAY * np.arange(shape[0], dtype=np.int64)
    return replace(Bars.of_closes(ts, names, np.full(shape, 10.0)), signals=arrays)


@pytest.mark.usefixtures("told_members")
def test_needs_are_those_of_all_members_once() -> None:
    made = Ensemble(members={"b": {}, "a": {"lookback": 7}})
    assert made.NEEDS == ("b", "shared", "a")
    assert made.lookback == 7


@pytest.mark.usefixtures("told_members")
def test_majority_needs_more_than_half() -> None:
    votes = {"a": [[0.4, 0.4, -0.2]] * 3, "b": [[0.2, -0.2, -0.4]] * 3}
    two = Ensemble(members={"a": {}, "b": {}}, mode="voting").targets(told_bars(**votes))
    np.testing.assert_allclose(two, [[0.0] * 3] * 2 + [[0.3, 0.0, -0.3]])
    votes["c"] = [[0.0, 0.2, 0.0]] * 3
    three = Ensemble(members={"a": {}, "b": {}, "c": {}}, mode="voting").targets(told_bars(**votes))
    np.testing.assert_allclose(three[-1], [0.3, 0.3, -0.3])


@pytest.mark.usefixtures("told_members")
def test_majority_of_different_members_is_limited_to_the_capital() -> None:
    votes = {
        "a": [[0.5, 0.5, 0.0]] * 3,
        "b": [[0.5, 0.0, 0.5]] * 3,
        "c": [[0.0, 0.5, 0.5]] * 3,
    }
    assert majority(np.array(list(votes.values())))[-1].sum() == 1.5
    made = Ensemble(members={name: {} for name in votes}, mode="voting")
    np.testing.assert_allclose(made.targets(told_bars(**votes))[-1], [1 / 3] * 3)


def test_member_that_lost_gets_nothing_and_without_a_winner_nothing_is_held() -> None:
    following = np.array([[0.01], [-0.02], [0.03], [math.nan]])
    right, wrong = np.sign(np.nan_to_num(following)), -np.sign(np.nan_to_num(following))
    np.testing.assert_allclose(stacked_shares(np.stack([right, 0 * right]), following, 0.1), [1, 0])
    np.testing.assert_allclose(stacked_shares(np.stack([right, wrong]), following, 0.1), [1, 0])
    for nobody in (wrong, 0 * wrong):
        np.testing.assert_array_equal(stacked_shares(nobody[None], following, 0.1), [0.0])


def test_equal_members_share_equally_even_without_ridge() -> None:
    following = np.random.default_rng(1).normal(0.01, 0.02, (40, 2))
    np.testing.assert_allclose(stacked_shares(np.ones((2, 40, 2)), following, 0.0), [0.5, 0.5])


def test_rank_of_the_highest_volatility_is_below_1_and_of_a_silent_market_0() -> None:
    swings = np.cumprod(1.0 + 0.001 * np.arange(60) * (-1.0) ** np.arange(60))[:, None]
    rank = volatility_rank(swings, 5, 20)
    assert np.isnan(rank[:24]).all()
    np.testing.assert_allclose(rank[24:], 19 / 20)
    assert volatility_rank(np.full((60, 1), 7.0), 5, 20)[-1] == 0.0
    assert np.isnan(volatility_rank(np.full((60, 1), math.nan), 5, 20)).all()


def test_members_decide_once_for_many_ensembles(
    bars: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(Told, "targets", lambda self, bars: calls.append(self) or bars.close * 0.0)
    monkeypatch.setattr(ensemble, "build_strategy", lambda name, each: Told(name, **each))
    fresh = bars.rows(0, 400)
    for mode in ("weighted", "voting"):
        Ensemble(members={"a": {}, "b": {}}, mode=mode).targets(fresh)
    assert len(calls) == 2
    Ensemble(members={"a": {"lookback": 4}}).targets(fresh)
    assert len(calls) == 3


def test_default_ensemble_is_read_from_a_file_and_from_nothing_alike() -> None:
    text = b'{"members": {"momentum": {"top_k": 2}, "mean_reversion": {}}, "mode": "voting"}'
    made = msgspec.json.decode(text, type=Ensemble)
    assert made.built["momentum"] == build_strategy("momentum", {"top_k": 2})
    assert list(Ensemble().built) == ["momentum", "mean_reversion"]


@pytest.mark.parametrize(
    ("changes", "error", "what"),
    [
        ({"mode": "loudest"}, ValueError, "mode must be one of weighted, voting, stacking, regime"),
        ({"members": {}}, ValueError, "members must name at least one strategy"),
        ({"members": ["momentum"]}, ValueError, "members must map names of strategies"),
        ({"members": {"moment": {}}}, UsageError, "There is no strategy 'moment'"),
        ({"members": {"momentum": {"top": 1}}}, ConfigError, "Strategy 'momentum'"),
        ({"members": {"momentum": {"top_k": 0}}}, ConfigError, "top_k must be a whole number"),
        ({"shares": {"pairs": 1.0}}, ValueError, "shares name pairs, not among the members"),
        (
            {"shares": {"momentum": -1.0}},
            ValueError,
            "the share of momentum must be from 0 to 1000",
        ),
        ({"shares": {"momentum": math.nan}}, ValueError, "the share of momentum must be from 0"),
        ({"shares": {"momentum": True}}, ValueError, "the share of momentum must be from 0"),
        ({"shares": {"momentum": 0, "mean_reversion": 0}}, ValueError, "must be above 0"),
        ({"fit_bars": 29}, ValueError, "fit_bars must be a whole number from 30 to 2520"),
        ({"ridge": -1.0}, ValueError, "ridge must be a number from 0.0 to 100.0"),
    ],
)
def test_wrong_parameter_is_named(
    changes: dict[str, object], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        Ensemble(**changes)  # type: ignore[arg-type]


def test_ensemble_is_no_member_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Ensemble()
    monkeypatch.setattr(ensemble, "build_strategy", lambda name, each: inner)
    with pytest.raises(ValueError, match="an ensemble cannot be a member of another"):
        Ensemble(members={"ensemble": {}})
