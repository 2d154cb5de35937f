"""How far long work is: a bar with the time left on a terminal, otherwise a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_INTERVAL_S = 5.0


@contextmanager
def meter(
    what: str, total: int, *, plain: bool, quiet: bool
) -> Iterator[Callable[[int, str], None]]:
    """Show progress on stderr; call the result with how much is done and a few words."""
    from cluster.cli.output import is_interactive

    if quiet:
        yield lambda done, words: None
    elif plain or not is_interactive():
        yield _lines(what, total)
    else:
        with _bar(what, total) as show:
            yield show


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int, str], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, words="")
        yield lambda done, words: progress.update(task, completed=done, words=words)


def _lines(what: str, total: int) -> Callable[[int, str], None]:
    from cluster.cli.output import note

    due = 0.0

    def show(done: int, words: str) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due or done >= total:
            due = now + LINE_INTERVAL_S
            note(f"{what}: {done:,} of {total:,}  {words}".rstrip())

    return show
