"""What arrives together runs together, every answer reaches who asked for it, and a bad history harms no other."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.forecast.batcher import Batcher
from trading.errors import ForecastRefused


class Model:
    """Answers (symbol, horizon); refuses symbols that begin with "bad", breaks on "broken"."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, histories: Sequence[Any], horizon: int) -> list[Any]:
        symbols = [each.symbol for each in histories]
        self.batches.append(symbols)
        if any(symbol.startswith("bad") for symbol in symbols):
            raise ForecastRefused("FORECAST_HISTORY_SHORT", "too short")
        if "broken" in symbols:
            raise ZeroDivisionError
        return [(symbol, horizon) for symbol in symbols]


def asked(
    symbols: Sequence[str], horizons: Sequence[int] = (), **options: Any
) -> tuple[list[Any], Model]:
    model = Model()

    async def work() -> list[Any]:
        batcher = Batcher(model, **({"max_size": 32} | options))
        steps = horizons or [1] * len(symbols)
        found = await asyncio.gather(
            *(
                batcher.ask(SimpleNamespace(symbol=symbol), horizon)
                for symbol, horizon in zip(symbols, steps, strict=True)
            ),
            return_exceptions=True,
        )
        assert len(batcher) == 0
        assert batcher.joined == len(symbols)
        return found

    return asyncio.run(work()), model


@settings(deadline=None, max_examples=60)
@given(
    questions=st.lists(
        st.tuples(st.sampled_from(["A", "B", "C", "bad1", "bad2"]), st.integers(1, 3)), max_size=20
    ),
    max_size=st.integers(1, 6),
    in_thread=st.booleans(),
)
def test_every_question_gets_its_own_answer(
    questions: list[tuple[str, int]], max_size: int, in_thread: bool
) -> None:
    symbols = [symbol for symbol, _ in questions]
    horizons = [horizon for _, horizon in questions]
    found, model = asked(symbols, horizons, max_size=max_size, in_thread=in_thread)
    for (symbol, horizon), answer in zip(questions, found, strict=True):
        if symbol.startswith("bad"):
            assert isinstance(answer, ForecastRefused)
        else:
            assert answer == (symbol, horizon)
    assert all(len(batch) <= max_size for batch in model.batches)


def test_what_arrives_together_runs_together() -> None:
    found, model = asked(["A", "B", "C", "D", "E"], max_size=3)
    assert model.batches == [["A", "B", "C"], ["D", "E"]]
    assert found[4] == ("E", 1)


def test_a_wait_joins_what_comes_later() -> None:
    model = Model()

    async def work() -> None:
        batcher = Batcher(model, max_size=8, wait_s=0.01)
        first = batcher.ask(SimpleNamespace(symbol="A"), 1)
        await asyncio.sleep(0)
        await asyncio.gather(first, batcher.ask(SimpleNamespace(symbol="B"), 1))

    asyncio.run(work())
    assert model.batches == [["A", "B"]]


def test_who_gave_up_is_not_computed() -> None:
    model = Model()

    async def work() -> None:
        batcher = Batcher(model, max_size=8)
        given_up = batcher.ask(SimpleNamespace(symbol="A"), 1)
        given_up.cancel()
        assert await batcher.ask(SimpleNamespace(symbol="B"), 1) == ("B", 1)

    asyncio.run(work())
    assert model.batches == [["B"]]


def test_an_unforeseen_failure_reaches_all_who_wait() -> None:
    found, _ = asked(["A", "broken"])
    assert all("The model failed" in str(each) for each in found)
    with pytest.raises(ZeroDivisionError):
        raise found[0].__cause__
