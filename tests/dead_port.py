"""A port where nobody answers, for as long as a test needs it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"


@contextmanager
def nobody_at(port: int = 0) -> Iterator[int]:
    """Hold a port without listening, so that no other test comes to listen there; 0 is any free one."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of before linger
        held.bind((HOST, port))
        yield held.getsockname()[1]
