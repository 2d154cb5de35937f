"""Read a socket until it is empty, cheaply: most of the time there is one message."""

from collections.abc import Callable
from typing import TypeVar

import zmq

T = TypeVar("T")


def drain(
    socket: zmq.Socket[bytes],
    receive: Callable[[int], T],
    take: Callable[[T], object],
    count_max: int,
) -> bool:
    """Give every waiting message to `take`. Returns False when `count_max` was reached before the end.

    An empty socket raises, which costs as much as reading a message; after the first message
    the socket is asked instead.

    Parameters
    ----------
    receive : function of flags
        `socket.recv` or `socket.recv_multipart`.
    """
    try:
        take(receive(zmq.NOBLOCK))
        if not int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            return True
        for _ in range(count_max - 1):
            take(receive(zmq.NOBLOCK))
    except zmq.Again:
        return True
    return False
