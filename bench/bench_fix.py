"""FIX: from `VenuePort.submit` to bytes at the venue, and from bytes of the venue to our report; the venue is not in it.

Method: a bare FIX acceptor in a process of its own takes the time when an order's bytes arrive, and again
before it writes the acknowledgement; both processes read one monotonic clock. Orders go one by one, 1 ms apart,
over loopback. The peer is the engine alone: build a message, `sendToTarget`, and the callback that gets the answer as
text. The adapter adds checks, the record on disk, the hand-over between threads, and our own types.
"""

import asyncio
import json
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.measured_rows import row, with_ratios

ORDERS, WARM_UP = 3_000, 300
PAUSE_S = 0.001
SOH = "\x01"
Times = dict[str, tuple[int, int]]
"""ClOrdID -> ns of two moments."""


def rows() -> list[dict[str, object]]:
    """Return one row per measured subject."""
    ours = _run(_adapter)
    raw = _run(_raw)
    found = []
    for what, place in (("order out", 0), ("report in", 1)):
        found += with_ratios(
            [
                row(what, "adapter", [pair[place] for pair in ours], "target p99 1,000"),
                row(what, "raw quickfix", [pair[place] for pair in raw]),
            ]
        )
    return found


def _run(subject: Any) -> list[tuple[int, int]]:
    """Return (out, in) in ns per order."""
    with tempfile.TemporaryDirectory(prefix="bench-fix-") as folder, _peer() as (port, finish):
        ours: Times = subject(port, Path(folder))
        theirs = finish()
    keys = list(ours)[WARM_UP:]
    return [(theirs[key][0] - ours[key][0], ours[key][1] - theirs[key][1]) for key in keys]


# -- the adapter


def _adapter(port: int, folder: Path) -> Times:
    return asyncio.run(_send_with_adapter(port, folder))


async def _send_with_adapter(port: int, folder: Path) -> Times:
    from actors.venues.fix.profile import FIX
    from actors.venues.profile import VenueSettings
    from trading.identifiers import AccountId, InstrumentId, Venue
    from trading.instruments import Instrument
    from trading.outcomes import VenueConnected
    from trading.reports import OrderStatusReport

    instrument = Instrument(instrument_id=InstrumentId("AAPL.XNAS"))
    settings = VenueSettings(
        venue=Venue("fix"),
        account_id=AccountId("ACC"),
        options={
            "dialect": _unthrottled(folder),
            "port": port,
            "sender_comp_id": "CLIENT",
            "target_comp_id": "VENUE",
            "store_dir": str(folder),
            "is_test": True,
        },
        instruments=(instrument,),
    )
    venue, up = FIX.open_execution(settings), asyncio.Event()
    begun: dict[str, int] = {}
    heard: dict[str, int] = {}

    def told(message: object) -> None:
        if isinstance(message, OrderStatusReport):
            heard[message.client_order_id] = time.perf_counter_ns()
        elif isinstance(message, VenueConnected):
            up.set()

    await venue.connect(told)
    await up.wait()
    for number in range(ORDERS):
        order = _order(number, instrument.instrument_id)
        begun[order.client_order_id] = time.perf_counter_ns()
        await venue.submit(order)
        await asyncio.sleep(PAUSE_S)
    await venue.disconnect()
    return {key: (begun[key], heard[key]) for key in begun}


def _order(number: int, instrument_id: Any) -> Any:
    from trading.commands import SubmitOrder
    from trading.identifiers import AccountId, ClientOrderId, StrategyId
    from trading.values import OrderSide, OrderType

    return SubmitOrder(
        client_order_id=ClientOrderId(f"{number:032x}"),
        account_id=AccountId("ACC"),
        strategy_id=StrategyId("bench"),
        instrument_id=instrument_id,
        side=OrderSide.BUY,
        quantity=Decimal(100),
        order_type=OrderType.LIMIT,
        price=Decimal("100.25"),
        ts_init=time.time_ns(),
    )


def _unthrottled(folder: Path) -> str:
    import actors.venues.fix as package

    text = (Path(package.__path__[0]) / "dialects" / "standard.toml").read_text(encoding="utf-8")
    path = folder / "bench.toml"
    path.write_text(text.replace("per_s = 1.0", "per_s = 0.01"), encoding="utf-8")
    return str(path)


# -- the engine alone

_SETTINGS = """[SESSION]
ConnectionType=initiator
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SocketNodelay=Y
FileStorePath={folder}
PersistMessages=N
NonStopSession=Y
UseDataDictionary=N
HeartBtInt=30
ReconnectInterval=3600
BeginString=FIX.4.4
SenderCompID=CLIENT
TargetCompID=VENUE
"""


