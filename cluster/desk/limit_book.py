"""The risk limits in force, how much of each is used, and their changes by journalled facts."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from actors.journal.journal import Journal
from serve.desk.accounts import Room
from serve.desk.answers import LimitUse
from trading.codec import decode
from trading.events import LimitChanged
from trading.identifiers import AccountId, StreamName
from trading.risk.limit_changes import LimitBook, limits_stream
from trading.risk.limits import RiskLimits


def limits_in_force(journal: Journal, account_id: AccountId, configured: RiskLimits) -> LimitBook:
    """Fold the changes in the journal over the configured limits, as the risk manager does.

    Raises
    ------
    JournalError
        If the journal cannot be used.
    """
    book = LimitBook(configured)
    for record in journal.read(limits_stream(account_id)):
        event = decode(record.payload)
        assert isinstance(event, LimitChanged)
        book.apply(event)
    return book


def change_limit(
    book: LimitBook,
    accounts: Sequence[AccountId],
    change: LimitChanged,
    append: Callable[[StreamName, LimitChanged], None],
) -> None:
    """Journal a change for every account, and take it over into `book`.

    Raises
    ------
    UsageError
        If there is no such limit, or the value does not fit it; nothing was written.
    """
    book.after(change)
    for account_id in accounts:
        append(limits_stream(account_id), change)
    book.apply(change)


def limit_uses(book: LimitBook, rooms: Mapping[str, Room]) -> list[LimitUse]:
    """Return every limit.

    Parameters
    ----------
    rooms : mapping
        What the running risk managers measure, by limit, see `serve.desk.accounts.least_room`.
    """
    return [limit_use(book, name, rooms) for name in book.limits.__struct_fields__]


def limit_use(book: LimitBook, name: str, rooms: Mapping[str, Room]) -> LimitUse:
    """Return one limit, with who changed it last."""
    own, room = last_change(book, name), rooms.get(name)
    return LimitUse(
        name=name,
        limit=limit_text(getattr(book.limits, name)),
        used=None if room is None else room.used,
        left=None if room is None else room.left,
        account=None if room is None else room.account,
        changed_by=None if own is None else own.actor,
        reason=None if own is None else own.reason,
    )


def last_change(book: LimitBook, name: str) -> LimitChanged | None:
    """Return who changed a limit last, or an entry of it; None when it is as configured."""
    own = [each for key, each in book.changes().items() if key.partition(".")[0] == name]
    return own[-1] if own else None


def limit_text(value: object) -> str:
    """Return the value of a limit as people write it; `-` is none."""
    if value is None or value in ({}, ()):
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={limit_text(entry)}" for key, entry in value.items())
    return ", ".join(_words(value)) if isinstance(value, tuple) else str(value)


def _words(values: Iterable[object]) -> list[str]:
    return [str(each) for each in values]
