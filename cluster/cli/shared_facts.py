"""Facts that a command writes into a shared stream: no actor has to be alive for it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trading.codec import encode
from trading.identifiers import StreamName

if TYPE_CHECKING:
    from cluster.config import Config
    from trading.events import Event


def append_shared_facts(config: "Config", stream: StreamName, facts: "Sequence[Event]") -> None:
    """Append to the configured journal, and to that of a newer `trader run`, which may be going on.

    Raises
    ------
    JournalError
        If a journal cannot be written.
    """
    from actors.journal.open import open_journal
    from cluster.cli.folders import config_of_newest_journal

    newest = config_of_newest_journal(config) or config
    payloads = [encode(fact) for fact in facts]
    for url in dict.fromkeys((newest.cluster.journal, config.cluster.journal)):
        journal = open_journal(url)
        try:
            journal.append_shared(stream, payloads, facts[-1].ts_init)
        finally:
            journal.close()
