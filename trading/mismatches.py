"""Where an account and the venue's word of it differ, once all fills of that word are applied."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from trading.account import Account
from trading.events import OrderFilled
from trading.fills import moved_units
from trading.position import EXACT
from trading.reconciliation import fill_id
from trading.reports import MassStatus
from trading.values import ZERO

CASH = "cash"


class Mismatch(msgspec.Struct, frozen=True):
    """A number on which we and the venue differ: `subject` is an instrument id, or `cash`."""

    subject: str
    ours: Decimal
    venues: Decimal


class RecentFill(NamedTuple):
    """A fill that was applied after an answer was asked for, and what it changed the cash by."""

    fill: OrderFilled
    cash: Decimal


def mismatches(
    account: Account, mass_status: MassStatus, newer: Sequence[RecentFill] = ()
) -> list[Mismatch]:
    """Return where positions and cash differ; what the venue does not tell is not compared.

    Parameters
    ----------
    newer : sequence of RecentFill
        Those in `account` that came after the answer was asked for; those that it does not list
        are left out of our side of the comparison.
    """
    listed = {fill_id(report) for report in mass_status.fills}
    unseen = [recent for recent in newer if recent.fill.trade_id not in listed]
    found = _positions(account, mass_status, unseen)
    if mass_status.account is not None:
        cash = account.cash
        for recent in unseen:
            cash = EXACT.subtract(cash, recent.cash)
        if cash != mass_status.account.cash:
            found.append(Mismatch(CASH, cash, mass_status.account.cash))
    return found


def _positions(
    account: Account, mass_status: MassStatus, unseen: Sequence[RecentFill]
) -> list[Mismatch]:
    if mass_status.positions is None:
        return []
    ours = {key: position.quantity for key, position in account.positions().items()}
    for fill, _ in unseen:
        ours[fill.instrument_id] = EXACT.subtract(ours[fill.instrument_id], moved_units(fill))
    venues = {report.instrument_id: report.quantity for report in mass_status.positions}
    pairs = [(key, ours.get(key, ZERO), venues.get(key, ZERO)) for key in sorted({*ours, *venues})]
    return [Mismatch(key, mine, theirs) for key, mine, theirs in pairs if mine != theirs]
