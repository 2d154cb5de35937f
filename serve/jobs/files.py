"""The files of a job, and the locks that say who lives. Standard library only: a runner starts in no time.

    <jobs>/lock             held while a job is added
    <jobs>/slot-0, slot-1   one is held by every running job
    <jobs>/<id>/request     what is to be run
    <jobs>/<id>/alive       held by its runner for as long as that lives
    <jobs>/<id>/waiting     held by its runner while it waits for its turn
    <jobs>/<id>/work        where the command starts
    <jobs>/<id>/running     when it started, and who runs it
    <jobs>/<id>/canceled    somebody wants its end
    <jobs>/<id>/exit        how it ended
    <jobs>/<id>/cleared     it was lost, and what was left of it was ended
    <jobs>/<id>/stdout, stderr

A lock is the kernel's: it ends with the process that holds it, however that ends.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MARK = "NEURAL_TRADER_JOB"
"""Variable in the environment of every process of a job: its id."""


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a file whole or not at all."""
    own = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(record, file)
    own.replace(path)


def read_record(path: Path) -> dict[str, Any] | None:
    """Return what a file holds; None when there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def take(path: Path, *, is_shared: bool = False) -> int:
    """Wait for a lock; return the descriptor that holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)
    return descriptor


def try_take(path: Path) -> int | None:
    """Take a lock if nobody holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_held(path: Path) -> bool:
    """Say whether somebody lives who holds a lock."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold a lock for as long as the context lasts."""
    descriptor = take(path)
    try:
        yield
    finally:
        os.close(descriptor)
