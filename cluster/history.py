"""The facts of a run, read back from the journal: what the report and `trader replay` stand on."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from actors.journal.journal import Journal
from actors.journal.open import open_journal
from cluster.config import Config
from trading.codec import decode
from trading.errors import UsageError
from trading.events import Event
from trading.identifiers import (
    AccountId,
    StreamName,
    Venue,
    account_stream,
    machine_name,
)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The streams that tell the story of one account, each in its order.

    Attributes
    ----------
    account : tuple of Event
        What became of every order.
    ledger : tuple of Event
        The account valued at each close.
    decisions : tuple of Event
        What risk and the strategies decided: refusals, trading states.
    """

    account: tuple[Event, ...] = ()
    ledger: tuple[Event, ...] = ()
    decisions: tuple[Event, ...] = ()


def account_stream_of(config: Config) -> StreamName:
    """Return the name of the stream of the configured account."""
    return account_stream(Venue(config.account.venue), AccountId(config.account.account_id))


def read_history(config: Config) -> History:
    """Read the streams of the configured account; a stream that does not exist is empty.

    Raises
    ------
    JournalError
        If the journal cannot be used, or a record does not fit the chain.
    """
    account_id = config.account.account_id
    journal = open_existing(config.cluster.journal)
    try:
        deciders = [machine_name("risk", account_id)]
        deciders += [machine_name("strategy", name) for name in config.strategies]
        return History(
            account=tuple(read_stream(journal, account_stream_of(config))),
            ledger=tuple(read_stream(journal, StreamName(machine_name("ledger", account_id)))),
            decisions=tuple(
                event for name in deciders for event in read_stream(journal, StreamName(name))
            ),
        )
    finally:
        journal.close()


def open_existing(url: str) -> Journal:
    """Open a journal to read it; never make one.

    Raises
    ------
    UsageError
        If there is none yet.
    """
    if not journal_exists(url):
        raise UsageError(
            f"there is no journal at {url} yet; `trader run` or `trader up` makes one."
        )
    return open_journal(url)


def journal_exists(url: str) -> bool:
    """Return whether something is where the embedded journal goes; servers answer for themselves."""
    parts = urlsplit(url)
    return parts.scheme != "sqlite" or Path(unquote(parts.path)).exists()


def read_stream(journal: Journal, stream: StreamName) -> Iterator[Event]:
    """Yield the verified facts of one stream, in order."""
    for record in journal.read(stream):
        event = decode(record.payload)
        assert isinstance(event, Event), f"{stream} holds {type(event).__name__}"
        yield event
