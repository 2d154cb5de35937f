"""What executions cost, measured over everything that a journal holds."""

from actors.journal.journal import Journal
from cluster.history import read_stream
from trading.identifiers import Venue
from trading.slippage import SlippageReport, slippage_report


def slippage_of(journal: Journal) -> SlippageReport:
    """Measure all accounts of a journal.

    Raises
    ------
    JournalError
        If the journal cannot be used, or a record does not fit the chain.
    """
    streams = journal.streams()
    desks = [name for name in streams if name.startswith("execution:")]
    accounts = [name for name in streams if name.startswith("account:")]
    return slippage_report(
        (event for name in desks for event in read_stream(journal, name)),
        ((Venue(name.split(":")[1]), read_stream(journal, name)) for name in accounts),
    )
