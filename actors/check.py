"""Did anything get lost or doubled? Our record of one account against the exchange's own.

The exchange's record is rebuilt from its journal, independently of everything on our side.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from actors.blueprint import Blueprint, exchange_of
from actors.journal.journal import Journal
from trading.broker.record import AccountRecord
from trading.codec import decode
from trading.commands import SubmitOrder, SubmitOrderList
from trading.events import Event
from trading.exchange.exchange import SimulatedExchange
from trading.identifiers import (
    AccountId,
    InstrumentId,
    StreamName,
    account_stream,
    kill_stream,
)
from trading.values import ZERO


@dataclass(frozen=True, slots=True)
class Comparison:
    """All four are zero when nothing went wrong.

    Attributes
    ----------
    duplicates : int
        Submissions that the exchange received for an order that it had received before.
    lost : int
        Fills, and working orders, that one side has and the other has not.
    position_difference : Decimal
        Sum of absolute differences over instruments, in units.
    cash_difference : Decimal
        Absolute difference, in account currency.
    """

    duplicates: int
    lost: int
    position_difference: Decimal
    cash_difference: Decimal

    @property
    def is_clean(self) -> bool:
        return not (
            self.duplicates or self.lost or self.position_difference or self.cash_difference
        )


def compare(
    blueprint: Blueprint, journal: Journal, ledger: Mapping[str, Any] | None = None
) -> Comparison:
    """Compare the account's journal, and the ledger's `view()` if given, with the exchange's journal."""
    exchange = exchange_of(blueprint)
    for event in _events(journal, exchange.stream):
        exchange.apply(event)
    account_id = blueprint.account_id
    record = AccountRecord(blueprint.initial_cash, kill_stream(account_id))
    for event in _events(journal, account_stream(blueprint.venue, account_id)):
        record.apply(event)
    if ledger is None:
        ours = {name: p.quantity for name, p in record.account.positions().items()}
        cash = record.account.cash
    else:
        ours = {
            InstrumentId(r["instrument_id"]): Decimal(r["quantity"]) for r in ledger["positions"]
        }
        cash = Decimal(ledger["cash"])
    theirs = exchange.positions(account_id)
    fills = {fill.trade_id for fill in exchange.fills(account_id)}
    return Comparison(
        duplicates=_repeated_submissions(exchange, account_id),
        lost=len(record.account.trade_ids ^ fills)
        + len(set(record.open_orders) ^ _open_orders(exchange, account_id)),
        position_difference=sum(
            (abs(ours.get(n, ZERO) - theirs.get(n, ZERO)) for n in {*ours, *theirs}), ZERO
        ),
        cash_difference=abs(cash - exchange.cash(account_id)),
    )


_SUBMISSIONS = frozenset({SubmitOrder.__name__, SubmitOrderList.__name__})


def _repeated_submissions(exchange: SimulatedExchange, account_id: AccountId) -> int:
    return sum(
        sum(r.kind in _SUBMISSIONS for r in exchange.requests_for(order.client_order_id)) - 1
        for order in exchange.orders(account_id)
    )


def _open_orders(exchange: SimulatedExchange, account_id: AccountId) -> set[str]:
    return {o.client_order_id for o in exchange.orders(account_id) if not o.status.is_terminal}


def _events(journal: Journal, stream: StreamName) -> Iterator[Event]:
    for record in journal.read(stream):
        event = decode(record.payload)
        assert isinstance(event, Event)
        yield event
