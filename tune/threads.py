"""Threads of numba inside a worker: Ray fills the cores with workers, so each gets one."""

import numba


def use_one_thread() -> None:
    """Let parallel numba functions of this process use the calling thread alone."""
    numba.set_num_threads(1)
