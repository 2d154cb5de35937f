"""Traces of orders to an OpenTelemetry collector."""

from typing import Any

from serve.monitoring.order_traces import OrderTrace
from trading.errors import ConfigError

SERVICE = "neural-trader"


class SpanExport:
    """Sends spans over OTLP/HTTP; the OTEL_* variables say where.

    Raises
    ------
    ConfigError
        If OpenTelemetry is not installed.
    """

    def __init__(self, cluster: str, exporter: Any = None) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise ConfigError(
                "traces need OpenTelemetry; install it with `pip install 'neural-trader[otel]'`."
            ) from None
        resource = Resource.create({"service.name": SERVICE, "service.namespace": cluster})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(SERVICE)

    def send(self, trace: OrderTrace) -> None:
        """Queue the spans of one order: itself, and each of its phases."""
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        attributes = {
            "order.client_order_id": trace.client_order_id,
            "order.strategy_id": trace.strategy_id,
            "order.instrument_id": trace.instrument_id,
            "order.status": trace.status,
            "correlation_id": trace.correlation_id,
        }
        span = self._tracer.start_span(
            "order", context=_within(trace.trace_id), start_time=trace.begin, attributes=attributes
        )
        for at, fact in trace.facts:
            span.add_event(fact, timestamp=at)
        for phase in trace.phases:
            part = self._tracer.start_span(
                phase.name, context=set_span_in_context(span), start_time=phase.begin
            )
            part.end(end_time=phase.end)
        if trace.is_failed:
            span.set_status(Status(StatusCode.ERROR, trace.status))
        span.end(end_time=trace.end)

    def close(self) -> bool:
        """Send what is queued; False when the collector did not take all of it in time."""
        is_sent = bool(self._provider.force_flush(10_000))
        self._provider.shutdown()
        return is_sent


def _within(trace_id: int) -> Any:
    """Return a context in which new spans belong to this trace."""
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    parent = SpanContext(
        trace_id=trace_id,
        span_id=(trace_id & ((1 << 64) - 1)) or 1,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(parent))
