"""A request that becomes a `trader` command: each field says which option or argument it is.

No text of a caller becomes an argument of its own that could be read as an option, and none is a path: positional
arguments are names that begin with a letter or a digit, everything else is `--option=value`, and source text goes
into files with names of ours.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from serve.desk.jobs import Job, Jobs
from serve.desk.principal import Principal


class JobRequest(BaseModel):
    """Base of all requests.

    Attributes
    ----------
    KIND : str
        Words of the command, as `Jobs.start` takes them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    KIND: ClassVar[str]


class Style(StrEnum):
    """How a value is written."""

    VALUE = "value"
    FLAG = "flag"
    JOINED = "joined"
    """A list between commas."""
    REPEATED = "repeated"
    """A list, the option once for each."""
    PAIRS = "pairs"
    """A mapping, the option once for each `name=value`; values as TOML."""
    OWN = "own"
    """A mapping whose names are options of their own."""


class Option(NamedTuple):
    """The option of a field. Its default is that of the command, and is left out."""

    name: str
    style: Style = Style.VALUE


class Argument(NamedTuple):
    """The place of a field among the positional arguments; a list is one word each, or one with commas."""

    place: int
    is_joined: bool = False


class FilePlace(NamedTuple):
    """A field whose text is written into a file, which is named by an option or, without one, as argument 0."""

    file: str
    option: str = ""


class SourceFile(NamedTuple):
    """Source text: the file is named after the field `named_by`, and is argument 0."""

    named_by: str


def arguments_of(request: JobRequest) -> list[str]:
    """Return the arguments of the command, for `Jobs.start(request.KIND, ...)`."""
    options: list[str] = []
    places: dict[int, list[str]] = {}
    for value, mark in _marked(request):
        if isinstance(mark, Option):
            options += _written(mark, value)
        elif isinstance(mark, Argument):
            words = [value] if isinstance(value, str) else value
            places[mark.place] = [",".join(words)] if mark.is_joined else list(words)
        elif isinstance(mark, FilePlace) and mark.option:
            options.append(f"{mark.option}={mark.file}")
        elif isinstance(mark, SourceFile | FilePlace):
            places[0] = [_file_of(request, mark)]
    return [*(word for place in sorted(places) for word in places[place]), *options]


def files_of(request: JobRequest) -> dict[str, str]:
    """Return the files that the command reads, by name: the `files` of `Jobs.start`."""
    return {
        _file_of(request, mark): _text_of(value)
        for value, mark in _marked(request)
        if isinstance(mark, FilePlace | SourceFile)
    }


def _marked(request: JobRequest) -> Iterator[tuple[Any, object]]:
    """Yield the value and the mark of each field that says something the command does not do by itself."""
    for name, field in type(request).model_fields.items():
        value = getattr(request, name)
        is_default = value == field.get_default(call_default_factory=True)
        for mark in field.metadata:
            is_said = bool(value) if isinstance(mark, Argument) else not is_default
            if is_said and isinstance(mark, Option | Argument | FilePlace | SourceFile):
                yield value, mark


def _file_of(request: JobRequest, mark: FilePlace | SourceFile) -> str:
    return mark.file if isinstance(mark, FilePlace) else f"{getattr(request, mark.named_by)}.py"


def _written(option: Option, value: Any) -> list[str]:
    match option.style:
        case Style.VALUE:
            return [f"{option.name}={value}"]
        case Style.FLAG:
            return [option.name]
        case Style.JOINED:
            return [f"{option.name}={','.join(value)}"]
        case Style.REPEATED:
            return [f"{option.name}={each}" for each in value]
        case Style.PAIRS:
            return [f"{option.name}={name}={json.dumps(each)}" for name, each in value.items()]
        case Style.OWN:
            return [f"--{name}={each}" for name, each in value.items()]


def _text_of(value: str | Sequence[BaseModel]) -> str:
    """Return text as it is, and rows as the CSV that the commands read: columns by the fields of the rows."""
    if isinstance(value, str):
        return value
    rows: list[Mapping[str, Any]] = [each.model_dump(mode="json") for each in value]
    lines = [",".join(rows[0]), *(",".join(str(cell) for cell in row.values()) for row in rows)]
    return "\n".join(lines) + "\n"


def begin(
    jobs: Jobs, request: JobRequest, by: Principal, correlation_id: str, key: str = ""
) -> Job:
    """Start the job that a request is. See `Jobs.start`."""
    return jobs.start(
        request.KIND,
        arguments_of(request),
        by,
        correlation_id=correlation_id,
        files=files_of(request),
        key=key,
    )
