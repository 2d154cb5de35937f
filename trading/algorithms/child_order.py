"""The order that a wanted child becomes."""

from decimal import Decimal

from trading.algorithms.desk_market import DeskMarket
from trading.algorithms.parameters import ChildRole, name_of
from trading.algorithms.parent import ParentOrder
from trading.algorithms.plan import WantedChild
from trading.commands import SubmitOrder
from trading.values import OrderSide

PURPOSES = {ChildRole.TAKE_PROFIT: "take_profit", ChildRole.STOP_LOSS: "stop_loss"}
"""Of exits: risk lets these pass when it is reducing or halted, as long as they reduce."""


def child_order(
    parent: ParentOrder, wanted: WantedChild, market: DeskMarket, now: int, ttl_ns: int
) -> SubmitOrder:
    """Return the order of the next child. The same child gets the same id, whenever it is decided on."""
    listing, is_exit = wanted.quote.listing, wanted.role is not ChildRole.PART
    ts_signal, correlation_id = market.causes(listing)
    return SubmitOrder(
        ts_event=market.market_time or now,
        ts_init=now,
        correlation_id=correlation_id,
        causation_id=parent.key,
        client_order_id=parent.child_id(listing, len(parent.children)),
        account_id=listing.account_id,
        strategy_id=parent.order.strategy_id,
        instrument_id=listing.instrument_id,
        side=_side(parent, is_exit=is_exit),
        quantity=wanted.quantity,
        order_type=wanted.order_type,
        time_in_force=wanted.time_in_force,
        price=wanted.price,
        trigger_price=wanted.trigger_price,
        reduce_only=is_exit,
        purpose=PURPOSES.get(wanted.role, name_of(parent.order.algorithm)),
        ts_signal=ts_signal,
        expires_at=0 if is_exit else now + ttl_ns,
        arrival_px=_arrival(wanted),
        parent_order_id=parent.key,
    )


def _side(parent: ParentOrder, *, is_exit: bool) -> OrderSide:
    return parent.exit_side if is_exit else parent.order.side


def _arrival(wanted: WantedChild) -> Decimal | None:
    return None if wanted.quote.unavailable else wanted.quote.middle
