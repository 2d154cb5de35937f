"""Orders as traces: from the journal of the simulation, and over the wire to a collector on loopback."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from actors.simulation.memory_journal import MemoryJournal
from serve.desk.port import NewOrder
from serve.desk.principal import ALL, Principal
from serve.http.correlation import correlation_id
from serve.monitoring.order_traces import OrderTraces, trace_id_of
from serve.monitoring.span_export import SpanExport
from tests.serve.simulated_desk import SimulatedDesk
from trading.codec import decode
from trading.desk_facts import OrderRequested
from trading.events import OrderDenied, OrderEvent
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId
from trading.values import OrderSide

EVA = Principal(name="eva", permissions=ALL, came_by="stdio")
CORRELATION = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    desk = SimulatedDesk(tmp_path_factory.mktemp("desk"))
    desk.advance(10)
    symbol = desk.instruments()[0].symbol
    order = NewOrder(symbol=symbol, side=OrderSide.BUY, quantity=1)
    receipt = desk.submit(order, EVA, "key", CORRELATION)
    desk.advance(2)
    found, collected = OrderTraces(), {}
    journal = MemoryJournal(desk.link.simulation.disk)
    for prefix in ("requests:", "account:", "paper:"):
        for stream in journal.streams():
            if not stream.startswith(prefix):
                continue
            for record in journal.read(stream):
                fact = decode(record.payload)
                if isinstance(fact, OrderRequested):
                    found.requested(fact)
                elif isinstance(fact, OrderEvent):
                    trace = found.take(fact)
                    if trace is not None:
                        collected[trace.client_order_id] = trace
    return receipt, collected


def test_when_an_order_is_filled_its_trace_goes_from_the_request_to_the_fill(traces):
    receipt, found = traces
    trace = found[receipt.client_order_id]
    names = [name.partition(" ")[0] for _, name in trace.facts]
    assert names[:2] == ["OrderRequested", "OrderSubmitted"]
    assert "OrderFilled" in names
    assert [phase.name for phase in trace.phases][:2] == ["risk", "venue"]
    assert f"{trace.trace_id:032x}" == CORRELATION
    assert trace.begin <= min(phase.begin for phase in trace.phases)
    assert not trace.is_failed


def test_when_strategies_trade_each_of_their_orders_has_a_trace_of_its_tick(traces):
    receipt, found = traces
    others = [trace for key, trace in found.items() if key != receipt.client_order_id]
    assert others
    assert all(trace.correlation_id and trace.facts for trace in others)


def test_when_risk_refuses_an_order_its_trace_is_one_fact_and_failed():
    refused = OrderDenied(
        ts_init=5, correlation_id="feed:paper/7", client_order_id=ClientOrderId("a" * 32),
        strategy_id=StrategyId("momentum"), instrument_id=InstrumentId("AAPL.XNAS"),
        code="RISK_MAX_POSITIONS", reason="Too many.",
    )  # fmt: skip
    trace = OrderTraces().take(refused)
    assert trace is not None
    assert (trace.facts, trace.phases, trace.is_failed) == (((5, "OrderDenied"),), (), True)


@given(st.text(max_size=40))
def test_whatever_the_correlation_id_is_the_trace_id_is_one(text):
    assert 0 < trace_id_of(text) < 1 << 128
    assert trace_id_of(text) == trace_id_of(text)


def test_when_a_collector_listens_it_gets_the_spans_of_the_order(traces):
    receipt, found = traces
    bodies = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/v1/traces"
        export = SpanExport("demo", OTLPSpanExporter(endpoint=address))
        export.send(found[receipt.client_order_id])
        assert export.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    spans = _spans(bodies)
    assert {span.name for span in spans} >= {"order", "risk", "venue"}
    assert {span.trace_id.hex() for span in spans} == {CORRELATION}
    order = next(span for span in spans if span.name == "order")
    children = [span for span in spans if span.name != "order"]
    assert all(span.parent_span_id == order.span_id for span in children)
    trace = found[receipt.client_order_id]
    assert (order.start_time_unix_nano, order.end_time_unix_nano) == (trace.begin, trace.end)
    assert "OrderFilled" in " ".join(event.name for event in order.events)


def _spans(bodies):
    import gzip

    found = []
    for body in bodies:
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        request = ExportTraceServiceRequest.FromString(plain)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                found += scope.spans
    return found


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"traceparent", f"00-{CORRELATION}-00f067aa0ba902b7-01".encode())], CORRELATION),
        (
            [
                (b"traceparent", f"00-{CORRELATION}-00f067aa0ba902b7-01".encode()),
                (b"x-correlation-id", b"mine"),
            ],
            "mine",
        ),
        (
            [
                (b"traceparent", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01"),
                (b"x-request-id", b"s"),
            ],
            "s",
        ),
    ],
    ids=["a trace", "a name of their own", "no trace"],
)
def test_when_a_request_belongs_to_a_trace_its_orders_do_too(headers, expected):
    assert correlation_id(headers) == expected
