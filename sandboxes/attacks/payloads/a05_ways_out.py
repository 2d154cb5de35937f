"""Any other way out: a route, raw packets, and families of sockets that network namespaces do not cover."""

import socket
from collections.abc import Callable

from sandboxes.attacks.means import Ground, got_through

VSOCK, ALG, XDP, QIPCRTR = 40, 38, 44, 42


def attack(ground: Ground) -> list[str]:
    def route() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.connect(("192.0.2.1", 53))  # sends nothing: it looks a route up

    def opened(family: int, kind: int, protocol: int = 0) -> Callable[[], object]:
        return lambda: socket.socket(family, kind, protocol).close()

    kinds = {
        "raw": opened(socket.AF_INET, socket.SOCK_RAW, 1),
        "packet": opened(socket.AF_PACKET, socket.SOCK_RAW),
        "netlink": opened(socket.AF_NETLINK, socket.SOCK_RAW),
        "vsock": opened(VSOCK, socket.SOCK_STREAM),
        "alg": opened(ALG, socket.SOCK_SEQPACKET),
        "xdp": opened(XDP, socket.SOCK_RAW),
        "qipcrtr": opened(QIPCRTR, socket.SOCK_DGRAM),
    }
    return got_through(route=route, **kinds)
