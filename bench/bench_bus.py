"""One hop and a stream between two processes: the bus, ZeroMQ alone, and Ray actor calls.

Method: 200-byte payloads between this process and one other. A hop is half of the time from sending a
message to receiving its echo; over the bus each message is also acknowledged. A stream is sent as fast
as its promise allows and timed to the last acknowledgement (commands, Ray) or at the receiver (pub/sub,
where the slow reader loses). Ratios are against the first row of the same kind; absolute times depend
on the machine.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from actors.bus import wire
from actors.bus.zmq import ZmqBus
from trading.identifiers import MachineName

ROOT = Path(__file__).parents[1]
HERE, THERE, SINK = MachineName("bench:here"), MachineName("bench:there"), MachineName("bench:sink")
PAYLOAD = bytes(range(200))
SECRET = bytes(range(32))
PASSES = 3
ROUNDS, WARM_UP = 1_500, 200
STREAM, RAY_STREAM = 50_000, 2_000
HOP_COMMAND, HOP_PUBLISHED = "one hop, command", "one hop, published"
STREAM_COMMAND, STREAM_PUBLISHED = "stream, commands", "stream, published"
TRANSPORTS = {
    "ipc": {"bind": "ipc", "secret": ""},
    "tcp": {"bind": "127.0.0.1", "secret": ""},
    "tcp + curve": {"bind": "127.0.0.1", "secret": SECRET.hex()},
}

Row = dict[str, object]
Measured = tuple[str, str, list[float], str]
"""What, subject, samples (us), note."""


def rows() -> list[Row]:
    """Measure everything; takes about half a minute."""
    measured: list[Measured] = []
    for _ in range(PASSES):
        for name, transport in TRANSPORTS.items():
            measured += _measure_bus(name, transport)
        alone = "DEALER and ROUTER, no promise"
        measured.append((HOP_COMMAND, "ZeroMQ alone, ipc", _raw_hop(), alone))
    measured += _measure_ray()
    return list(_with_ratios(_pooled(measured)))


def _pooled(measured: list[Measured]) -> list[Measured]:
    """Put the passes together, kind by kind: a machine is not equally fast from minute to minute."""
    pooled: dict[tuple[str, str], Measured] = {}
    for what, subject, samples, note in measured:
        _, _, earlier, _ = pooled.get((what, subject), (what, subject, [], note))
        pooled[what, subject] = (what, subject, earlier + samples, note)
    return sorted(pooled.values(), key=lambda one: one[0])


def _with_ratios(measured: list[Measured]) -> Iterator[Row]:
    first: dict[str, float] = {}
    for what, subject, samples, note in measured:
        ordered = sorted(samples)
        p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        base = first.setdefault(what, p50)
        yield {
            "what": what,
            "subject": subject,
            "p50_us": round(p50, 2),
            "p99_us": round(p99, 2),
            "ratio": round(p50 / base, 2),
            "note": note,
        }


# -- the bus


def _measure_bus(name: str, transport: dict[str, str]) -> list[Measured]:
    subject = f"bus, {name}"
    with _bus_and_peer(transport) as bus:
        hop = _hops(lambda: bus.send(HERE, THERE, PAYLOAD), lambda: _await(bus, wire.Command))
        published = _hops(lambda: bus.publish("ping", PAYLOAD), lambda: _await(bus, wire.Published))
        each, stream_note = _stream_commands(bus)
        each_published, published_note = _stream_published(bus)
    return [
        (HOP_COMMAND, subject, hop, "kept until acknowledged"),
        (HOP_PUBLISHED, subject, published, ""),
        (STREAM_COMMAND, subject, [each], stream_note),
        (STREAM_PUBLISHED, subject, [each_published], published_note),
    ]


@contextmanager
def _bus_and_peer(transport: dict[str, str]) -> Iterator[ZmqBus]:
    """Yield a bus that is connected, both ways, to the peer process at the end of this file."""
    with tempfile.TemporaryDirectory(prefix="bus-") as folder:
        bus = _open("here", folder, transport)
        home = bus.address
        setup = {
            "folder": folder,
            "transport": transport,
            "home": [home.host, home.incarnation, home.router, home.pub],
        }
        with _process("--peer", json.dumps(setup)) as (there, _):
            address = wire.HostAddress(*there)
            bus.set_routes({THERE: address, SINK: address})
            bus.subscribe("pong")
            bus.send(HERE, THERE, PAYLOAD)
            _await(bus, wire.Command)
            heard = False
            while not heard:
                bus.publish("ping", PAYLOAD)
                heard = any(isinstance(item, wire.Published) for item in bus.poll(0.05))
            while bus.poll(0.2):  # the echoes of what was tried
                pass
            try:
                yield bus
            finally:
                bus.close()


def _open(host: str, folder: str, transport: dict[str, str]) -> ZmqBus:
    secret = bytes.fromhex(transport["secret"]) or None
    return ZmqBus(host, "1", run_dir=Path(folder), bind=transport["bind"], secret=secret)


def _await(bus: ZmqBus, kind: type) -> None:
    while True:
        found = False
        for item in bus.poll(1.0):
            if isinstance(item, wire.Command):
                bus.ack(item.token)
            found = found or isinstance(item, kind)
        if found:
            return


def _stream_commands(bus: ZmqBus) -> tuple[float, str]:
    acked = bus.counters()["acked"]
    begin = time.perf_counter()
    for number in range(STREAM):
        bus.send(HERE, SINK, PAYLOAD)
        if number % 256 == 0:
            bus.poll(0)
    while bus.counters()["acked"] - acked < STREAM:
        bus.poll(1.0)
    elapsed = time.perf_counter() - begin
    return _per_message(STREAM, elapsed)


def _stream_published(bus: ZmqBus) -> tuple[float, str]:
    for _ in range(STREAM):
        bus.publish("flood", PAYLOAD)
    report: list[bytes] = []
    while not report:
        bus.publish("end", PAYLOAD)
        report = [i.payload for i in bus.poll(0.05) if isinstance(i, wire.Published)]
    count, elapsed = json.loads(report[0])
    each, note = _per_message(count, elapsed)
    return each, f"{note}, {count / STREAM:.0%} read"


def _per_message(count: int, elapsed_s: float) -> tuple[float, str]:
    return elapsed_s / count * 1e6, f"{count / elapsed_s:,.0f} msg/s"


def _hops(send: Callable[[], object], receive: Callable[[], object]) -> list[float]:
    samples = []
    for _ in range(ROUNDS + WARM_UP):
        begin = time.perf_counter_ns()
        send()
        receive()
        samples.append((time.perf_counter_ns() - begin) / 2_000)
    return samples[WARM_UP:]


# -- the others


def _raw_hop() -> list[float]:
    with (
        tempfile.TemporaryDirectory(prefix="bus-") as folder,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as dealer,
        _process("--raw", f"ipc://{folder}/raw") as (endpoint, _),
    ):
        dealer.linger = 0
        dealer.connect(endpoint)
        return _hops(lambda: dealer.send(PAYLOAD), dealer.recv)


def _measure_ray() -> list[Measured]:
    import ray

    class Echo:
        def echo(self, payload: bytes) -> bytes:
            return payload

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        actor = ray.remote(Echo).remote()
        hop = _hops(lambda: None, lambda: ray.get(actor.echo.remote(PAYLOAD)))
        begin = time.perf_counter()
        ray.get([actor.echo.remote(PAYLOAD) for _ in range(RAY_STREAM)])
        each, note = _per_message(RAY_STREAM, time.perf_counter() - begin)
    finally:
        ray.shutdown()
    return [
        (HOP_COMMAND, "Ray actor call", hop, "half of call and result"),
        (STREAM_COMMAND, "Ray actor calls", [each], note),
    ]


# -- the other process


@contextmanager
def _process(role: str, argument: str) -> Iterator[tuple[list[str], subprocess.Popen[str]]]:
    """Start this file in a process of its own; yield what it said when it was ready."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.bench_bus", role, argument],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline()), process
        finally:
            process.kill()


