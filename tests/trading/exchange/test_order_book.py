from decimal import Decimal

import pytest

from trading.commands import SubmitOrder
from trading.exchange.order_book import OrderBook
from trading.exchange.orders import received
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, StrategyId
from trading.values import OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def order(key, side, price, priority):
    request = SubmitOrder(
        client_order_id=ClientOrderId(key),
        account_id=AccountId("A"),
        strategy_id=StrategyId("s"),
        instrument_id=InstrumentId("AAA.XNAS"),
        side=side,
        quantity=Decimal(1),
        price=Decimal(price),
    )
    made = received(request)
    made.priority = priority
    return made


def ids(book, side):
    return [each.request.client_order_id for each in book.orders(side)]


def test_orders_stand_by_price_and_then_by_priority():
    book = OrderBook()
    for each in (
        order("b3", BUY, "9", 1),
        order("b2", BUY, "10", 5),
        order("b1", BUY, "10", 2),
        order("s2", SELL, "12", 4),
        order("s1", SELL, "11", 6),
    ):
        book.add(each)
    assert ids(book, BUY) == ["b1", "b2", "b3"]
    assert ids(book, SELL) == ["s1", "s2"]
    book.validate()


def test_removed_order_is_gone_and_the_others_keep_their_place():
    book = OrderBook()
    orders = [order(str(n), SELL, "10", n) for n in range(5)]
    for each in orders:
        book.add(each)
    book.remove(orders[2])
    assert ids(book, SELL) == ["0", "1", "3", "4"]
    assert book.best(BUY) is None


def test_removing_an_order_that_was_changed_in_the_book_is_an_error():
    book = OrderBook()
    first, second = order("a", SELL, "10", 1), order("b", SELL, "11", 2)
    book.add(first)
    book.add(second)
    first.price = Decimal(11)
    with pytest.raises(AssertionError, match="not in the book"):
        book.remove(first)


@pytest.mark.parametrize("ask", ["10", "9.99"])
def test_locked_or_crossed_book_is_found(ask):
    book = OrderBook()
    book.add(order("bid", BUY, "10", 1))
    book.add(order("ask", SELL, ask, 2))
    with pytest.raises(AssertionError, match="crossed"):
        book.validate()
