"""From settings to a running service on Ray Serve, and back to nothing. Ray is connected already."""

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actors.feeds.sources import symbols_of
from actors.models.opening import open_registry
from serve.auth.opening import open_access
from serve.auth.start_rule import require_protected
from serve.forecast import front, scaling
from serve.forecast.settings import MakeDesk, ServiceSettings
from serve.forecast.status import ServiceStatus
from trading.errors import ClusterUnreachable, ConfigError

APP = "forecasts"
DRAIN_S = 2.0
"""A replica that is replaced stays reachable so long, until HAProxy has taken note."""
HEALTH_CHECK_S = 2.0
RETRIES = 5
"""Of a request whose replica died, each at another replica."""
PROXY_THREADS_MAX = 4
OVERVIEW_S = 30.0
PRIVATE_PORTS = range(20_000, 30_000)
"""Above those of Ray's workers, below those of Serve's replicas and those that a system hands out by itself."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that answers.

    Attributes
    ----------
    handle : ray.serve.handle.DeploymentHandle
        For callers inside Ray: `await handle.forecast.remote(question)`.
    folder : Path
        Files of HAProxy.
    """

    settings: ServiceSettings
    handle: Any
    folder: Path

    @property
    def url(self) -> str:
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"http://{host}:{self.settings.port}"

    def overview(self) -> ServiceStatus:
        """Return what the replicas say, without HTTP: there, they may ask who we are."""
        found: ServiceStatus = self.handle.overview.remote().result(timeout_s=OVERVIEW_S)
        return found

    def stop(self) -> None:
        """Stop Serve: HAProxy first, then the replicas; Ray goes on.

        What is on its way through HAProxy at that moment gets no answer.
        """
        from ray import serve as ray_serve

        ray_serve.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running(
    settings: ServiceSettings, make_desk: MakeDesk | None = None
) -> Iterator[RunningService]:
    """Run the service for as long as the context lasts. See `start`."""
    service = start(settings, make_desk=make_desk)
    try:
        yield service
    finally:
        service.stop()


def start(
    settings: ServiceSettings, *, make_desk: MakeDesk | None = None, short_way: bool = True
) -> RunningService:
    """Start the service and wait until it answers.

    Parameters
    ----------
    make_desk : callable, optional
        Makes the front desk in each replica; without it there are forecasts and models alone.
    short_way : bool
        Let forecasts pass in front of Serve's own request handling; the bench measures what that spares.

    Raises
    ------
    AuthError, ConfigError, ModelUnknown, DataError
        As `require_startable`.
    ClusterUnreachable
        If no replica became ready, with what Serve says about it.
    """
    require_startable(settings)
    from ray import serve as ray_serve
    from ray.serve.config import HTTPOptions
    from ray.serve.schema import LoggingConfig

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="fc-", dir="/tmp"))  # short, for its sockets; 0700
    environment = environment_of(settings, folder, short_way=short_way)
    quiet = LoggingConfig(enable_access_log=False, log_level="WARNING")
    try:
        ray_serve.start(
            http_options=HTTPOptions(host=settings.host, port=settings.port),
            logging_config=quiet,
            controller_options={"runtime_env": {"env_vars": environment}},
        )
        application = _application(settings, environment, make_desk)
        handle = ray_serve.run(application, name=APP, route_prefix="/", logging_config=quiet)
    except BaseException as error:  # also Ctrl-C: nothing half-started stays behind
        ray_serve.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, RuntimeError):  # all that Serve raises when an application fails
            raise ClusterUnreachable(f"the forecasting service did not start: {error}") from error
        raise
    return RunningService(settings, handle, folder)


def require_startable(settings: ServiceSettings) -> None:
    """Find out before Ray starts what would keep the service from answering.

    Raises
    ------
    AuthError
        If it could be reached from outside, and nobody would be asked who they are.
    ConfigError
        If the port is in use.
    ModelUnknown
        If there is no such model.
    DataError
        If the source of bars cannot be read.
    """
    require_known(settings)
    require_free(settings.host, settings.port)
    open_registry(settings.registry).resolve(settings.model)
    symbols_of(settings.source)


