"""Services on the loopback interface of the host."""

import socket

from sandboxes.attacks.means import Ground, got_through


def attack(ground: Ground) -> list[str]:
    def stream() -> None:
        socket.create_connection(("127.0.0.1", ground["tcp_port"]), timeout=1).close()

    def datagram() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(b"canary", ("127.0.0.1", ground["udp_port"]))

    def listen() -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as line:
            line.bind(("::1", 0))

    return got_through(tcp=stream, udp=datagram, listened=listen)
