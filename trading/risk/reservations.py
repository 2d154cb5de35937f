"""Working orders and the exposure that is reserved for them.

A reservation begins when risk approves an order, shrinks as fills turn it into position, and ends with
the order. Orders in flight (approved, not yet in the account's journal) count like all others, so
orders that race each other can never exceed a limit together.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

import msgspec

from trading.commands import SubmitOrder
from trading.events import OrderFilled, OrderUpdated
from trading.fills import moved_units
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId
from trading.order_lists import alternative_to
from trading.position import EXACT
from trading.risk.exposure import ExposureLedger
from trading.values import ZERO, OrderListKind


class WorkingOrder:
    """One order that may still fill.

    Attributes
    ----------
    order : SubmitOrder
        With the prices and the quantity that are in force.
    filled : Decimal
        Units.
    pending_quantities : list of Decimal
        Quantities of approved replacements that have not taken effect yet, oldest first.
    reserved : Decimal
        Units that still count as working: the largest of these quantities, less what is filled.
    result : Decimal or None
        Realised profit of the strategy by this order so far; None while it closed nothing.
    is_recorded : bool
        The account's journal knows the order; else it is in flight.
    permit_until : int
        Host time (ns) at which the permit of an order in flight ends.
    replaces : set of str
        Hashes of the replacements that were decided.
    stands_by_for : ClientOrderId or None
        The other exit of its list: while that one works it counts for both, as only one can fill.
    """

    __slots__ = (
        "filled",
        "is_recorded",
        "order",
        "pending_quantities",
        "permit_until",
        "replaces",
        "reserved",
        "result",
        "stands_by_for",
    )

    def __init__(self, order: SubmitOrder, list_kind: OrderListKind | None = None) -> None:
        self.order = order
        self.stands_by_for = alternative_to(order, list_kind)
        self.filled = ZERO
        self.pending_quantities: list[Decimal] = []
        self.reserved = ZERO
        self.result: Decimal | None = None
        self.is_recorded = False
        self.permit_until = 0
        self.replaces: set[str] = set()

    @property
    def leaves_qty(self) -> Decimal:
        return max(ZERO, EXACT.subtract(self.order.quantity, self.filled))


class Reservations:
    """All working orders of an account, and the exposure of the account and of each strategy."""

    def __init__(self, price_of: Callable[[InstrumentId], Decimal | None]) -> None:
        self._price_of = price_of
        self.account = ExposureLedger(price_of)
        self.strategies: dict[StrategyId, ExposureLedger] = {}
        self._orders: dict[ClientOrderId, WorkingOrder] = {}
        self._never_sent: dict[ClientOrderId, WorkingOrder] = {}
        self._stand_ins: dict[ClientOrderId, WorkingOrder] = {}
        self.unfilled_count = 0
        """Working orders without a fill: each may still become a trade."""

    @property
    def orders(self) -> Mapping[ClientOrderId, WorkingOrder]:
        return MappingProxyType(self._orders)

    def get(self, client_order_id: ClientOrderId) -> WorkingOrder | None:
        return self._orders.get(client_order_id)

    def strategy(self, strategy_id: StrategyId) -> ExposureLedger:
        """Return the exposure of one strategy."""
        ledger = self.strategies.get(strategy_id)
        if ledger is None:
            ledger = self.strategies[strategy_id] = ExposureLedger(self._price_of)
        return ledger

    def working(self, strategy_id: StrategyId, instrument_id: InstrumentId) -> list[WorkingOrder]:
        """Return the working orders of one strategy in one instrument."""
        return [
            working
            for working in self._orders.values()
            if working.order.strategy_id == strategy_id
            and working.order.instrument_id == instrument_id
        ]

    def in_flight(self) -> Iterator[WorkingOrder]:
        """Yield the orders that were approved and that the account's journal does not know."""
        return (working for working in self._orders.values() if not working.is_recorded)

    def reprice(self, instrument_id: InstrumentId) -> None:
        """The price of an instrument changed."""
        self.account.reprice(instrument_id)
        for ledger in self.strategies.values():
            ledger.reprice(instrument_id)

    # -- the life of a reservation

    def open(
        self, order: SubmitOrder, permit_until: int, list_kind: OrderListKind | None = None
    ) -> None:
        """Reserve for an order that was just approved, alone or in a list."""
        working = WorkingOrder(order, list_kind)
        working.permit_until = permit_until
        self._enter(working)

    def record(self, order: SubmitOrder, list_kind: OrderListKind | None = None) -> None:
        """The account's journal knows the order now (approved here, by a predecessor, or elsewhere)."""
        working = self._orders.get(order.client_order_id)
        if working is None:
            working = WorkingOrder(order, list_kind)
            self._enter(working)
        working.is_recorded = True

    def fill(self, fill: OrderFilled) -> None:
        """Turn reservation into position; the order need not work any more."""
        self.hold(fill.strategy_id, fill.instrument_id, moved_units(fill))
        working = self._orders.get(fill.client_order_id)
        if working is not None:
            self.unfilled_count -= not working.filled
            working.filled = EXACT.add(working.filled, fill.last_qty)
            self._settle(working)

    def hold(self, strategy_id: StrategyId, instrument_id: InstrumentId, units: Decimal) -> None:
        """Add signed units to the position of the account and of one strategy."""
        self.account.move(instrument_id, units)
        self.strategy(strategy_id).move(instrument_id, units)

    def amend(self, event: OrderUpdated) -> None:
        """A replacement took effect."""
        working = self._orders.get(event.client_order_id)
        if working is None:
            return
        order = working.order
        working.order = msgspec.structs.replace(
            order,
            quantity=event.quantity,
            price=order.price if event.price is None else event.price,
            trigger_price=order.trigger_price
            if event.trigger_price is None
            else event.trigger_price,
        )
        self.end_replace(working)

    def expect(self, working: WorkingOrder, quantity: Decimal | None) -> None:
        """Reserve for an approved replacement as well; None keeps the quantity."""
        working.pending_quantities.append(quantity or working.order.quantity)
        self._settle(working)

    def end_replace(self, working: WorkingOrder) -> None:
        """The oldest replacement took effect, or was refused by the venue."""
        if working.pending_quantities:
            del working.pending_quantities[0]
        self._settle(working)

    def close(self, client_order_id: ClientOrderId, *, may_return: bool = False) -> None:
        """Release what is left of the order.

        Parameters
        ----------
        may_return : bool
            The venue may still report the order (it was presumed never sent): keep it for `revive`.
        """
        working = self._orders.pop(client_order_id, None)
        if working is None:
            return
        if working.stands_by_for is not None:
            self._stand_ins.pop(working.stands_by_for, None)
        self._reserve(working, ZERO)
        self.unfilled_count -= not working.filled
        if may_return:
            self._never_sent[client_order_id] = working
        self._recount_stand_in(client_order_id)

    def revive(self, client_order_id: ClientOrderId) -> None:
        """Reserve again for an order that was presumed never sent, if it was."""
        working = self._never_sent.pop(client_order_id, None)
        if working is not None:
            self._enter(working)

    # -- invariants

    def validate(self) -> None:
        """Assert that lines equal the sums over working orders, and all ledgers their parts."""
        for ledger in (self.account, *self.strategies.values()):
            ledger.validate()
        for working in self._orders.values():
            assert working.reserved >= 0, working.order.client_order_id
        for strategy, ledger in [(None, self.account), *self.strategies.items()]:
            mine = [w for w in self._orders.values() if strategy in {None, w.order.strategy_id}]
            for side, field in ((1, "buys"), (-1, "sells")):
                reserved = [w for w in mine if w.order.side.sign == side]
                total = sum((w.reserved for w in reserved), ZERO)
                booked = sum((getattr(line, field) for line in ledger.lines.values()), ZERO)
                assert booked == total, f"{strategy} {field}: booked={booked} working={total}"
        unfilled = sum(not working.filled for working in self._orders.values())
        assert self.unfilled_count == unfilled, f"{self.unfilled_count} != {unfilled}"

    def _enter(self, working: WorkingOrder) -> None:
        self._orders[working.order.client_order_id] = working
        self.unfilled_count += not working.filled
        self._settle(working)
        if working.stands_by_for is not None:
            self._stand_ins[working.stands_by_for] = working
        self._recount_stand_in(working.order.client_order_id)

    def _recount_stand_in(self, client_order_id: ClientOrderId) -> None:
        """An exit began or ended: the one that stands by for it counts for nothing, or for itself."""
        stand_in = self._stand_ins.get(client_order_id)
        if stand_in is not None and stand_in.order.client_order_id in self._orders:
            self._settle(stand_in)

    def _settle(self, working: WorkingOrder) -> None:
        if working.stands_by_for in self._orders:
            self._reserve(working, ZERO)
            return
        quantity = max(working.order.quantity, *working.pending_quantities, ZERO)
        self._reserve(working, max(ZERO, EXACT.subtract(quantity, working.filled)))

    def _reserve(self, working: WorkingOrder, reserved: Decimal) -> None:
        change = EXACT.subtract(reserved, working.reserved)
        if change:
            order = working.order
            working.reserved = reserved
            self.account.reserve(order.instrument_id, order.side, change)
            self.strategy(order.strategy_id).reserve(order.instrument_id, order.side, change)
