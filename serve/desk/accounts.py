"""The accounts of a snapshot: the first one's machines stand in the snapshot itself, others are linked."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from serve.desk.answers import Source
from serve.desk.view import ClusterSnapshot, VenueView
from trading.values import TradingState

UNKNOWN = "UNKNOWN"
"""Trading state while a risk manager is down: nothing can be sent then."""
View = Mapping[str, Any]
_NONE: View = {}
_STRICTEST_FIRST = (UNKNOWN, TradingState.HALTED, TradingState.REDUCING, TradingState.ACTIVE)


class AccountViews(msgspec.Struct, frozen=True, kw_only=True):
    """What the machines of one account say; empty mappings while they are down."""

    account: str
    venue: VenueView | None
    machines: Mapping[str, View]

    def of(self, kind: str) -> View:
        """Return what the first machine of a kind says."""
        found = (view for name, view in self.machines.items() if name.partition(":")[0] == kind)
        return next(found, _NONE)

    @property
    def trading_state(self) -> str:
        return str(self.of("risk").get("state", UNKNOWN))


def accounts_of(snapshot: ClusterSnapshot) -> Iterator[AccountViews]:
    """Yield every account, the first one first."""
    names = (name for name in snapshot.machines if name.partition(":")[0] in ("broker", "ledger"))
    own = next(names, ":").partition(":")[2]
    yield AccountViews(account=own, venue=snapshot.venue, machines=snapshot.machines)
    for linked in snapshot.linked:
        yield AccountViews(account=linked.account_id, venue=linked.venue, machines=linked.machines)


def strictest(accounts: Iterable[AccountViews]) -> AccountViews:
    """Return the account whose trading state lets through least, the first of equals."""
    return min(accounts, key=lambda each: _STRICTEST_FIRST.index(each.trading_state))


def source_of(snapshot: ClusterSnapshot) -> Source:
    """Say whether there is real money in the accounts of this cluster."""
    return Source.LIVE if snapshot.mode == "live" else Source.PAPER
