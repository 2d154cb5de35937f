"""`trader serve`: the front desk in the foreground, until Ctrl-C."""

import signal
import threading
from pathlib import Path
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
    """Serve the front desk over HTTP until Ctrl-C: the page, /v1, /docs, forecasts. New champions are taken over.

    It joins the Ray of a cluster that `trader up` started on this machine, and trades there. Without one it starts a
    Ray of its own: forecasts, models and jobs are there, and what trades answers that no cluster runs.

    --json prints one object when the service answers, and goes on serving.
    """
    from cluster.access import prepare_access
    from cluster.cli.output import note, print_facts, print_json
    from cluster.desk.opening import DeskMaker, service_settings
    from serve.forecast.launch import require_startable, running

    settings = _configured(config, address, host=host, port=port, min_replicas=replicas)
    wanted = service_settings(settings, model, prepare_access(settings))
    require_startable(wanted)
    _forget_credentials(settings)
    note("Starting the replicas ...", quiet=quiet)
    ray, is_joined = _connect(settings)
    if not is_joined:
        note("No cluster runs here, so nothing is traded: `trader up`, then start this again.", quiet=quiet)  # fmt: skip
    try:
        with running(wanted, DeskMaker(settings)) as service:
            facts = facts_of(service.url, wanted, service.overview())
            if as_json:
                print_json(facts)
            else:
                print_facts(facts)
            note("Ctrl-C stops it.", quiet=quiet)
            _wait_for_signal()
            note("Stopping ...", quiet=quiet)
    finally:
        ray.shutdown()


def facts_of(url: str, settings: "ServiceSettings", status: "ServiceStatus") -> dict[str, object]:
    """Return what people want to know of a service that has just started."""
    models = [model for replica in status.replicas for model in replica.models]
    key = ' -H "X-API-Key: $DESK_KEY"' if settings.access.is_on else ""
    return {
        "url": url,
        "page": f"{url}/",
        "docs": f"{url}/docs",
        "model": ", ".join(sorted({model.model for model in models if "champion" in model.parts}))
        or settings.model,
        "provider": ", ".join(sorted({model.provider for model in models})),
        "replicas": len(status.replicas),
        "try": f'curl -s{key} {url}/v1/forecast -d \'{{"symbol":"AAPL","horizon":5}}\'',
    }


def _configured(path: Path | None, address: str | None, **serve: str | int | None) -> "Config":
    """Return the configuration in force, with what the command line says on top."""
    from cluster.config import load_config

    overrides: dict[str, Any] = {
        "serve": {key: value for key, value in serve.items() if value is not None}
    }
    if address is not None:
        overrides["cluster"] = {"address": address}
    return load_config(path, overrides)


def _connect(config: "Config") -> tuple[Any, bool]:
    """Return Ray, and whether it is that of others: of the running cluster, where there is one."""
    from cluster import ray_runtime

    if config.cluster.address != "local":
        return ray_runtime.join(config, config.cluster.address), True
    if ray_runtime.has_head(config):
        return ray_runtime.join(config, ray_runtime.head_address(config)), True
    return ray_runtime.start_local(config), False


def _forget_credentials(config: "Config") -> None:
    """Take the credentials of venues out of our environment: no replica inherits one."""
    import os

    from actors.venues.credentials import forget_variables
    from cluster.desk.job_settings import credential_names

    forget_variables(credential_names(config), os.environ)


def _wait_for_signal() -> None:
    """Wait for Ctrl-C or SIGTERM: the ordinary end. Ray has put handlers of its own in the place of Python's."""
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    is_over.wait()
