"""`/v1/stream` over ASGI: one event per topic at once, problems, gaps, and places that become free."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from serve.api import stream
from serve.api.topics import Topic, fill_number
from serve.desk.order_rows import fills_of
from serve.desk.principal import Permission
from tests.serve.api.fake_desk import DAY_NS, START_NS, FakeTrading, fill_row

Ask = Callable[..., Any]
Event = tuple[str, str, Any]


class Stream:
    """A client that reads events until it goes away."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._buffer = b""
        self.left = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {key.decode(): value.decode() for key, value in message["headers"]}
        else:
            await self._sent.put(message)

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def event(self) -> Event:
        """Return the next event: name, id, data."""
        while True:
            block, end, rest = self._buffer.partition(b"\n\n")
            if not end:
                self._buffer += (await self._sent.get())["body"]
                continue
            self._buffer = rest
            fields = dict(line.split(": ", 1) for line in block.decode().splitlines())
            if "event" in fields:
                return fields["event"], fields["id"], json.loads(fields["data"])

    async def events(self, count: int) -> dict[str, Any]:
        return {name: data for name, _, data in [await self.event() for _ in range(count)]}


@asynccontextmanager
async def streaming(app: Any, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    client = Stream()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/stream",
        "raw_path": b"/v1/stream",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"desk")]
        + [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("desk", 80),
    }
    serving = asyncio.ensure_future(app(scope, client.receive, client.send))
    try:
        yield client
    finally:
        client.left.set()
        await asyncio.wait_for(serving, 60)


def run(work: Callable[[], Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work(), 100))


def watch_of(app: Any) -> Any:
    return app.app.state.watch


def test_every_topic_is_told_at_once(app: Any, trading: FakeTrading) -> None:
    trading.ledger["recent_fills"] = [fill_row("t1", 1)]

    async def work() -> None:
        async with streaming(app) as client:
            found = await client.events(len(Topic))
            assert set(found) == set(Topic)
            assert client.status == 200
            assert client.headers["content-type"].startswith("text/event-stream")
            assert client.headers["cache-control"] == "no-store"
            assert found["portfolio"]["accounts"][0]["equity"] == "1000"
            assert found["orders"] == {"orders": []}
            assert [row["trade_id"] for row in found["fills"]["fills"]] == ["t1"]
            assert found["risk"]["limits"][0]["name"] == "max_daily_loss"
            assert found["cluster"]["name"] == "fake"
            curves = found["equity"]["curves"]
            worth = {each["account"]: each["points"][0]["equity"] for each in curves}
            assert worth == {"DEMO": "1000", "OTHER": "2000"}
            assert found["log"] == {"lines": []}

    run(work)


def test_a_topic_that_changes_is_told_again_and_others_are_not(
    app: Any, trading: FakeTrading
) -> None:
    async def work() -> None:
        async with streaming(app, "topics=fills,risk") as client:
            await client.events(2)
            trading.ledger["recent_fills"] = [fill_row("t1", 1)]
            name, number, data = await client.event()
            assert (name, data["fills"][0]["price"]) == ("fills", "101.5")
            assert number == str(START_NS + DAY_NS)

    run(work)


def test_who_comes_back_is_told_that_fills_were_missed(app: Any, trading: FakeTrading) -> None:
    trading.ledger["recent_fills"] = [fill_row("t9", 9), fill_row("t8", 8)]
    last = str(START_NS + 2 * DAY_NS)

    async def work() -> None:
        async with streaming(app, "topics=fills", last_event_id=last) as client:
            name, _, data = await client.event()
            assert (name, data["topic"]) == ("gap", "fills")
            assert (await client.event())[0] == "fills"
        async with streaming(app, "topics=fills", last_event_id=str(START_NS + 8 * DAY_NS)) as on:
            name, number, data = await on.event()
            assert (name, number) == ("fills", str(START_NS + 9 * DAY_NS))
            assert [row["trade_id"] for row in data["fills"]] == ["t9", "t8"]
        async with streaming(app, "topics=fills", last_event_id="<script>") as odd:
            assert (await odd.event())[0] == "fills"

    run(work)


def test_an_outage_is_a_problem_and_everything_comes_again_after_it(
    app: Any, trading: FakeTrading
) -> None:
    async def work() -> None:
        async with streaming(app, "topics=portfolio") as client:
            await client.event()
            trading.is_down = True
            name, _, data = await client.event()
            assert (name, data["code"]) == ("problem", "CLUSTER_UNREACHABLE")
            assert "trader up" in data["detail"]
            trading.is_down = False
            assert (await client.event())[0] == "portfolio"

    run(work)


def test_two_clients_share_one_look_and_the_last_one_ends_it(
    app: Any, trading: FakeTrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LOOK_EVERY_S", 3600.0)  # each look is one that somebody called for

    async def work() -> None:
        async with streaming(app, "topics=portfolio") as one:
            await one.event()
            async with streaming(app, "topics=portfolio") as two:
                await two.event()
                looks = trading.looks
                assert watch_of(app).is_looking
                assert looks <= 2
            assert watch_of(app).is_looking
        assert not watch_of(app).is_looking

    run(work)


@pytest.mark.parametrize("query", ["topics=", "topics=weather", "topics=fills,weather"])
def test_topics_that_do_not_exist_are_refused(ask: Ask, query: str) -> None:
    reply = ask("GET", f"/v1/stream?{query}")
    assert (reply.status_code, reply.json()["code"]) == (422, "REQUEST_INVALID")
    assert "portfolio" in reply.json()["detail"]


def test_who_may_not_read_gets_no_stream(ask: Ask, app_for: Any) -> None:
    reply = ask("GET", "/v1/stream", of=app_for(Permission.TRADE_PAPER))
    assert (reply.status_code, reply.json()["code"]) == (403, "PERMISSION_MISSING")


def test_fill_numbers_rise_with_time(app: Any, trading: FakeTrading) -> None:
    trading.ledger["recent_fills"] = [fill_row("b", 2), fill_row("a", 1)]
    newest, oldest = fills_of(trading.snapshot())
    assert fill_number(newest) == START_NS + 2 * DAY_NS
    assert fill_number(newest) > fill_number(oldest)
