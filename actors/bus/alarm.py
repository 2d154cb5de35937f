"""Wakes a thread that waits for sockets, from any other thread."""

import os
import threading


class Alarm:
    """A pipe that becomes readable when somebody rings; many rings are one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = True
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        return self._reader

    def ring(self) -> None:
        """Safe in any thread and after `close`: the lock keeps the descriptor from being reused."""
        with self._lock:
            if not self._is_open:
                return
            try:
                os.write(self._writer, b"!")
            except BlockingIOError:
                return  # the pipe is full of rings already

    def clear(self) -> None:
        try:
            while len(os.read(self._reader, 4096)) == 4096:
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._reader)
                os.close(self._writer)
