"""The matching engine: price first, then time.

At one price the crowd's liquidity trades before our own orders: we stand behind it in the queue.
A trade happens at the price of the order that was there first. Orders of one account may trade with
each other; the venue knows no beneficial owner.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from trading.data import TradeTick
from trading.events import (
    OrderCanceled,
    OrderFilled,
    OrderTriggered,
    OrderUpdated,
)
from trading.exchange.liquidity import Crowd
from trading.exchange.market import Market
from trading.exchange.order_book import OrderBook
from trading.exchange.orders import VenueOrder
from trading.exchange.sessions import Sessions
from trading.exchange.slippage import Slippage
from trading.exchange.turn import Turn
from trading.exchange.venue_state import VenueState
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.ports import FeeModel
from trading.values import ZERO, LiquiditySide, OrderSide, OrderType, TimeInForce


class Offer(NamedTuple):
    """What can be taken: `maker` is None for liquidity of the crowd."""

    price: Decimal
    size: Decimal
    maker: VenueOrder | None


def offers(side: OrderSide, makers: Iterable[VenueOrder], ladder: Crowd) -> Iterator[Offer]:
    """Yield what rests on one side, `makers` and the crowd, in the order in which it trades."""
    crowd = ladder.levels(side)
    level = next(crowd, None)
    for maker in makers:
        assert maker.price is not None
        while level is not None and not _is_better(maker, level.price):
            yield Offer(level.price, level.size, None)
            level = next(crowd, None)
        yield Offer(maker.price, maker.leaves_qty, maker)
    while level is not None:
        yield Offer(level.price, level.size, None)
        level = next(crowd, None)


def _is_better(maker: VenueOrder, price: Decimal) -> bool:
    """Return whether the maker trades before the crowd at `price`."""
    assert maker.price is not None
    return maker.price > price if maker.side is OrderSide.BUY else maker.price < price


def best_offer(taker: VenueOrder, makers: Iterable[VenueOrder], ladder: Crowd) -> Offer | None:
    """Return what `taker` would trade with next; None when nothing is good enough."""
    offer = next(offers(taker.side.opposite, makers, ladder), None)
    return offer if offer is not None and taker.accepts(offer.price) else None


def takeable(taker: VenueOrder, makers: Iterable[VenueOrder], ladder: Crowd) -> Decimal:
    """Return how many units `taker` could take at once, counted up to its own size."""
    total = ZERO
    for offer in offers(taker.side.opposite, makers, ladder):
        if not taker.accepts(offer.price) or total >= taker.leaves_qty:
            break
        total += offer.size
    return min(total, taker.leaves_qty)


class MatchingEngine:
    """Decides what trades. Every decision becomes a fact through the `Turn` before the next one."""

    def __init__(
        self,
        state: VenueState,
        market: Market,
        instruments: Mapping[InstrumentId, Instrument],
        fees: FeeModel,
        slippage: Slippage,
        sessions: Sessions,
    ) -> None:
        self._state = state
        self._market = market
        self._instruments = instruments
        self._fees = fees
        self._slippage = slippage
        self._sessions = sessions

    def would_take(self, order: VenueOrder, price: Decimal | None) -> bool:
        """Return whether the order would trade at once if it had the limit `price`."""
        candidate = msgspec.structs.replace(order, price=price)
        makers, ladder = self._sides(order)
        return (
            self._sessions.is_awake(order) and best_offer(candidate, makers(), ladder) is not None
        )

    def enter(self, order: VenueOrder, turn: Turn) -> None:
        """Work an order that was just accepted; one that is held or may not trade now waits."""
        if order.is_held or not self._sessions.is_awake(order):
            return
        if not order.is_waiting:
            self.execute(order, turn)
            return
        last = self._market.last.get(order.request.instrument_id)
        if last is not None:
            self._watch(order, last, turn)

    def enter_released(self, turn: Turn) -> None:
        """Work the exits that began to count in this turn."""
        released = self._state.released
        while released:
            order = released.popleft()
            if order.is_open:
                self.enter(order, turn)

    def execute(self, order: VenueOrder, turn: Turn) -> None:
        """Trade an incoming order; cancel what is left of it and may not rest."""
        makers, ladder = self._sides(order)
        is_whole_only = order.request.time_in_force is TimeInForce.FOK
        if is_whole_only and takeable(order, makers(), ladder) < order.leaves_qty:
            turn.record_change(OrderCanceled, order, reason="FOK: not fillable as a whole")
            return
        while order.is_open and (offer := best_offer(order, makers(), ladder)) is not None:
            self._take(order, offer, ladder, turn)
        if order.is_open and not order.may_rest:
            turn.record_change(OrderCanceled, order, reason="no more liquidity for the rest")

    def line_up(self, instrument_id: InstrumentId) -> None:
        """Give the orders that came since the last change of a historic book their place in its queue."""
        book, historic = self._state.books[instrument_id], self._market.historic[instrument_id]
        if (book.is_empty and historic.queue.is_empty) or not historic.is_known:
            return
        orders = (order for side in OrderSide for order in book.orders(side))
        historic.queue.line_up(orders, historic.displayed)

    def work_off(self, trade: TradeTick, turn: Turn) -> None:
        """Fill resting orders with their part of a trade that the market saw, at their own price.

        A trade of an unknown aggressor may have hit either side.
        """
        book = self._state.books[trade.instrument_id]
        historic = self._market.historic[trade.instrument_id]
        price, units = historic.traded(trade)
        for side in OrderSide:
            if trade.aggressor_side is not side:
                orders = list(book.orders(side))
                for order, quantity in historic.queue.reached(orders, price, units):
                    assert order.price is not None
                    units = min(
                        quantity, order.leaves_qty
                    )  # less when a linked exit was hit before
                    if order.is_open and units > 0:
                        self._fill(order, units, order.price, LiquiditySide.MAKER, turn)

    def cross(self, instrument_id: InstrumentId, turn: Turn) -> None:
        """Fill resting orders that the new ladder reaches, as makers at their own price."""
        book = self._state.books.get(instrument_id)
        if book is None or book.is_empty:
            return
        self._uncross(book, turn)
        ladder = self._market.ladder(instrument_id)
        for side in OrderSide:
            while (order := self._best(book, side)) and (level := ladder.best(side.opposite)):
                if not order.accepts(level.price):
                    break
                assert order.price is not None
                quantity = min(order.leaves_qty, level.size)
                ladder.take(side.opposite, quantity)
                self._fill(order, quantity, order.price, LiquiditySide.MAKER, turn)

    def trigger(self, instrument_id: InstrumentId, turn: Turn) -> None:
        """Move trailing stops and trigger the stops that the last price reached."""
        waiting = self._state.stops.get(instrument_id)
        if not waiting:
            return
        last = self._market.last[instrument_id]
        for order in sorted(waiting.values(), key=lambda order: order.priority):
            if order.is_waiting and self._sessions.is_awake(order):
                self._watch(order, last, turn)

    def close_auctions(self, turn: Turn) -> None:
        """Let the closing auctions take place that are over: at the last prices before this turn."""
        for order in self._state.dormant(turn.ts_event - 1):
            if order.request.time_in_force is TimeInForce.CLS:
                self._begin(order, turn)

    def begin(self, turn: Turn) -> None:
        """Let the orders trade whose time has come: their auction, or the session."""
        for order in self._state.dormant(turn.ts_event):
            self._begin(order, turn)

    def resume(self, turn: Turn) -> None:
        """Finish what a crash interrupted: nothing that must not rest rests, nothing is crossed.

        The youngest order goes first: it is the one that came in on the others.
        """
        for order in list(self._state.all_open()):
            turn.follow_up(order)
        for order in sorted(self._state.all_open(), key=lambda order: -order.priority):
            if order.is_open and self._sessions.is_awake(order) and not _is_kept(order):
                self.execute(order, turn)
        self.enter_released(turn)

    # -- one step

    def _sides(self, order: VenueOrder) -> tuple[Callable[[], Iterator[VenueOrder]], Crowd]:
        """Return what an order can trade with: those of our orders that may trade now, and the crowd."""
        instrument_id = order.request.instrument_id
        book, side = self._state.books[instrument_id], order.side.opposite
        return lambda: self._awake(book, side), self._market.ladder(instrument_id)

    def _awake(self, book: OrderBook, side: OrderSide) -> Iterator[VenueOrder]:
        return filter(self._sessions.is_awake, book.orders(side))

    def _best(self, book: OrderBook, side: OrderSide) -> VenueOrder | None:
        return next(self._awake(book, side), None)

    def _uncross(self, book: OrderBook, turn: Turn) -> None:
        """Trade what came to cross while it could not trade; the younger order goes first."""
        while (bid := self._best(book, OrderSide.BUY)) and (
            ask := self._best(book, OrderSide.SELL)
        ):
            assert ask.price is not None
            if not bid.accepts(ask.price):
                return
            self.execute(max(bid, ask, key=lambda order: order.priority), turn)

    def _begin(self, order: VenueOrder, turn: Turn) -> None:
        if not order.is_dormant:
            return  # what began before it ended it
        terms = {"price": order.price, "trigger_price": order.trigger_price}
        turn.record_change(OrderUpdated, order, quantity=order.quantity, **terms)
        if order.is_open and not order.is_held:
            self.execute(order, turn)

    def _watch(self, order: VenueOrder, last: Decimal, turn: Turn) -> None:
        trailed = _trailed(order, last)
        if trailed != order.trigger_price:
            turn.record_change(
                OrderUpdated,
                order,
                quantity=order.quantity,
                price=order.price,
                trigger_price=trailed,
            )
        if order.trigger_price is not None and _reached(order, order.trigger_price, last):
            turn.record_change(OrderTriggered, order)
            self.execute(order, turn)

    def _take(self, taker: VenueOrder, offer: Offer, ladder: Crowd, turn: Turn) -> None:
        quantity = min(taker.leaves_qty, offer.size)
        price = offer.price
        if offer.maker is None:
            ladder.take(taker.side.opposite, quantity)
            instrument = self._instruments[taker.request.instrument_id]
            price = self._slippage.price(taker, price, instrument)
        else:
            self._fill(offer.maker, quantity, price, LiquiditySide.MAKER, turn)
        self._fill(taker, quantity, price, LiquiditySide.TAKER, turn)

    def _fill(
        self,
        order: VenueOrder,
        quantity: Decimal,
        price: Decimal,
        liquidity_side: LiquiditySide,
        turn: Turn,
    ) -> None:
        is_maker = liquidity_side is LiquiditySide.MAKER
        instrument = self._instruments[order.request.instrument_id]
        turn.record_change(
            OrderFilled,
            order,
            venue_order_id=order.venue_order_id,
            trade_id=self._state.next_trade_id,
            side=order.side,
            last_qty=quantity,
            last_px=price,
            commission=self._fees.commission(quantity, price, is_maker=is_maker),
            currency=instrument.currency,
            liquidity_side=liquidity_side,
            purpose=order.request.purpose,
            is_margined=instrument.is_margined,
        )


def _is_kept(order: VenueOrder) -> bool:
    """Return whether the order waits for a price, or for its entry."""
    return order.is_waiting or order.is_held


def _trailed(order: VenueOrder, last: Decimal) -> Decimal | None:
    """Return the trigger price after `last` was seen: a trailing stop only ever comes closer."""
    if order.request.order_type is not OrderType.TRAILING_STOP_MARKET:
        return order.trigger_price
    offset = order.request.trailing_offset
    assert offset is not None
    candidate = last + order.side.sign * offset
    if candidate <= 0:
        return order.trigger_price
    if order.trigger_price is None:
        return candidate
    nearer = min if order.side is OrderSide.BUY else max
    return nearer(order.trigger_price, candidate)


def _reached(order: VenueOrder, trigger_price: Decimal, last: Decimal) -> bool:
    return last >= trigger_price if order.side is OrderSide.BUY else last <= trigger_price
