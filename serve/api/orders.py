"""Orders: what became of them, and asking for, changing and ending them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from serve.api.idempotency import idempotency_header
from serve.api.lists import OrderPage
from serve.api.paging import Key, Paged, page_of
from serve.api.permitted import Asker, CorrelationId, Desk, Reader, Trader
from serve.api.receipts import REPLAYED, answered
from serve.desk.accounts import source_of
from serve.desk.answers import Answer, Order, OrderReceipt, OrderStory, moment
from serve.desk.order_rows import orders_of
from serve.desk.port import NewOrder, Preview, Replacement

router = APIRouter(prefix="/orders", tags=["orders"])
OrderId = Annotated[str, Path(min_length=1, max_length=128, description="The client order id.")]
Reason = Annotated[str, Query(max_length=500, description="It is kept.")]
IdempotencyKey = Annotated[
    str,
    idempotency_header(
        "New for each order. Repeat a request with the same key, however often: there is one order.",
        "order-2024-05-17-0001",
    ),
]
_REPLAYED_HEADER = {REPLAYED: {"description": "`true`: nothing was sent again.", "schema": {}}}
SUBMITTED: dict[int | str, dict[str, Any]] = {
    201: {"description": "Risk and the venue have accepted it.", "headers": _REPLAYED_HEADER},
    202: {
        "model": OrderReceipt,
        "description": "What became of it is not known yet: ask for the order, or repeat the request with the same key.",
        "headers": _REPLAYED_HEADER,
    },
}
PENDING: dict[int | str, dict[str, Any]] = {
    202: {"model": OrderReceipt, "description": "Asked for; the venue has not answered yet."}
}


class OrderFilters(Paged):
    """Which orders."""

    open: bool | None = None
    symbol: str | None = None
    strategy: str | None = None
    account: str | None = None


class Cancellation(Answer):
    """How many working orders were asked to end."""

    canceled: int


@router.get("", summary="Open orders, then the newest others")
def list_orders(_: Reader, desk: Desk, asked: Annotated[OrderFilters, Query()]) -> OrderPage:
    """Of those that are over, as many as the ledgers keep at hand."""
    snapshot = desk.trading.snapshot()
    found = [row for row in orders_of(snapshot) if _is_wanted(row, asked)]
    page, following = page_of(found, _open_first, asked)
    return OrderPage(
        source=source_of(snapshot), as_of=moment(snapshot.clock_ns), orders=page, next=following
    )


@router.post("", status_code=201, summary="Ask for an order", responses=SUBMITTED)
def submit_order(
    by: Trader,
    desk: Desk,
    key: IdempotencyKey,
    correlation_id: CorrelationId,
    order: NewOrder,
    response: Response,
) -> OrderReceipt:
    """The request is durable before it goes to the risk manager.

    A refusal is 422 with the code and the sentence of the rule; 409 says that the key belongs to another order.
    """
    return answered(desk.trading.submit(order, by, key, correlation_id), response)


@router.post("/preview", summary="What an order would do")
def preview_order(_: Asker, desk: Desk, order: NewOrder) -> Preview:
    """Nothing is sent."""
    return desk.trading.preview(order)


@router.delete("", summary="Cancel every working order")
def cancel_orders(
    by: Trader,
    desk: Desk,
    reason: Reason = "",
    strategy: Annotated[str, Query(max_length=64, description="Of this one alone.")] = "",
) -> Cancellation:
    return Cancellation(canceled=desk.trading.cancel_all(by, reason, strategy))


@router.get("/{client_order_id}", summary="One order, and everything that is journalled about it")
def get_order(_: Reader, desk: Desk, client_order_id: OrderId) -> OrderStory:
    """Who asked, what risk said, what the venue did."""
    return desk.trading.story(client_order_id)


@router.patch("/{client_order_id}", summary="Change a working order", responses=PENDING)
def replace_order(
    by: Trader, desk: Desk, client_order_id: OrderId, terms: Replacement, response: Response
) -> OrderReceipt:
    """What is not given stays as it is."""
    return _pending(desk.trading.replace(client_order_id, terms, by), response)


@router.delete("/{client_order_id}", summary="Cancel an order", responses=PENDING)
def cancel_order(
    by: Trader, desk: Desk, client_order_id: OrderId, response: Response, reason: Reason = ""
) -> OrderReceipt:
    """It may fill before the venue hears of it; the receipt says what is known."""
    return _pending(desk.trading.cancel(client_order_id, by, reason), response)


def _pending(receipt: OrderReceipt, response: Response) -> OrderReceipt:
    if not receipt.is_final:
        response.status_code = 202
    return receipt


def _is_wanted(row: Order, asked: OrderFilters) -> bool:
    return (
        asked.open in (None, row.is_open)
        and asked.symbol in (None, row.symbol, row.instrument_id)
        and asked.strategy in (None, row.strategy_id)
        and asked.account in (None, row.account)
    )


def _open_first(row: Order) -> Key:
    at = 0 if row.updated_at is None else int(row.updated_at.timestamp() * 1e6)
    return (0 if row.is_open else 1, -at, row.account, row.client_order_id)
