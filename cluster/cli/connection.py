"""From a configuration to the running cluster, without a long wait where nothing listens."""

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trading.errors import ClusterUnreachable

if TYPE_CHECKING:
    from cluster.config import Config
    from cluster.view import ClusterView

PROBE_TIMEOUT_S = 2.0


def connect(config: "Config") -> "ClusterView":
    """Return the running cluster.

    Raises
    ------
    ClusterUnreachable
        If nothing listens at its address, or no cluster of this name runs there.
    """
    from cluster import client

    require_listener(config)
    return client.connect(config)


def require_listener(config: "Config") -> None:
    """Ask the port first: Ray itself waits for minutes where nothing listens.

    Raises
    ------
    ClusterUnreachable
        If the port does not answer.
    """
    from cluster.ray_runtime import HEAD_PORT

    address = config.cluster.address
    if address == "auto":
        return  # Ray finds it on this machine, or says at once that there is none
    if address == "local":
        host, port = config.cluster.bind, HEAD_PORT
    else:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or HEAD_PORT
    try:
        socket.create_connection((host, port), PROBE_TIMEOUT_S).close()
    except OSError:
        raise ClusterUnreachable(
            f"nothing answers at {host}:{port}; start the cluster with `trader up`, or correct "
            "cluster.address."
        ) from None
