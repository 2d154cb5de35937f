"""Orders on their way to an exchange: sent as they are meant, or not at all."""

import asyncio
import time
from decimal import Decimal
from typing import Any

from actors.venues.ccxt.capabilities import buys_by_cost, needs_direction, stop_parameter
from actors.venues.ccxt.enquiries import Enquiries
from actors.venues.ccxt.instruments import Markets
from actors.venues.ccxt.memory import OrderMemory
from actors.venues.ccxt.order_ids import written
from actors.venues.ccxt.session import CcxtSession
from actors.venues.pacing import Priority
from trading.capabilities import VenueCapabilities, unsupported
from trading.commands import CancelOrder, ReplaceOrder, SubmitOrder
from trading.errors import OutcomeUnknown, VenueRefused
from trading.identifiers import ClientOrderId, VenueOrderId
from trading.instruments import Instrument
from trading.refusals import RefusalCode
from trading.reports import OrderStatusReport
from trading.values import OrderSide, OrderStatus, OrderType

_LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPS = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT})


class Orders:
    """Submits, cancels and replaces. Nothing here is ever sent twice."""

    def __init__(
        self, session: CcxtSession, markets: Markets, memory: OrderMemory, enquiries: Enquiries
    ) -> None:
        self._session = session
        self._markets = markets
        self._memory = memory
        self._enquiries = enquiries

    async def submit(self, order: SubmitOrder, capabilities: VenueCapabilities) -> VenueOrderId:
        """Send one order; return the exchange's id."""
        symbol = self._markets.symbol(order.instrument_id)
        instrument = self._markets.describe(symbol)
        self._check(order, instrument, capabilities)
        is_limited = order.order_type in _LIMITED
        raw = await self._session.call(
            "create_order",
            symbol,
            "limit" if is_limited else "market",
            order.side.value.lower(),
            plain(order.quantity / instrument.multiplier),
            plain(order.price) if is_limited and order.price is not None else None,
            self._parameters(order),
            priority=Priority.ORDER,
        )
        order_id = raw.get("id") if isinstance(raw, dict) else None
        if not order_id:
            raise OutcomeUnknown("the exchange took the order and did not say under which id")
        self._memory.remember(_accepted(order, VenueOrderId(str(order_id))))
        return VenueOrderId(str(order_id))

    async def cancel(self, cancel: CancelOrder) -> None:
        known = await self._known(cancel.client_order_id, cancel.venue_order_id)
        await self._cancel(known)

    async def cancel_all(self) -> tuple[ClientOrderId, ...]:
        """Cancel every open order, one by one; those that were gone already count as cancelled.

        Raises
        ------
        VenueError
            If one of them may still work; every other one was asked for all the same.
        """
        reports = await self._enquiries.open_orders()
        outcomes = await asyncio.gather(
            *(self._cancel(report) for report in reports), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not _is_gone(outcome):
                raise outcome
        return tuple(report.client_order_id for report in reports)

    async def replace(
        self, replace: ReplaceOrder, capabilities: VenueCapabilities
    ) -> OrderStatusReport:
        """Change a working order in place; return what the exchange says of it afterwards."""
        known = await self._known(replace.client_order_id, replace.venue_order_id)
        symbol = self._markets.symbol(known.instrument_id)
        instrument = self._markets.describe(symbol)
        offered = capabilities.orders.get(instrument.asset_class)
        if offered is None or not offered.can_replace:
            raise VenueRefused("UNSUPPORTED", f"{self._session.name} changes no orders in place")
        _check_grid(replace.quantity, replace.price, replace.trigger_price, instrument)
        stop = stop_parameter(self._session.exchange.features, self._session.options.default_type)
        params = {} if replace.trigger_price is None else {stop: plain(replace.trigger_price)}
        units = replace.quantity
        await self._session.call(
            "edit_order",
            known.venue_order_id,
            symbol,
            "limit" if known.order_type in _LIMITED else "market",
            known.side.value.lower(),
            None if units is None else plain(units / instrument.multiplier),
            None if replace.price is None else plain(replace.price),
            params,
            priority=Priority.ORDER,
        )
        report = await self._enquiries.order(replace.client_order_id)
        if report is None:
            raise OutcomeUnknown("the order was changed, and the exchange does not find it")
        return report

    # -- parts

    async def _cancel(self, known: OrderStatusReport) -> None:
        symbol = self._markets.symbol(known.instrument_id)
        params: dict[str, Any] = {}
        if known.order_type in _STOPS and self._enquiries.lists_triggers_apart:
            params["trigger"] = True
        await self._session.call(
            "cancel_order", known.venue_order_id, symbol, params, priority=Priority.CANCEL
        )

    async def _known(self, key: ClientOrderId, order_id: VenueOrderId | None) -> OrderStatusReport:
        found = self._memory.by_client_id(key) or self._memory.by_venue_id(order_id)
        if found is None:
            found = await self._enquiries.order(key)
        if found is None:
            raise VenueRefused(RefusalCode.UNKNOWN_ORDER, "the exchange does not know the order")
        return found

    def _check(
        self, order: SubmitOrder, instrument: Instrument, capabilities: VenueCapabilities
    ) -> None:
        """Refuse what the exchange would refuse, and what ccxt would round in silence."""
        sentence = unsupported(order, instrument, capabilities)
        is_market_buy = order.order_type is OrderType.MARKET and order.side is OrderSide.BUY
        if sentence is None and is_market_buy and self._buys_by_cost():
            sentence = "the venue measures market orders to buy in quote currency"
        if sentence is not None:
            raise VenueRefused("UNSUPPORTED", sentence)
        _check_grid(order.quantity, order.price, order.trigger_price, instrument)

    def _buys_by_cost(self) -> bool:
        features = self._session.exchange.features or {}
        is_by_cost = buys_by_cost(features, self._session.options.default_type)
        return is_by_cost and not self._session.dialect.market_buys_in_units

    def _parameters(self, order: SubmitOrder) -> dict[str, Any]:
        params: dict[str, Any] = {
            "clientOrderId": written(order.client_order_id, self._session.dialect)
        }
        if order.post_only:
            params["postOnly"] = True
        elif order.order_type is OrderType.LIMIT:
            params["timeInForce"] = order.time_in_force.value
        if order.reduce_only and self._session.options.default_type == "swap":
            params["reduceOnly"] = True
        if order.trigger_price is not None:
            features = self._session.exchange.features or {}
            kind = self._session.options.default_type
            params[stop_parameter(features, kind)] = plain(order.trigger_price)
            if needs_direction(features, kind):
                params["triggerDirection"] = (
                    "ascending" if order.side is OrderSide.BUY else "descending"
                )
        return params


def plain(number: Decimal) -> str:
    """Return a number as text without an exponent."""
    return format(number.normalize(), "f")


def _check_grid(
    quantity: Decimal | None,
    price: Decimal | None,
    trigger_price: Decimal | None,
    instrument: Instrument,
) -> None:
    if quantity is not None and (quantity <= 0 or quantity % instrument.lot_size):
        reason = f"{quantity} is not a positive multiple of the lot {instrument.lot_size}"
        raise VenueRefused(RefusalCode.RISK_BAD_QUANTITY, reason)
    for each in (price, trigger_price):
        if each is not None and (each <= 0 or each % instrument.tick_size):
            reason = f"{each} is not a positive multiple of the tick {instrument.tick_size}"
            raise VenueRefused(RefusalCode.RISK_BAD_PRICE, reason)


def _is_gone(error: BaseException) -> bool:
    return isinstance(error, VenueRefused) and error.venue_code == RefusalCode.UNKNOWN_ORDER


def _accepted(order: SubmitOrder, order_id: VenueOrderId) -> OrderStatusReport:
    now = time.time_ns()
    return OrderStatusReport(
        ts_event=now,
        ts_init=now,
        account_id=order.account_id,
        client_order_id=order.client_order_id,
        venue_order_id=order_id,
        instrument_id=order.instrument_id,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        status=OrderStatus.ACCEPTED,
        quantity=order.quantity,
        filled_qty=Decimal(0),
        price=order.price,
        trigger_price=order.trigger_price,
    )
