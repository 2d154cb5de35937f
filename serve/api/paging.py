"""Pages of a list that changes while it is read: a cursor says behind which row to go on, not at which number."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from serve.http.problems import RequestRefused

ROWS_MAX = 500
CURSOR_MAX = 512
Row = TypeVar("Row", bound=BaseModel)
Key = tuple[int | str, ...]
Cursor = Annotated[
    str | None,
    Field(max_length=CURSOR_MAX, description="`next` of the page before; nothing for the first."),
]
Limit = Annotated[int, Field(ge=1, le=ROWS_MAX, description="Rows of a page.")]


class Paged(BaseModel):
    """What every paged list can be asked for."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 100
    cursor: Cursor = None


def page_of(
    rows: Sequence[Row], key: Callable[[Row], Key], asked: Paged
) -> tuple[list[Row], str | None]:
    """Return one page in the order of `key`, and the cursor of the next; None at the end.

    Parameters
    ----------
    key : callable
        Different for every row, ascending.

    Raises
    ------
    RequestRefused
        If the cursor is none of ours (`CURSOR_INVALID`).
    """
    ordered = sorted(rows, key=key)
    if asked.cursor is not None:
        after = _opened(asked.cursor)
        try:
            ordered = [row for row in ordered if key(row) > after]
        except TypeError:
            raise _invalid() from None
    page = ordered[: asked.limit]
    is_last = len(ordered) <= asked.limit
    return page, None if is_last else _sealed(key(page[-1]))


def _sealed(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _opened(cursor: str) -> Key:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid() from None
    if not isinstance(found, list):
        raise _invalid()
    return tuple(found)


def _invalid() -> RequestRefused:
    return RequestRefused(
        422, "CURSOR_INVALID", "The cursor is none of this list; send `next` of the page before."
    )
