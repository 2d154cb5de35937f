"""One order as its facts tell it, for those who asked for it."""

from collections.abc import Sequence

import msgspec

from actors.blueprint import Blueprint
from cluster.desk.order_facts import Recorded
from serve.desk.answers import Order, OrderReceipt, Source, moment
from trading.commands import SubmitOrder
from trading.desk_facts import OrderRequested
from trading.events import OrderDenied, OrderEvent
from trading.identifiers import AccountId, account_stream, symbol_of
from trading.order import Order as OrderFold
from trading.values import OrderStatus

REQUESTED = "REQUESTED"
"""Status of an order that was asked for, and of which neither risk nor the venue has said anything yet."""
OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
_ANSWER_OUTSTANDING = "Neither risk nor the venue has answered yet; repeat it with the same key."
_UNANSWERED = frozenset({OrderStatus.INITIALIZED, OrderStatus.SUBMITTED, OrderStatus.AMBIGUOUS})


class KnownOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the facts about one order come to.

    Attributes
    ----------
    account : Blueprint
        Whose order it is.
    fold : Order
        Not begun while nobody has said anything of it.
    """

    account: Blueprint
    fold: OrderFold

    @property
    def account_id(self) -> AccountId:
        return self.account.account_id

    @property
    def is_decided(self) -> bool:
        """True when risk refused it, or the venue answered."""
        return self.fold.status not in _UNANSWERED

    @property
    def is_over(self) -> bool:
        return self.fold.status.is_terminal

    @property
    def status(self) -> str:
        status = self.fold.status
        return REQUESTED if status is OrderStatus.INITIALIZED else str(status)

    def receipt(
        self, source: Source, clock_ns: int, *, is_repeated: bool = False, problem: str = ""
    ) -> OrderReceipt:
        """Return what became of the order so far.

        Parameters
        ----------
        problem : str
            Why there is no answer, when that is known.
        """
        fold = self.fold
        is_open_question = not self.is_decided
        return OrderReceipt(
            source=source,
            as_of=moment(clock_ns),
            client_order_id=fold.client_order_id,
            status=self.status,
            code=OUTCOME_UNKNOWN if is_open_question else fold.code,
            reason=problem or _ANSWER_OUTSTANDING if is_open_question else fold.reason,
            filled_quantity=fold.filled_qty,
            average_price=fold.avg_px or None,
            is_final=self.is_over,
            is_repeated=is_repeated,
        )

    def row(self) -> Order:
        """Return it as the list of orders shows it."""
        fold, request = self.fold, self.fold.request
        return Order(
            client_order_id=fold.client_order_id,
            account=self.account_id,
            strategy_id=fold.strategy_id,
            instrument_id=fold.instrument_id,
            symbol=symbol_of(fold.instrument_id),
            side="" if request is None else request.side,
            order_type="" if request is None else request.order_type,
            time_in_force="" if request is None else request.time_in_force,
            quantity=fold.quantity or None,
            filled_quantity=fold.filled_qty,
            average_price=fold.avg_px or None,
            limit_price=fold.price,
            stop_price=fold.trigger_price,
            status=self.status,
            code=fold.code,
            purpose="" if request is None else request.purpose,
            updated_at=moment(fold.ts_last) if fold.ts_last else None,
            is_open=fold.is_open,
        )


def known_order(blueprint: Blueprint, facts: Sequence[Recorded]) -> KnownOrder | None:
    """Return the order that the facts are about; None when there are none.

    The account's stream says what became of it; while it is silent, what risk or a strategy refused counts.
    """
    streams = {account_stream(each.venue, each.account_id): each for each in blueprint.accounts}
    told = [each for each in facts if each.stream in streams] or [
        each for each in facts if isinstance(each.fact, OrderDenied)
    ][:1]
    request = next((e.fact.order for e in facts if isinstance(e.fact, OrderRequested)), None)
    if not told:
        return None if request is None else _asked_for(blueprint, request)
    account = streams.get(told[0].stream) or _account_of(blueprint, _order_in(told[0]) or request)
    first = told[0].fact
    assert isinstance(first, OrderEvent)
    fold = OrderFold.of(first)
    for each in sorted(told, key=lambda one: one.sequence):
        assert isinstance(each.fact, OrderEvent)
        fold.apply(each.fact)
    return KnownOrder(account=account, fold=fold)


def _asked_for(blueprint: Blueprint, request: SubmitOrder) -> KnownOrder:
    fold = OrderFold(request.client_order_id, request.strategy_id, request.instrument_id)
    fold.request, fold.quantity = request, request.quantity
    fold.price, fold.trigger_price = request.price, request.trigger_price
    fold.ts_last = request.ts_init
    return KnownOrder(account=_account_of(blueprint, request), fold=fold)


def _order_in(recorded: Recorded) -> SubmitOrder | None:
    return getattr(recorded.fact, "order", None)


def _account_of(blueprint: Blueprint, order: SubmitOrder | None) -> Blueprint:
    found = (each for each in blueprint.accounts if order and each.account_id == order.account_id)
    return next(found, blueprint)
