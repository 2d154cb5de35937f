"""Ensembles of scripted members, on an event loop whose time passes only while everybody waits."""

import asyncio
import selectors
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.forecast.attempts import prediction_of
from serve.forecast.distributed import DistributedForecast, predict_distributed
from serve.forecast.members import Member, Outcome
from trading.errors import ForecastError, ForecastInvalid, ForecastLate, ForecastRefused, UsageError
from trading.forecasting.aggregation import METHODS, aggregate
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History
from trading.forecasting.prediction import LEVELS

HORIZON = 2
SYMBOLS = ("A", "B", "C")
LEVEL_NAMES = [str(level) for level in LEVELS]


class PatientSelector(selectors.DefaultSelector):
    """Instead of sleeping, lets the time pass."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everybody waits for something that never comes")
        if not ready and timeout:
            self.now_s += timeout
        return ready


def run(coroutine: Any) -> tuple[Any, float]:
    """Return the result and the seconds that passed."""
    selector = PatientSelector()

    class Loop(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return selector.now_s

    with asyncio.Runner(loop_factory=lambda: Loop(selector)) as runner:
        return runner.run(coroutine), selector.now_s


def history(symbol: str, bars: int = 10) -> History:
    close = 100.0 + np.arange(bars) + 10.0 * (ord(symbol[0]) - ord("A"))
    return History(symbol, np.arange(1, bars + 1, dtype=np.int64), close)


HISTORIES = [history(symbol) for symbol in SYMBOLS]


def forecast(of: History, shift: float, **changes: object) -> Forecast:
    """Quantiles rise from `shift` on, per level and step."""
    last = float(of.close[-1])
    paths = np.exp(shift + 0.001 * np.arange(9))[:, None] * np.array([1.0, 1.0 + shift]) * last
    plain = Forecast(
        symbol=of.symbol,
        model="m",
        version=1,
        provider="cpu",
        horizon=HORIZON,
        as_of=int(of.ts[-1]),
        data_cutoff=5,
        expires_at=100,
        last_close=last,
        quantiles=dict(zip(LEVEL_NAMES, map(tuple, paths.tolist()), strict=True)),
        expected_return=0.0,
        deviation=0.1,
        latency_ms=1.0,
    )
    return msgspec.structs.replace(plain, **changes)


class Scripted:
    """Answers with `shift` after `after_s`, or does what the script says."""

    def __init__(
        self,
        shift: float = 0.01,
        after_s: float = 0.0,
        error: Exception | None = None,
        outcome: Callable[[History], Outcome] | None = None,
    ) -> None:
        self._shift, self._after_s, self._error, self._outcome = shift, after_s, error, outcome
        self.asked: list[tuple[str, ...]] = []

    async def forecast(
        self, histories: Sequence[History], horizon: int, left_s: float
    ) -> Sequence[Outcome]:
        self.asked.append(tuple(each.symbol for each in histories))
        if self._after_s:
            await asyncio.sleep(self._after_s)
        if self._error is not None:
            raise self._error
        if self._outcome is not None:
            return [self._outcome(each) for each in histories]
        return [forecast(each, self._shift) for each in histories]


NEVER = 1e9


def ask(*members: Member, histories: Sequence[History] = HISTORIES, **options: Any) -> Any:
    options = {"deadline_ms": 1000.0, **options}
    return run(predict_distributed(histories, members, HORIZON, **options))


def states(found: DistributedForecast) -> list[tuple[str, str]]:
    return [(status.member, status.state) for status in found.members]


# -- aggregation


@pytest.mark.parametrize("method", METHODS)
def test_answer_is_the_aggregation_of_the_members(method: str) -> None:
    shifts = {"a": 0.01, "b": -0.02, "c": 0.04}
    members = [
        Member(name, (Scripted(shift),), loss=0.1 + i)
        for i, (name, shift) in enumerate(shifts.items())
    ]
    weights = {"a": 0.2, "b": 0.3, "c": 0.5} if method == "stacking" else None
    found, _ = ask(*members, method=method, weights=weights)
    said = {
        name: prediction_of([forecast(each, shift) for each in HISTORIES])
        for name, shift in shifts.items()
    }
    losses = {"a": 0.1, "b": 1.1, "c": 2.1}
    expected = aggregate(method, said, weights=weights, losses=losses)  # type: ignore[arg-type]
    assert [each.symbol for each in found.forecasts] == list(SYMBOLS)
    np.testing.assert_allclose(prediction_of(found.forecasts).log_returns, expected.log_returns)
    signals = expected.signals(HORIZON)
    for row, each in enumerate(found.forecasts):
        assert each.expected_return == pytest.approx(signals["forecast_return"][row])
        assert each.deviation == pytest.approx(signals["forecast_deviation"][row])
        assert (each.model, each.version) == (method, 0)
    assert found.voices == dict.fromkeys(SYMBOLS, ("a", "b", "c"))
    assert found.errors == ()


def test_mean_of_two_by_hand() -> None:
    found, _ = ask(Member("a", (Scripted(0.01),)), Member("b", (Scripted(0.03),)), method="mean")
    median = found.forecasts[0].quantiles["0.5"]
    assert median[0] == pytest.approx(109.0 * np.exp(0.02 + 0.004))
    assert median[1] == pytest.approx(109.0 * np.exp(0.024) * np.sqrt(1.01 * 1.03))


def test_facts_of_the_members_are_joined_on_the_safe_side() -> None:
    def facts(**changes: object) -> Member:
        name = str(changes["provider"])
        return Member(name, (Scripted(outcome=lambda each: forecast(each, 0.0, **changes)),))

    found, _ = ask(
        facts(provider="cuda", data_cutoff=4, expires_at=90, is_cached=True),
        facts(provider="cpu", data_cutoff=6, expires_at=80, is_fallback=True),
    )
    one = found.forecasts[0]
    assert (one.provider, one.is_fallback, one.is_cached) == ("cpu+cuda", True, False)
    assert (one.data_cutoff, one.expires_at, one.as_of, one.last_close) == (6, 80, 10, 109.0)


# -- members that do not answer


def test_late_member_is_left_out_at_the_deadline() -> None:
    found, passed_s = ask(
        Member("quick", (Scripted(0.01),)), Member("slow", (Scripted(0.5, NEVER),))
    )
    assert passed_s == pytest.approx(1.0)
    assert states(found) == [("quick", "ok"), ("slow", "late")]
    assert found.members[1].code == "FORECAST_LATE"
    assert found.members[1].latency_ms == pytest.approx(1000.0)
    assert found.voices == dict.fromkeys(SYMBOLS, ("quick",))
    alone, _ = ask(Member("quick", (Scripted(0.01),)))
    np.testing.assert_array_equal(
        prediction_of(found.forecasts).log_returns, prediction_of(alone.forecasts).log_returns
    )


def test_failed_member_is_left_out_with_its_reason() -> None:
    found, passed_s = ask(
        Member("well", (Scripted(),)),
        Member("nan", (Scripted(error=ForecastInvalid("Model nan answered NaN.")),)),
        Member("gone", (Scripted(error=ConnectionRefusedError("no")),)),
    )
    assert passed_s == 0.0
    assert states(found) == [("well", "ok"), ("nan", "failed"), ("gone", "failed")]
    told = [(status.code, status.reason) for status in found.members[1:]]
    assert told == [
        ("FORECAST_OUTPUT_INVALID", "Model nan answered NaN."),
        ("FORECAST_FAILED", "ConnectionRefusedError: no"),
    ]
    assert (found.members[0].forecasts, found.members[1].forecasts) == (3, 0)


def test_too_few_members_is_late_by_name_when_one_was_late() -> None:
    members = [
        Member("well", (Scripted(),)),
        Member("slow", (Scripted(after_s=NEVER),)),
        Member("gone", (Scripted(error=OSError("no route")),)),
    ]
    with pytest.raises(
        ForecastLate,
        match=r"1 of 3 models answered within 1000 ms, 2 must: slow late: .*; gone failed: OSError: no route",
    ):
        ask(*members, quorum=2)
    assert ask(*members, quorum=1)[0].errors == ()


def test_too_few_members_is_an_error_by_name_when_none_was_late() -> None:
    with pytest.raises(ForecastError, match=r"0 of 1 models answered .* gone failed") as caught:
        ask(Member("gone", (Scripted(error=OSError("no route")),)))
    assert not isinstance(caught.value, ForecastLate)


# -- symbols that cannot be forecast


def refusing(*symbols: str) -> Scripted:
    def outcome(of: History) -> Outcome:
        if of.symbol in symbols:
            return ForecastRefused(
                "FORECAST_HISTORY_SHORT", f"{of.symbol} has 10 bars; the model reads 60."
            )
        return forecast(of, 0.02)

    return Scripted(outcome=outcome)


def test_symbol_is_forecast_by_those_who_can() -> None:
    well, picky = Member("well", (Scripted(0.01),)), Member("picky", (refusing("B"),))
    found, _ = ask(well, picky)
    assert found.voices == {"A": ("well", "picky"), "B": ("well",), "C": ("well", "picky")}
    assert (found.members[1].state, found.members[1].refused) == ("ok", 1)
    alone, _ = ask(well)
    assert found.forecasts[1].quantiles == alone.forecasts[1].quantiles
    assert found.forecasts[0].quantiles != alone.forecasts[0].quantiles


def test_symbol_below_the_quorum_is_an_error_of_its_own() -> None:
    found, _ = ask(Member("well", (Scripted(),)), Member("picky", (refusing("B"),)), quorum=2)
    assert [each.symbol for each in found.forecasts] == ["A", "C"]
    [error] = found.errors
    assert (error.symbol, error.code) == ("B", "FORECAST_HISTORY_SHORT")
    assert error.detail == (
        "1 of 2 models forecast B, 2 must; picky: B has 10 bars; the model reads 60."
    )


def test_refused_by_all_are_errors_and_no_exception() -> None:
    found, _ = ask(Member("a", (refusing(*SYMBOLS),)), Member("b", (refusing(*SYMBOLS),)))
    assert found.forecasts == ()
    assert [each.symbol for each in found.errors] == list(SYMBOLS)
    assert states(found) == [("a", "ok"), ("b", "ok")]


def test_horizon_that_no_replica_reaches_is_not_asked_for_twice() -> None:
    refusal = ForecastRefused("FORECAST_HORIZON", "m@1 forecasts from 1 to 1 bars ahead, not 2")
    first, second = Scripted(error=refusal), Scripted(error=refusal)
    found, _ = ask(Member("m", (first, second)))
    assert [error.code for error in found.errors] == ["FORECAST_HORIZON"] * 3
    assert (len(first.asked), len(second.asked)) == (1, 0)


# -- replicas


def test_failed_request_is_repeated_at_another_replica() -> None:
    broken, well = Scripted(error=ConnectionResetError("reset")), Scripted(0.01)
    found, _ = ask(Member("m", (broken, well)))
    assert [len(broken.asked), len(well.asked)] == [1, 1]
    assert states(found) == [("m", "ok")]
    assert (found.members[0].repeated, found.members[0].reason) == (1, "")


def test_no_replica_is_asked_twice_for_the_same() -> None:
    broken = [Scripted(error=OSError(str(number))) for number in range(3)]
    with pytest.raises(ForecastError):
        ask(Member("m", tuple(broken)))
    assert [each.asked for each in broken] == [[SYMBOLS]] * 3


def test_hanging_replica_leaves_time_for_the_others() -> None:
    replicas = (Scripted(after_s=NEVER), Scripted(after_s=NEVER), Scripted(after_s=0.2))
    found, passed_s = ask(Member("m", replicas))
    assert states(found) == [("m", "ok")]
    assert passed_s == pytest.approx(2 / 3 + 0.2)


def test_last_replica_may_take_all_the_time_that_is_left() -> None:
    found, passed_s = ask(Member("m", (Scripted(error=OSError()), Scripted(after_s=0.9))))
    assert (states(found), passed_s) == ([("m", "ok")], pytest.approx(0.9))


def many(count: int) -> list[History]:
    return [_numbered(number) for number in range(count)]


def _numbered(number: int) -> History:
    plain = history("A")
    return History(f"A{number:03}", plain.ts, plain.close)


def test_requests_are_spread_over_the_replicas() -> None:
    replicas = [Scripted(), Scripted(), Scripted()]
    found, _ = ask(Member("m", tuple(replicas)), histories=many(300))
    assert [len(each.asked) for each in replicas] == [2, 2, 1]
    assert sorted(s for each in replicas for r in each.asked for s in r) == [
        f"A{n:03}" for n in range(300)
    ]
    assert [each.symbol for each in found.forecasts] == [f"A{n:03}" for n in range(300)]


def test_member_that_loses_one_request_is_partial() -> None:
    class LosesTheSecond(Scripted):
        async def forecast(
            self, histories: Sequence[History], horizon: int, left_s: float
        ) -> Sequence[Outcome]:
            if histories[0].symbol == "A064":
                raise OSError("lost")
            return await super().forecast(histories, horizon, left_s)

    found, _ = ask(Member("m", (LosesTheSecond(),)), histories=many(130))
    assert states(found) == [("m", "partial")]
    assert (found.members[0].forecasts, len(found.errors)) == (66, 64)
    assert found.errors[0].detail == "0 of 1 models forecast A064, 1 must; m: OSError: lost"


@pytest.mark.parametrize(
    "outcome",
    [
        lambda of: forecast(of, 0.0, as_of=3),
        lambda of: forecast(of, 0.0, last_close=1.0),
        lambda of: forecast(of, 0.0, horizon=1),
        lambda of: forecast(of, 0.0, symbol="X"),
        lambda of: forecast(of, float("nan")),
        lambda of: forecast(of, 0.0, quantiles=dict.fromkeys(LEVEL_NAMES, (-1.0, -1.0))),
        lambda of: forecast(
            of, 0.0, quantiles={name: (9.0 - i, 9.0) for i, name in enumerate(LEVEL_NAMES)}
        ),
        lambda of: forecast(of, 0.0, quantiles={}),
    ],
)
def test_answer_that_is_none_is_not_used(outcome: Callable[[History], Outcome]) -> None:
    found, _ = ask(Member("odd", (Scripted(outcome=outcome),)), Member("well", (Scripted(),)))
    assert states(found) == [("odd", "failed"), ("well", "ok")]
    assert found.voices == dict.fromkeys(SYMBOLS, ("well",))
    repaired, _ = ask(Member("odd", (Scripted(outcome=outcome), Scripted())))
    assert states(repaired) == [("odd", "ok")]


def test_replica_that_answers_only_nan_is_taken_for_broken() -> None:
    broken = Scripted(outcome=lambda _: ForecastInvalid("Model m@1 answered NaN."))
    found, _ = ask(Member("m", (broken, Scripted())))
    assert (states(found), found.members[0].repeated) == ([("m", "ok")], 1)
    with pytest.raises(ForecastError, match=r"m failed: Model m@1 answered NaN"):
        ask(Member("m", (broken,)))


def test_one_symbol_with_nan_costs_the_others_nothing() -> None:
    def outcome(of: History) -> Outcome:
        return ForecastInvalid("NaN") if of.symbol == "B" else forecast(of, 0.01)

    found, _ = ask(Member("m", (Scripted(outcome=outcome), Scripted())))
    assert [each.symbol for each in found.forecasts] == ["A", "C"]
    assert [(each.symbol, each.code) for each in found.errors] == [("B", "FORECAST_OUTPUT_INVALID")]
    assert (found.members[0].refused, found.members[0].repeated) == (1, 0)


def test_answer_with_a_row_missing_is_not_used() -> None:
    class Short(Scripted):
        async def forecast(
            self, histories: Sequence[History], horizon: int, left_s: float
        ) -> Sequence[Outcome]:
            return (await super().forecast(histories, horizon, left_s))[1:]

    with pytest.raises(ForecastError, match="3 forecasts were asked for, 2 came"):
        ask(Member("m", (Short(),)))


# -- conditions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quorum": 0}, "quorum is 0, must be from 1 to 1"),
        ({"quorum": 2}, "quorum is 2, must be from 1 to 1"),
        ({"deadline_ms": 0.0}, "deadline is 0.0 ms"),
        ({"deadline_ms": float("nan")}, "deadline is nan ms"),
        ({"histories": []}, "no symbol"),
        ({"histories": [HISTORIES[0], HISTORIES[0]]}, "symbol 'A' is given twice"),
        ({"method": "weighted"}, "weights, or the recent losses"),
        ({"method": "stacking"}, "needs fitted weights"),
        ({"method": "stacking", "weights": {"other": 1.0}}, "no weight or loss of m"),
        ({"method": "best"}, "no aggregation 'best'"),
    ],
)
def test_impossible_request_is_refused_before_anybody_is_asked(
    options: dict[str, Any], message: str
) -> None:
    replica = Scripted()
    with pytest.raises(UsageError, match=message):
        ask(Member("m", (replica,)), **options)
    assert replica.asked == []


def test_members_must_be_there_and_differ() -> None:
    with pytest.raises(UsageError, match="no member"):
        ask()
    with pytest.raises(UsageError, match="member 'm' is given twice"):
        ask(Member("m", (Scripted(),)), Member("m", (Scripted(),)))
    with pytest.raises(UsageError, match="member 'm' has no replica"):
        ask(Member("m", ()))


# -- whatever happens

DELAYS = st.sampled_from([0.0, 0.1, 0.4, NEVER])
REPLICA = st.tuples(DELAYS, st.booleans(), st.sets(st.sampled_from(SYMBOLS)))


@settings(deadline=None, max_examples=80)
@given(
    scripts=st.lists(st.lists(REPLICA, min_size=1, max_size=3), min_size=1, max_size=4),
    quorum=st.integers(1, 4),
)
def test_every_symbol_and_every_member_is_accounted_for_by_the_deadline(
    scripts: list[list[tuple[float, bool, set[str]]]], quorum: int
) -> None:
    members = []
    for number, script in enumerate(scripts):
        replicas = []
        for after_s, fails, refused in script:
            one = refusing(*refused)
            one._after_s, one._error = after_s, OSError("x") if fails else None
            replicas.append(one)
        members.append(Member(f"m{number}", tuple(replicas)))
    quorum = min(quorum, len(members))

    async def both() -> tuple[Any, float]:
        try:
            found = await predict_distributed(
                HISTORIES, members, HORIZON, deadline_ms=500.0, quorum=quorum
            )
        except ForecastError as error:
            found = error
        return found, asyncio.get_running_loop().time()

    (found, passed_s), _ = run(both())
    assert passed_s <= 0.5 + 1e-9
    able = {
        m.name
        for m, s in zip(members, scripts, strict=True)
        if any(not f and d < 0.1 for d, f, _ in s)
    }
    if isinstance(found, ForecastError):
        assert len(able) < quorum
        return
    assert {each.symbol for each in found.forecasts} | {
        each.symbol for each in found.errors
    } == set(SYMBOLS)
    assert len(found.forecasts) + len(found.errors) == len(SYMBOLS)
    assert [status.member for status in found.members] == [m.name for m in members]
    assert all(len(found.voices[each.symbol]) >= quorum for each in found.forecasts)
    for status in found.members:
        heard = sum(status.member in names for names in found.voices.values())
        assert heard <= status.forecasts
        assert (status.state in ("late", "failed")) <= (status.forecasts == 0)