def _run_peer(argument: str) -> None:
    setup = json.loads(argument)
    bus = _open("there", setup["folder"], setup["transport"])
    home = wire.HostAddress(*setup["home"])
    bus.set_routes({HERE: home})
    for topic in ("ping", "flood", "end"):
        bus.subscribe(topic)
    here = bus.address
    print(json.dumps([here.host, here.incarnation, here.router, here.pub]), flush=True)
    count, begin, last = 0, 0.0, 0.0
    while True:
        for item in bus.poll(1.0):
            match item:
                case wire.Command(token, to, sender, payload):
                    bus.ack(token)
                    if to == THERE:
                        bus.send(THERE, sender, payload)
                case wire.Published("ping", payload):
                    bus.publish("pong", payload)
                case wire.Published("flood", _):
                    last = time.perf_counter()
                    begin = begin or last
                    count += 1
                case wire.Published("end", _) if count:
                    bus.publish("pong", json.dumps([count, last - begin]).encode())
                case _:
                    pass


def _run_raw(endpoint: str) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.bind(endpoint)
        print(json.dumps(endpoint), flush=True)
        while True:
            router.send_multipart(router.recv_multipart())


def _print_table() -> None:
    columns = ("what", "subject", "p50_us", "p99_us", "ratio", "note")
    table = [columns, *(tuple(str(row[column]) for column in columns) for row in rows())]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns))]
    for line in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        _run_peer(sys.argv[2])
    elif sys.argv[1:2] == ["--raw"]:
        _run_raw(sys.argv[2])
    else:
        _print_table()