def _raw(port: int, folder: Path) -> Times:
    import quickfix

    class Callbacks(quickfix.Application):  # type: ignore[misc]
        def onCreate(self, session_id: Any) -> None: ...  # noqa: N802
        def onLogon(self, session_id: Any) -> None:  # noqa: N802
            up.set()

        def onLogout(self, session_id: Any) -> None: ...  # noqa: N802
        def toAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802
        def toApp(self, message: Any, session_id: Any) -> None: ...  # noqa: N802
        def fromAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802
        def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
            message.toString()
            heard[message.getField(11)] = time.perf_counter_ns()
            answered.set()

    up, answered = threading.Event(), threading.Event()
    begun: dict[str, int] = {}
    heard: dict[str, int] = {}
    settings = quickfix.SessionSettings()
    settings.setFromString(_SETTINGS.format(port=port, folder=folder))
    callbacks, store = Callbacks(), quickfix.FileStoreFactory(settings)
    initiator = quickfix.SocketInitiator(callbacks, store, settings)
    session_id = quickfix.SessionID("FIX.4.4", "CLIENT", "VENUE")
    initiator.start()
    assert up.wait(10)
    for number in range(ORDERS):
        key = f"{number:032x}"
        answered.clear()
        begun[key] = time.perf_counter_ns()
        message = quickfix.Message()
        message.getHeader().setField(35, "D")
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]
        fields = {
            11: key,
            55: "AAPL",
            54: "1",
            60: stamp,
            38: "100",
            40: "2",
            44: "100.25",
            59: "0",
            21: "1",
        }
        for tag, value in fields.items():
            message.setField(tag, value)
        quickfix.Session.sendToTarget(message, session_id)
        assert answered.wait(10)
        time.sleep(PAUSE_S)
    quickfix.Session.lookupSession(session_id).logout()
    time.sleep(1.5)
    initiator.stop(True)
    return {key: (begun[key], heard[key]) for key in begun}


# -- the venue: no engine, just enough of the protocol


@contextmanager
def _peer() -> Iterator[tuple[int, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bench_fix", "peer"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None

    def finish() -> Times:
        assert process.stdout is not None
        return {key: (a, b) for key, (a, b) in json.loads(process.stdout.readline()).items()}

    try:
        yield int(process.stdout.readline()), finish
    finally:
        process.kill()
        process.wait()


def _be_peer() -> None:
    """Serve one session; print the port, and when the session is over the times."""
    times: Times = {}
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number, buffer = 0, b""
        while True:
            select.select([connection], [], [])
            data = connection.recv(65_536)
            arrived = time.perf_counter_ns()
            if not data:
                break
            *whole, buffer = _split(buffer + data)
            for raw in whole:
                body = _answer(dict(part.split("=", 1) for part in raw.split(SOH) if part))
                if body:
                    number += 1
                    _write(connection, number, body, arrived, times)
    print(json.dumps(times), flush=True)


def _split(data: bytes) -> list[Any]:
    """Return whole messages as text, and what is left as bytes."""
    found: list[Any] = []
    while (end := data.find(b"\x0110=")) >= 0 and len(data) >= end + 8:
        found.append(data[: end + 8].decode())
        data = data[end + 8 :]
    return [*found, data]


def _answer(fields: dict[str, str]) -> list[tuple[str, str]]:
    match fields["35"]:
        case "A":
            return [("35", "A"), ("98", "0"), ("108", fields["108"])]
        case "1":
            return [("35", "0"), ("112", fields["112"])]
        case "5":
            return [("35", "5")]
        case "D":
            copied = [(tag, fields[tag]) for tag in ("11", "55", "54", "38", "40", "44", "59")]
            ids = [
                ("37", f"V{fields['34']}"),
                ("17", f"E{fields['34']}"),
                ("150", "0"),
                ("39", "0"),
            ]
            return [
                ("35", "8"),
                *ids,
                *copied,
                ("14", "0"),
                ("151", "100"),
                ("6", "0"),
                ("60", fields["60"]),
            ]
        case _:
            return []


def _write(
    connection: socket.socket, number: int, body: list[tuple[str, str]], arrived: int, times: Times
) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]
    head = [body[0], ("49", "VENUE"), ("56", "CLIENT"), ("34", str(number)), ("52", stamp)]
    inner = "".join(f"{tag}={value}{SOH}" for tag, value in [*head, *body[1:]])
    text = f"8=FIX.4.4{SOH}9={len(inner)}{SOH}{inner}"
    raw = f"{text}10={sum(text.encode()) % 256:03d}{SOH}".encode()
    key = dict(body).get("11")
    if key is not None:
        times[key] = (arrived, time.perf_counter_ns())
    connection.sendall(raw)


if __name__ == "__main__":
    if sys.argv[1:] == ["peer"]:
        _be_peer()
    else:
        from bench.__main__ import table

        print(table(rows()))
