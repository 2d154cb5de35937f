"""`trader traces`: the life of orders for OpenTelemetry, from the journal."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serve.monitoring.order_traces import OrderTrace


def traces(
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new orders until Ctrl-C.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Send a trace of each order that is over to the collector of OTEL_EXPORTER_OTLP_ENDPOINT.

    An order's trace has the correlation id of the tick, HTTP request or MCP call that caused it. --json prints the
    traces, one per line, and sends nothing.
    """
    from cluster.cli.output import note
    from cluster.traces import traces_of
    from serve.monitoring.span_export import SpanExport
    from trading.errors import ClusterUnreachable

    settings = config_of(config)
    found = traces_of(settings, is_endless=follow)
    if as_json:
        _print_all(found)
        return
    export, count = SpanExport(settings.cluster.name), 0
    try:
        for trace in found:
            export.send(trace)
            count += 1
    finally:
        is_sent = export.close()
    if not is_sent:
        raise ClusterUnreachable(
            "the collector of OTEL_EXPORTER_OTLP_ENDPOINT took not all traces."
        )
    note(f"{count} traces sent.", quiet=quiet)


def _print_all(found: "Iterator[OrderTrace]") -> None:
    import msgspec

    for trace in found:
        plain = msgspec.to_builtins(trace) | {"trace_id": f"{trace.trace_id:032x}"}
        typer.echo(msgspec.json.encode(plain).decode())
