"""A bar for work that lasts longer than a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting(what: str, total: int, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show how much of `total` is done; call the result with the name of each finished part."""
    from cluster.cli.output import is_interactive

    if not is_interactive(quiet=quiet):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)

        def advance(name: str) -> None:
            progress.update(task, advance=1, description=f"{what}: {name}")

        yield advance
