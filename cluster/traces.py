"""Reads what the journal tells of orders, as traces; of the newest run, or of the cluster that is running."""

import time
from collections.abc import Iterator

from actors.journal.journal import Journal
from actors.journal.open import open_journal
from cluster.cli.folders import config_of_newest_journal
from cluster.config import Config
from serve.monitoring.order_traces import OrderTrace, OrderTraces
from trading.codec import decode
from trading.desk_facts import OrderRequested, requests_stream
from trading.errors import UsageError
from trading.events import OrderDenied, OrderEvent
from trading.identifiers import AccountId, StreamName, Venue, account_stream

POLL_S = 0.5


def traces_of(config: Config, *, is_endless: bool) -> Iterator[OrderTrace]:
    """Yield the trace of each order that is over; an endless reader waits for the next.

    Raises
    ------
    UsageError
        If nothing has been traded yet.
    JournalError
        If the journal cannot be used, or a record does not fit the chain.
    """
    stored = config_of_newest_journal(config)
    if stored is None:
        raise UsageError(
            "there is no journal yet; start a cluster with `trader up` or `trader run`."
        )
    account = config.account
    own = account_stream(Venue(account.venue), AccountId(account.account_id))
    risk = StreamName(f"risk:{account.account_id}")
    requests = requests_stream(AccountId(account.account_id))
    journal, traces = open_journal(stored.cluster.journal), OrderTraces()
    seen: dict[StreamName, int] = {}
    try:
        while True:
            for stream in (requests, risk, own):
                yield from _new(journal, stream, seen, traces, is_risk=stream == risk)
            if not is_endless:
                return
            time.sleep(POLL_S)
    finally:
        journal.close()


def _new(
    journal: Journal,
    stream: StreamName,
    seen: dict[StreamName, int],
    traces: OrderTraces,
    *,
    is_risk: bool,
) -> Iterator[OrderTrace]:
    for record in journal.read(stream, seen.get(stream, 0)):
        seen[stream] = record.seq
        fact = decode(record.payload)
        if isinstance(fact, OrderRequested):
            traces.requested(fact)
        elif isinstance(fact, OrderDenied) or (isinstance(fact, OrderEvent) and not is_risk):
            trace = traces.take(fact)
            if trace is not None:
                yield trace
