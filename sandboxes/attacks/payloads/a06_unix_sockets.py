"""Unix sockets: abstract, by path, of container engines and of Ray."""

import socket
from collections.abc import Callable

from sandboxes.attacks.means import Ground, got_through


def attack(ground: Ground) -> list[str]:
    def reached(address: str) -> Callable[[], object]:
        def attempt() -> None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.connect(address)

        return attempt

    names = {"by path": ground["unix_path"], "abstract": "\0" + ground["abstract_name"]}
    return got_through(
        **{name: reached(address) for name, address in names.items()},
        docker=reached("/var/run/docker.sock"),
        ray=reached("/tmp/ray/session_latest/sockets/raylet"),
        pair=socket.socketpair,
    )
