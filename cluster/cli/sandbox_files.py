"""Files and output on their way into a sandbox and out of it, and the options that name them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

GivenOption = Annotated[
    list[Path] | None,
    typer.Option("--file", metavar="PATH", help="A file that it finds beside it; repeat."),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Where the files that it writes go."),
]
TemplateOption = Annotated[str, typer.Option("--template", help="What it finds installed.")]


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    from trading.errors import UsageError

    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def files_at(paths: list[Path]) -> dict[str, bytes]:
    """Return files by their plain names.

    Raises
    ------
    UsageError
        If one cannot be read, or two have one name.
    """
    from trading.errors import UsageError

    found: dict[str, bytes] = {}
    for path in paths:
        if path.name in found:
            raise UsageError(f"two files are called {path.name}; rename one.")
        found[path.name] = read_bytes(path)
    return found


def keep(files: Mapping[str, bytes], folder: Path) -> None:
    """Write what code left behind; the names were checked where they came in.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    """
    from trading.errors import UsageError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / Path(name).name).write_bytes(data)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.") from None


def pass_on(stream: str, text: str) -> None:
    """Print untrusted text without what could steer a terminal."""
    plain = "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)
    typer.echo(plain, nl=False, err=stream == "stderr")


def status_of(error: str, *, ok: bool) -> int:
    """Return the exit code for code that ended so; `error` is the code of a sandbox's error."""
    from cluster.exit_codes import ExitCode
    from sandboxes.errors import SandboxTimeout

    if ok:
        return ExitCode.OK
    return SandboxTimeout.exit_status if error == SandboxTimeout.code else ExitCode.FAILED
