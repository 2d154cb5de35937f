"""One look for all listeners: shared, only while somebody listens, and never more than the newest state."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from serve.api.watch import LISTENERS_MAX, PROBLEM, Content, Wanted, Watch
from serve.http.problems import RequestRefused
from trading.errors import ClusterUnreachable

PATIENCE_S = 60.0
NOW_S, NEVER_S = 0.001, 3600.0


class Source:
    """Contents that a test sets; an exception is raised."""

    def __init__(self, **texts: str) -> None:
        self.texts = texts
        self.error: Exception | None = None
        self.wanted: list[Wanted] = []

    def read(self, wanted: Wanted) -> Mapping[str, Content]:
        self.wanted.append(wanted)
        if self.error is not None:
            raise self.error
        return {name: Content(body=self.texts[name].encode()) for name in wanted}


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(work(), 100))  # type: ignore[arg-type]


async def looked_again(source: Source) -> None:
    """Wait until looks that began after this call have been told of: a later one has begun."""
    looks = len(source.wanted)
    while len(source.wanted) < looks + 4:  # noqa: ASYNC110 - a thread is looking
        await asyncio.sleep(0.001)


def texts(news: Mapping[str, Content]) -> dict[str, str]:
    return {name: content.body.decode() for name, content in news.items()}


def test_a_listener_hears_every_topic_at_once_and_then_what_changes() -> None:
    source = Source(a="1", b="1")

    async def work() -> None:
        watch = Watch(source.read, NOW_S, "/x")
        with watch.listener(frozenset("ab")) as one:
            assert texts(await one.news(PATIENCE_S)) == {"a": "1", "b": "1"}
            source.texts["b"] = "2"
            assert texts(await one.news(PATIENCE_S)) == {"b": "2"}
            await looked_again(source)
            assert await one.news(0.0) == {}

    run(work)


def test_all_listeners_share_one_look_and_each_hears_its_topics() -> None:
    source = Source(a="1", b="1")

    async def work() -> None:
        watch = Watch(source.read, NEVER_S, "/x")
        with watch.listener(frozenset("a")) as one, watch.listener(frozenset("b")) as two:
            assert texts(await one.news(PATIENCE_S)) == {"a": "1"}
            assert texts(await two.news(PATIENCE_S)) == {"b": "1"}
            looks = len(source.wanted)
            assert source.wanted[-1] == frozenset("ab")
            with watch.listener(frozenset("a")) as three:
                assert texts(await three.news(PATIENCE_S)) == {"a": "1"}
            assert len(source.wanted) <= looks + 1

    run(work)


def test_a_listener_that_is_slow_hears_the_newest_alone() -> None:
    source = Source(a="1")

    async def work() -> None:
        watch = Watch(source.read, NOW_S, "/x")
        with watch.listener(frozenset("a")) as slow, watch.listener(frozenset("a")) as quick:
            for number in range(2, 30):
                source.texts["a"] = str(number)
                while texts(await quick.news(PATIENCE_S)) != {"a": str(number)}:
                    pass
            assert texts(await slow.news(PATIENCE_S)) == {"a": "29"}

    run(work)


def test_nobody_looks_when_nobody_listens() -> None:
    source = Source(a="1")

    async def work() -> None:
        watch = Watch(source.read, NOW_S, "/x")
        assert not watch.is_looking
        with watch.listener(frozenset("a")) as one:
            await one.news(PATIENCE_S)
            assert watch.is_looking
        assert not watch.is_looking
        source.texts["a"] = "2"
        with watch.listener(frozenset("a")) as again:
            assert texts(await again.news(PATIENCE_S)) == {"a": "2"}

    run(work)


def test_what_nobody_asked_for_lately_is_not_told_as_if_it_were_new() -> None:
    source = Source(a="1", b="1")

    async def work() -> None:
        watch = Watch(source.read, NEVER_S, "/x")
        with watch.listener(frozenset("a")):
            with watch.listener(frozenset("b")) as one:
                await one.news(PATIENCE_S)
            with watch.listener(frozenset("a")) as other:  # makes it look once more, without b
                await other.news(PATIENCE_S)
                while "b" in watch._contents:  # noqa: ASYNC110 - a thread is looking
                    await asyncio.sleep(0)
            source.texts["b"] = "2"
            with watch.listener(frozenset("b")) as late:
                assert texts(await late.news(PATIENCE_S)) == {"b": "2"}

    run(work)


def test_an_outage_is_told_once_and_everything_comes_again_after_it() -> None:
    source = Source(a="1")

    async def work() -> None:
        watch = Watch(source.read, NOW_S, "/x")
        with watch.listener(frozenset("a")) as one:
            await one.news(PATIENCE_S)
            source.error = ClusterUnreachable("no cluster answers.")
            (told,) = (await one.news(PATIENCE_S)).items()
            assert told[0] == PROBLEM
            assert msgspec.json.decode(told[1].body)["code"] == "CLUSTER_UNREACHABLE"
            await looked_again(source)
            assert await one.news(0.0) == {}
            source.error = None
            assert texts(await one.news(PATIENCE_S)) == {"a": "1"}

    run(work)


def test_a_failure_of_our_own_is_logged_once_and_does_not_end_the_watch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Source(a="1")
    source.error = ZeroDivisionError("secret")
    logging.getLogger("ray.serve").propagate = True

    async def work() -> None:
        watch = Watch(source.read, NOW_S, "/x")
        with watch.listener(frozenset("a")) as one:
            told = (await one.news(PATIENCE_S))[PROBLEM]
            assert msgspec.json.decode(told.body)["code"] == "FAILED"
            assert b"secret" not in told.body
            while len(source.wanted) < 5:  # noqa: ASYNC110 - a thread is looking
                await asyncio.sleep(0.001)
            source.error = None
            assert texts(await one.news(PATIENCE_S)) == {"a": "1"}

    with caplog.at_level(logging.ERROR, "ray.serve"):
        run(work)
    assert len([each for each in caplog.records if "/x" in each.getMessage()]) == 1


def test_too_many_listeners_are_refused_and_a_place_is_free_again() -> None:
    source = Source(a="1")

    async def work() -> None:
        watch = Watch(source.read, NEVER_S, "/x")
        with ExitStack() as stack:
            for _ in range(LISTENERS_MAX):
                stack.enter_context(watch.listener(frozenset("a")))
            with pytest.raises(RequestRefused) as refused, watch.listener(frozenset("a")):
                pass
            assert (refused.value.status, refused.value.code) == (503, "STREAMS_FULL")
        with watch.listener(frozenset("a")) as one:
            assert texts(await one.news(PATIENCE_S)) == {"a": "1"}

    run(work)
