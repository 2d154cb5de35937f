"""The kill switch while no cluster answers: it latches in the journal, and counts when somebody reads that."""

import time
from typing import TYPE_CHECKING

from cluster.cli.shared_facts import append_shared_facts
from cluster.config.accounts import accounts_of
from serve.desk.view import VenueKillReport
from trading.events import KillSwitchTripped
from trading.identifiers import AccountId, Venue, kill_stream

if TYPE_CHECKING:
    from cluster.config import Config

NOT_REACHED = "the cluster does not answer: open orders may still be at the venue; look there"


def latch_kill_switch(
    config: "Config", *, actor: str, reason: str, flatten: bool
) -> list[VenueKillReport]:
    """Latch the switch of every account in the journal, and say that nobody confirmed it.

    Raises
    ------
    JournalError
        If it cannot be written.
    """
    now = time.time_ns()
    event = KillSwitchTripped(
        ts_event=now, ts_init=now, actor=actor, reason=reason, flatten=flatten
    )
    accounts = [each.account for each in accounts_of(config)]
    for account in accounts:
        append_shared_facts(config, kill_stream(AccountId(account.account_id)), [event])
    return [
        VenueKillReport(
            venue=Venue(account.venue),
            account_id=AccountId(account.account_id),
            reached=False,
            reason=NOT_REACHED,
        )
        for account in accounts
    ]
