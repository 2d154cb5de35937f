"""Lines of a capture that are out of place, each named."""

import json

import pytest

from actors.storage.binance_capture import read_capture
from actors.storage.kinds import Kind


def line(received: int, stream: str, **data: object) -> bytes:
    message = {"stream": f"x@{stream}", "data": {"s": "XY", **data}}
    return f"{received} {json.dumps(message)}\n".encode()


def depth(received: int, first: int, last: int, bids: list[list[str]]) -> bytes:
    return line(received, "depth@100ms", e="depthUpdate", U=first, u=last, b=bids, a=[])


def snapshot(received: int, last: int) -> bytes:
    message = {"lastUpdateId": last, "bids": [["9", "1"]], "asks": [["11", "2"]]}
    return f"{received} {json.dumps(message)}\n".encode()


def test_when_a_snapshot_comes_late_newer_updates_follow_it_at_its_time() -> None:
    lines = [
        depth(1, 1, 5, [["8", "1"]]),
        depth(2, 6, 7, [["8", "0"], ["7", "3"]]),
        snapshot(3, 5),
        depth(4, 8, 8, [["9", "4"], ["6", "0"]]),
    ]
    (table,), bad = read_capture("f", lines)
    assert (bad.count, table.kind) == (0, Kind.DELTA)
    assert table.frame.drop("symbol").rows() == [
        (3, 1, "BUY", 9.0, 1.0),
        (3, 2, "SELL", 11.0, 2.0),
        (3, 3, "BUY", 8.0, 0.0),
        (3, 4, "BUY", 7.0, 3.0),
        (4, 5, "BUY", 6.0, 0.0),
        (4, 6, "BUY", 9.0, 4.0),
    ]


def test_when_there_is_no_snapshot_all_updates_stay() -> None:
    (table,), _ = read_capture("f", [depth(1, 1, 5, [["8", "1"]])])
    assert table.frame.rows() == [("XY", 1, 1, "BUY", 8.0, 1.0)]


def test_when_the_buyer_made_the_price_the_seller_was_the_aggressor() -> None:
    lines = [line(1, "trade", p="5", q="2", m=True), line(2, "trade", p="5", q="2", m=False)]
    (table,), _ = read_capture("f", lines)
    assert table.frame["side"].to_list() == ["SELL", "BUY"]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (depth(2, 7, 8, []), "follows update 6, not 5: updates are missing"),
        (line(2, "depth", U=9, u=9, pu=8, b=[], a=[]), "follows update 8, not 5"),
        (depth(0, 6, 6, []), "is older than the line before it"),
        (depth(2, 6, 6, [["-1", "1"]]), "has the price -1"),
        (depth(2, 6, 6, [["nan", "1"]]), "has the price nan"),
        (depth(2, 6, 6, [["1", "-1"]]), "has the size -1"),
        (line(2, "trade", s="Z", p="1", q="1", m=True), "is of Z, the others are of XY"),
        (line(2, "kline_1m"), "is of the unknown stream 'kline_1m'"),
        (b"no message\n", "is no message of a Binance stream"),
        (b'2 {"stream":"x@trade","data":{}}\n', "is no message of a Binance stream"),
    ],
)
def test_when_a_line_is_bad_it_is_named_and_left_out(second: bytes, reason: str) -> None:
    (table,), bad = read_capture("file", [depth(1, 1, 5, [["8", "1"]]), second])
    assert (bad.count, bad.named[0].line, bad.named[0].file) == (1, 2, "file")
    assert bad.named[0].reason.startswith(reason)
    assert table.frame.height == 1


def test_when_there_are_two_snapshots_the_second_is_refused() -> None:
    _, bad = read_capture("f", [depth(1, 1, 5, []), snapshot(2, 5), snapshot(3, 6)])
    assert "second snapshot" in bad.named[0].reason
