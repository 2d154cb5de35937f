"""The accounts of a snapshot: the first one's machines stand in the snapshot itself, others are linked."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
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


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit one account uses, and what is left of it."""

    account: str
    limit: Decimal
    used: Decimal
    left: Decimal


def least_room(accounts: Iterable[AccountViews]) -> dict[str, Room]:
    """Return, for every limit that is measured, the account that has the least left of it.

    All accounts go by the same limits; one whose risk manager is down measures nothing.
    """
    found: dict[str, Room] = {}
    for each in accounts:
        for name, row in each.of("risk").get("limits", {}).items():
            figures = {key: Decimal(row[key]) for key in ("limit", "used", "left")}
            room = Room(account=each.account, **figures)
            known = found.get(name)
            if known is None or (room.left, -room.used) < (known.left, -known.used):
                found[name] = room
    return found


def source_of(snapshot: ClusterSnapshot) -> Source:
    """Say whether there is real money in the accounts of this cluster."""
    return Source.LIVE if snapshot.mode == "live" else Source.PAPER
