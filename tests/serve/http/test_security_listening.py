"""What a hostile client can send over a real socket is refused, and good requests are answered meanwhile."""

import itertools
import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.serve.auth.door import a_door
from tests.serve.http.listening import (
    TIMEOUT_S,
    QuickHttp,
    answer,
    connected,
    head,
    listening,
    status_of,
)

MIB = 1_048_576
RSS_GROWTH_MAX = 50 * MIB


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that waits long: no pause of this machine makes a request too slow for it."""
    folder: Path = tmp_path_factory.mktemp("door")
    patient = {"body_timeout_s": 2 * TIMEOUT_S, "trades_per_s": 0.0}
    door = a_door(folder, is_on=False, max_body_bytes=MIB, **patient)
    with listening(door.entrance) as number:
        yield number
    door.access.close()


@pytest.fixture(scope="module")
def quick_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that gives up soon: only requests that are too slow on purpose are sent to it."""
    folder: Path = tmp_path_factory.mktemp("quick")
    door = a_door(folder, is_on=False, max_body_bytes=MIB, body_timeout_s=0.4, trades_per_s=0.0)
    with listening(door.entrance, QuickHttp) as number:
        yield number
    door.access.close()


def is_well(port: int) -> bool:
    reply = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=TIMEOUT_S)
    return reply.json() == {"status": "ok"}


def sent(port: int, *parts: bytes) -> bytes:
    """Send until the server has had enough, and return what it says."""
    with connected(port) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer(connection)


def problem_in(reply: bytes) -> dict[str, object]:
    header, _, body = reply.partition(b"\r\n\r\n")
    assert b"application/problem+json" in header
    assert b"Traceback" not in body
    found: dict[str, object] = json.loads(body)
    assert found["status"] == status_of(reply)
    return found


def post(body: bytes, content_type: str = "application/json") -> bytes:
    length = f"content-length: {len(body)}"
    return head("POST", "/v1/orders", length, f"content-type: {content_type}") + body


def test_ten_megabytes_are_413_and_leave_no_memory_behind(port: int) -> None:
    is_well(port)
    before = psutil.Process().memory_info().rss
    for _ in range(5):
        reply = sent(port, post(b"[" + b" " * 10_000_000 + b"]"))
        assert problem_in(reply)["code"] == "REQUEST_TOO_LARGE"
        assert b"connection: close" in reply.lower()
    assert psutil.Process().memory_info().rss - before < RSS_GROWTH_MAX
    assert is_well(port)


def test_endless_body_is_413_before_it_ends(port: int) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    before = psutil.Process().memory_info().rss
    with connected(port) as connection:
        connection.sendall(
            head(
                "POST", "/v1/orders", "transfer-encoding: chunked", "content-type: application/json"
            )
        )
        count = 0
        try:
            for count in range(4096):  # noqa: B007  # how far it came
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert count < 4000
        reply = b""
        with suppress(OSError):
            reply = answer(connection)
    assert reply == b"" or status_of(reply) in (408, 413)
    assert psutil.Process().memory_info().rss - before < RSS_GROWTH_MAX
    assert is_well(port)


def test_body_that_does_not_come_is_408(quick_port: int) -> None:
    reply = sent(quick_port, head("POST", "/v1/orders", "content-length: 100"), b'{"sym')
    assert problem_in(reply)["code"] == "REQUEST_TOO_SLOW"


def test_body_that_drips_is_408(quick_port: int) -> None:
    """Each byte comes in time, all of them together do not."""
    with connected(quick_port) as connection:
        connection.sendall(head("POST", "/v1/orders", "content-length: 100000"))
        connection.settimeout(0.05)
        reply = b""
        for _ in itertools.count():
            try:
                connection.sendall(b" ")
                reply = connection.recv(65_536)
                break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):  # it answered before this byte left
                reply = answer(connection)
                break
        assert status_of(reply) == 408


def test_ten_thousand_headers_are_refused(port: int) -> None:
    few = [f"x-{number}: {number}" for number in range(200)]
    assert problem_in(sent(port, head("GET", "/healthz", *few)))["code"] == (
        "REQUEST_HEADERS_TOO_LARGE"
    )
    many = [f"x-{number}: {number}" for number in range(10_000)]
    assert status_of(sent(port, head("GET", "/healthz", *many))) == 431
    one = sent(port, head("GET", "/healthz", f"x-long: {'x' * 40_000}"))
    assert problem_in(one)["code"] == "REQUEST_HEADERS_TOO_LARGE"
    assert is_well(port)