def require_known(settings: ServiceSettings) -> None:
    """Check that who can reach the service is asked who they are.

    Raises
    ------
    AuthError
        If others could reach it, and authentication is off or nobody could come in.
    """
    access = open_access(settings.access) if settings.access.is_on else None
    try:
        require_protected(settings.host, settings.access, access)
    finally:
        if access is not None:
            access.close()


def require_free(host: str, port: int) -> None:
    """Check that nothing listens on the port; HAProxy would share it with a stranger without a word.

    Raises
    ------
    ConfigError
        If something does.
    """
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        if probe.connect_ex((host, port)) == 0:
            raise ConfigError(
                f"port {port} of {host} is in use; stop what listens there, or set serve.port (or --port)."
            )


def environment_of(
    settings: ServiceSettings, folder: Path, *, short_way: bool = True
) -> dict[str, str]:
    """Return the environment of Serve's processes, for which Serve has no other settings.

    - User code runs in the event loop of the replica, not in a second one beside it.
    - HAProxy repeats a request whose replica died before it answered: a forecast changes nothing, an order counts once
      by its key, and a state or a limit is set to what it is already. A job may be started twice.
    - Nobody is believed who says, in a header, from which address they come.
    - No log record and no metric per request; `/metrics` counts in the replica.
    - Files and sockets lie in a folder of our own; the ports that listen beside the service are free ones.
    """
    environment = {
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1000",
        "FORWARDED_ALLOW_IPS": "",
    }
    if short_way:
        environment["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] = front.IMPORT_PATH
    return environment | (
        _haproxy(folder, settings.port) if settings.ha_proxy else {"RAY_SERVE_ENABLE_HA_PROXY": "0"}
    )


def _haproxy(folder: Path, port: int) -> dict[str, str]:
    stats, metrics, fallback = _free_ports(3, but_not=port)
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_LOG_TARGET": f"{folder}/log",
        "RAY_SERVE_HAPROXY_NBTHREAD": str(min(PROXY_THREADS_MAX, os.cpu_count() or 1)),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_HAPROXY_RETRIES": str(RETRIES),
        "RAY_SERVE_HAPROXY_TIMEOUT_CONNECT_S": "1",
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(DRAIN_S),
    }


def _free_ports(count: int, *, but_not: int) -> list[int]:
    """Return ports that are free, and that nobody is given by chance before HAProxy listens there."""
    found: list[int] = []
    for port in np.random.default_rng().permutation(PRIVATE_PORTS).tolist():
        if port == but_not:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise ConfigError("no port from 20000 to 29999 is free; stop what listens there.")


def _application(
    settings: ServiceSettings, environment: dict[str, str], make_desk: MakeDesk | None
) -> Any:
    import ray
    from ray import serve as ray_serve
    from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, DeploymentActorConfig

    from serve.forecast.board import NAME, Board
    from serve.forecast.model_replica import ModelReplica

    autoscaling = AutoscalingConfig(
        min_replicas=settings.min_replicas,
        max_replicas=max(settings.min_replicas, settings.max_replicas),
        upscale_delay_s=5.0,
        downscale_delay_s=120.0,
        look_back_period_s=20.0,
        policy=AutoscalingPolicy(policy_function=scaling.IMPORT_PATH),
    )
    deployment = ray_serve.deployment(ModelReplica).options(
        name="ModelReplica",
        autoscaling_config=autoscaling,
        ray_actor_options={
            "num_cpus": settings.num_cpus,
            "num_gpus": settings.num_gpus,
            "runtime_env": {"env_vars": environment},
        },
        max_ongoing_requests=1_000,
        health_check_period_s=HEALTH_CHECK_S,
        health_check_timeout_s=10.0,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=20.0,
        deployment_actors=[
            DeploymentActorConfig(
                name=NAME, actor_class=ray.remote(Board), actor_options={"num_cpus": 0}
            )
        ],
    )
    return deployment.bind(settings, make_desk)
