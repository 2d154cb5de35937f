"""`trader cluster status`: the forecasting service as it is, read from its `/v1/cluster`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, config_of

if TYPE_CHECKING:
    from serve.forecast.status import ReplicaStatus, ServiceStatus

app = typer.Typer(help="Look at the forecasting service.", no_args_is_help=True)


@app.callback()
def cluster() -> None:
    """Look at the forecasting service."""


@app.command()
def status(
    url: Annotated[
        str,
        typer.Option("--url", metavar="URL", help="Of the service; default: the configured one."),
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show replicas, versions, GPUs, queue and latencies."""
    from cluster.cli.output import print_facts, print_json, print_table
    from cluster.forecast_service import read_status

    settings = config_of(config)
    found = read_status(url or f"http://{settings.serve.host}:{settings.serve.port}")
    if as_json:
        print_json(found)
        return
    print_facts(_facts(found))
    typer.echo()
    headings = (
        "replica",
        "node",
        "pid",
        "models",
        "provider",
        "asked",
        "queue",
        "p50",
        "p99",
        "cache hits",
    )
    print_table(headings, [_row(replica) for replica in found.replicas])


def _facts(found: "ServiceStatus") -> dict[str, object]:
    facts: dict[str, object] = {
        "champions": ", ".join(name for names in found.versions.values() for name in names) or "-",
        "forecasts": f"{found.asked} asked, {found.queued} waiting, {found.cache_hits} from the cache",
        "latency": f"p50 {_ms(found.p50_ms)}, p99 {_ms(found.p99_ms)}",
        "CPUs, GPUs": f"{found.cpus:g}, {found.gpus:g} ({found.gpus_free:g} free)",
    }
    for replica in found.replicas:
        for challenger, seen in replica.shadow.items():
            facts[f"shadow {challenger} in {replica.replica}"] = (
                f"{seen.compared} compared, {seen.failed} failed, {seen.dropped} dropped, "
                f"mean difference {seen.mean_difference:+.5f}"
            )
        if replica.problem:
            facts[f"problem in {replica.replica}"] = replica.problem
    return facts | {f"refused {name}": reason for name, reason in found.refused.items()}


def _row(replica: "ReplicaStatus") -> tuple[object, ...]:
    return (
        replica.replica,
        replica.node,
        replica.pid,
        ", ".join(model.model for model in replica.models),
        ", ".join(sorted({model.provider for model in replica.models})),
        replica.asked,
        replica.queued,
        _ms(replica.p50_ms),
        _ms(replica.p99_ms),
        replica.cache_hits,
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ms"
