"""What the accounts hold of things that cannot be sold short: a sale there is limited by it."""

from collections.abc import Iterable
from decimal import Decimal

from trading.algorithms.desk_config import ExecutionDeskConfig
from trading.algorithms.parameters import Listing
from trading.algorithms.parent import ParentOrder
from trading.events import (
    AccountOpened,
    AccountReconciled,
    Event,
    OrderFilled,
    OrderSubmitted,
)
from trading.fills import moved_units
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, TradeId
from trading.values import ZERO, OrderSide


class Holdings:
    """A fold over the streams of all accounts; other instruments are passed over.

    An order says in `OrderSubmitted` whose it is, before any of its fills. An account is known once its venue
    and our record have agreed; until then nothing is said of it.
    """

    def __init__(self, config: ExecutionDeskConfig) -> None:
        self._units = {
            (listing.account_id, listing.instrument_id): ZERO
            for listing, instrument in config.instruments.items()
            if not instrument.is_shortable and not instrument.is_margined
        }
        self._account_of: dict[ClientOrderId, AccountId] = {}
        self._trades: set[tuple[AccountId, TradeId]] = set()
        self._known: set[AccountId] = set()

    def apply(self, event: Event) -> None:
        match event:
            case AccountOpened():
                self._known.add(event.account_id)
                for key, units, _ in event.positions:
                    self._move(event.account_id, key, units)
            case AccountReconciled():
                self._known.add(event.account_id)
            case OrderSubmitted(order=order):
                if (order.account_id, order.instrument_id) in self._units:
                    self._account_of[order.client_order_id] = order.account_id
            case OrderFilled():
                self._fill(event)
            case _:
                pass

    def held(self, listing: Listing) -> Decimal | None:
        """Return the units of the account; None when it may be sold short, or is not known."""
        units = self._units.get((listing.account_id, listing.instrument_id))
        return units if listing.account_id in self._known else None

    def durable(self) -> tuple[object, ...]:
        """Return what two equal folds have in common."""
        units = sorted((*key, units) for key, units in self._units.items())
        return units, sorted(self._known)

    def _fill(self, fill: OrderFilled) -> None:
        account_id = self._account_of.get(fill.client_order_id)
        if account_id is None or (account_id, fill.trade_id) in self._trades:
            return
        self._trades.add((account_id, fill.trade_id))
        self._move(account_id, fill.instrument_id, moved_units(fill))

    def _move(self, account_id: AccountId, instrument_id: InstrumentId, units: Decimal) -> None:
        key = (account_id, instrument_id)
        if key in self._units:
            self._units[key] += units


def selling(parents: Iterable[ParentOrder], listing: Listing, now: int, settle_ns: int) -> Decimal:
    """Return the units that children of these parents may still sell at a listing."""
    return sum(
        (
            child.reserved(now, settle_ns)
            for parent in parents
            for child in parent.children.values()
            if child.request.side is OrderSide.SELL and child.listing == listing
        ),
        ZERO,
    )
