"""`/v1/stream`: what happens in the cluster, as server-sent events.

One event per topic at once, then one whenever a topic changes. The id of every event says how far the fills have been told;
who comes back with it (`Last-Event-ID`) is told when more fills happened meanwhile than are kept at hand.
"""

import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Query
from sse_starlette import EventSourceResponse
from starlette.requests import HTTPConnection

from serve.api.permitted import Desk, Reader
from serve.api.topics import Topic, contents_of
from serve.api.watch import Content, Listener, Watch
from serve.http.problems import RequestRefused

router = APIRouter(tags=["streams"])
LOOK_EVERY_S = 0.5
COMMENT_EVERY_S = 15
PATIENCE_S = 5.0
LIFE_S = 300.0
"""Then it ends, and a browser comes back by itself: so a replica that is replaced is left, and a permission that was taken away ends."""
SEND_TIMEOUT_S = 20.0
RETRY_MS = 1_000
ALL = ",".join(Topic)
_EVENTS = "`event: portfolio | orders | fills | risk | cluster | equity | log | problem | gap`, `id`, and JSON as `data`."
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": _EVENTS,
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something was missed that cannot be told any more."""

    topic: str
    detail: str


async def watch_of(connection: HTTPConnection, desk: Desk) -> Watch:
    """Return the watch of this replica; it is made at the first need."""
    state = connection.app.state
    if not hasattr(state, "watch"):
        state.watch = Watch(partial(contents_of, desk.trading), LOOK_EVERY_S, "/v1/stream")
    watch: Watch = state.watch
    return watch


def wanted_of(
    topics: Annotated[
        str,
        Query(max_length=200, description="Separated by commas.", examples=["portfolio,orders"]),
    ] = ALL,
) -> frozenset[str]:
    """Read the topics.

    Raises
    ------
    RequestRefused
        If there is none, or one that does not exist.
    """
    names = frozenset(part.strip() for part in topics.split(",") if part.strip())
    if not names or not names <= set(Topic):
        raise RequestRefused(
            422, "REQUEST_INVALID", f"Give topics, separated by commas; there are {ALL}."
        )
    return names


async def place(
    _: Reader,
    watch: Annotated[Watch, Depends(watch_of)],
    wanted: Annotated[frozenset[str], Depends(wanted_of)],
) -> AsyncIterator[Listener]:
    """Listen until the response has ended, however it ends."""
    with watch.listener(wanted) as listener:
        yield listener


@router.get(
    "/stream",
    summary="What happens, as server-sent events",
    responses=STREAMED,
    response_class=EventSourceResponse,
)
async def stream_events(
    listener: Annotated[Listener, Depends(place)],
    last_event_id: Annotated[
        str, Header(description="`id` of the last event that was seen; browsers send it.")
    ] = "",
) -> EventSourceResponse:
    """One event per topic at once, then one whenever it changes, at most two a second; a comment every 15 s.

    `problem` says that the cluster does not answer; all topics come again when it does. `gap` says that fills were missed.
    After five minutes the stream ends; come back with `Last-Event-ID`, as browsers do by themselves.
    """
    return EventSourceResponse(
        events(listener, _number(last_event_id)),
        sep="\n",
        ping=COMMENT_EVERY_S,
        send_timeout=SEND_TIMEOUT_S,
    )


async def events(listener: Listener, told: int) -> AsyncIterator[bytes]:
    """Yield server-sent events.

    Parameters
    ----------
    told : int
        How far the fills were told before; 0 says nothing.
    """
    ends_at = time.monotonic() + LIFE_S
    yield f"retry: {RETRY_MS}\n\n".encode()
    while time.monotonic() < ends_at:
        for topic, content in (await listener.news(PATIENCE_S)).items():
            if told and content.oldest > told:
                yield _event("gap", told, _GAP)
            told = max(told, content.newest)
            yield _event(topic, told, content)


def _event(name: str, told: int, content: Content) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), told, content.body)


def _number(last_event_id: str) -> int:
    is_ours = last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) <= 20
    return int(last_event_id) if is_ours else 0


_GAP = Content(
    body=msgspec.json.encode(
        Gap(
            topic=Topic.FILLS,
            detail="More fills happened than are kept at hand; `trader fills` reads all of them from the journal.",
        )
    )
)