def test_endless_headers_are_431(port: int) -> None:
    lines = [
        b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n",
        *[b"x: " + b"y" * 1000 + b"\r\n"] * 5000,
    ]
    assert sent(port, *lines)[:12] in (b"HTTP/1.1 431", b"")
    assert is_well(port)


@contextmanager
def slow_clients(port: int) -> Iterator[list[socket.socket]]:
    """Clients that do not come to the end of their headers."""
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(port)) for _ in range(100)]
        for each in slow:
            each.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127")
        yield slow


def test_while_headers_are_slow_others_are_served(port: int) -> None:
    with slow_clients(port) as slow:
        assert all(is_well(port) for _ in range(20))
        assert select.select(slow, [], [], 0)[0] == [], "all of them were waited for meanwhile"


def test_slow_headers_are_cut_off(quick_port: int) -> None:
    with slow_clients(quick_port) as slow:
        assert {answer(each)[:12] for each in slow} == {b"HTTP/1.1 408"}
    with connected(quick_port) as silent:  # says nothing at all
        assert answer(silent)[:12] == b"HTTP/1.1 408"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"symbol":"\xff\xfe"}', 400),
        (b'{"symbol":"A","symbol":"B"}', 422),
        (b'{"symbol":"A","extra":{"a":1,"a":2}}', 422),
        (b'{"symbol":"A","quantity":1e400}', 422),
        (b'{"symbol":"A","quantity":-1e400}', 422),
        (b'{"symbol":"A","quantity":' + b"9" * 5000 + b"}", 422),
        (b'{"symbol":"A","quantity":NaN}', 400),
        (b'{"symbol":"A","quantity":Infinity}', 400),
        (b'{"symbol":"A","extra":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422),
        (b'{"symbol":"A","extra":' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}", 422),
        (b"[" * 500_000, 422),
        (b'{"symbol":"A"', 400),
        (b"\x00", 400),
        (b"\xef\xbb\xbf{}", 400),
        (b"symbol=A", 400),
        (b"[]", 422),
        (b"", 422),
        (b"null", 422),
        (b'{"symbol":"\\ud800"}', 400),
        (b'{"\\uDFFF":1}', 400),
    ],
    ids=range(20),
)
def test_bodies_that_mean_different_things_to_different_readers_are_refused(
    port: int, body: bytes, status: int
) -> None:
    reply = sent(port, post(body))
    assert status_of(reply) == status
    assert problem_in(reply)["code"] in ("REQUEST_NOT_JSON", "REQUEST_INVALID")


def test_json_within_the_bounds_passes(port: int) -> None:
    deep = b'{"symbol":"[{\\"[{[{","quantity":1e300,"extra":' + b"[" * 25 + b"]" * 25 + b"}"
    many = b'{"symbol":"' + b"[{" * 500 + b'\\\\\\"","extra":[' + b"{}," * 500 + b"{}]}"
    pair = b'{"symbol":"A","extra":"\\ud83d\\ude00 \\\\ud800"}'
    for body in (deep, many, pair):
        assert status_of(sent(port, post(body))) == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ""],
)  # fmt: skip
def test_another_content_type_is_4xx(port: int, content_type: str) -> None:
    assert 400 <= status_of(sent(port, post(b'{"symbol":"A"}', content_type))) < 500


@pytest.mark.parametrize(
    "raw",
    [
        head("GET", "/healthz", "host: evil.example"),
        head("POST", "/v1/orders", "content-length: 5", "content-length: 6") + b"[]   ",
        head("POST", "/v1/orders", "content-length: 5", "transfer-encoding: chunked")
        + b"0\r\n\r\n",
        head("POST", "/v1/orders", "content-length: -1"),
        head("GET", "/healthz", "authorization: a", "authorization: b"),
        head("GET", "/healthz", host="evil.example"),
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET " + b"/" * 200_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=range(9),
)
def test_requests_that_are_none_are_4xx(port: int, raw: bytes) -> None:
    reply = sent(port, raw)
    assert 400 <= status_of(reply) < 500
    assert is_well(port)
