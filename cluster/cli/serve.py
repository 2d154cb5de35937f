"""`trader serve`: the forecasting service in the foreground, until Ctrl-C."""

import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption

if TYPE_CHECKING:
    from cluster.config import Config
    from serve.forecast.settings import ServiceSettings
    from serve.forecast.status import ServiceStatus


def serve(
    *,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Where HTTP listens.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", min=1, max=65535, help="Port of HTTP.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", metavar="REF", help="Who answers when a request names no model."
        ),
    ] = "nhits@champion",
    replicas: Annotated[
        int | None, typer.Option("--replicas", min=1, help="Replicas at rest.")
    ] = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve forecasts over HTTP until Ctrl-C. A new champion is taken over without a restart.

    --json prints one object when the service answers, and goes on serving.
    """
    from cluster.cli.cluster import read_status
    from cluster.cli.output import note, print_facts, print_json
    from cluster.config import load_config
    from serve.forecast.launch import require_startable, running

    given = {"host": host, "port": port, "min_replicas": replicas}
    overrides: dict[str, Any] = {
        "serve": {key: value for key, value in given.items() if value is not None}
    }
    if address is not None:
        overrides["cluster"] = {"address": address}
    settings = load_config(config, overrides)
    wanted = settings_of(settings, model)
    require_startable(wanted)
    note("Starting Ray and the replicas ...", quiet=quiet)
    ray = _connect(settings)
    try:
        with running(wanted) as service:
            facts = facts_of(service.url, wanted, read_status(service.url))
            if as_json:
                print_json(facts)
            else:
                print_facts(facts)
            note("Ctrl-C stops it.", quiet=quiet)
            _wait_for_signal()
            note("Stopping ...", quiet=quiet)
    finally:
        ray.shutdown()


def settings_of(config: "Config", model: str) -> "ServiceSettings":
    """Return what the configuration says about the forecasting service."""
    from cluster.models import models_url
    from serve.forecast.settings import ServiceSettings

    models = config.models
    return ServiceSettings(
        registry=models_url(config),
        model=model,
        source=config.data.source,
        providers=models.providers,
        precision=models.precision,
        threads=models.threads,
        **config.serve.model_dump(),
    )


def facts_of(url: str, settings: "ServiceSettings", status: "ServiceStatus") -> dict[str, object]:
    """Return what people want to know of a service that has just started."""
    models = [model for replica in status.replicas for model in replica.models]
    return {
        "url": url,
        "docs": f"{url}/docs",
        "model": ", ".join(sorted({model.model for model in models if "champion" in model.parts}))
        or settings.model,
        "provider": ", ".join(sorted({model.provider for model in models})),
        "replicas": len(status.replicas),
        "try": f'curl -s {url}/v1/forecast -d \'{{"symbol":"AAPL","horizon":5}}\'',
    }


def _connect(config: "Config") -> Any:
    from cluster import ray_runtime

    if config.cluster.address == "local":
        return ray_runtime.start_local(config)
    return ray_runtime.join(config, config.cluster.address)


def _wait_for_signal() -> None:
    """Wait for Ctrl-C or SIGTERM: the ordinary end. Ray has put handlers of its own in the place of Python's."""
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    is_over.wait()
