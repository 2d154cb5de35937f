"""What became of an order, as HTTP says it: 201, 202, or a problem."""

from starlette.responses import Response

from serve.desk.answers import OrderReceipt
from serve.http.problems import RequestRefused
from trading.values import OrderStatus

REPLAYED = "Idempotent-Replayed"
OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
_REFUSED = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED})
_NOT_KNOWN_YET = frozenset({OrderStatus.INITIALIZED, OrderStatus.SUBMITTED, OrderStatus.AMBIGUOUS})


def answered(receipt: OrderReceipt, response: Response) -> OrderReceipt:
    """Set status and headers of the response to a request for an order.

    Raises
    ------
    RequestRefused
        If our rules denied it, or the venue rejected it: 422 with the code and the sentence.
    """
    headers = {REPLAYED: "true"} if receipt.is_repeated else {}
    if receipt.status in _REFUSED:
        raise RequestRefused(
            422,
            receipt.code or "ORDER_REFUSED",
            receipt.reason or f"The order is {receipt.status}.",
            headers=headers,
            client_order_id=receipt.client_order_id,
        )
    is_unknown = receipt.code == OUTCOME_UNKNOWN or receipt.status in _NOT_KNOWN_YET
    response.status_code = 202 if is_unknown else 201
    response.headers.update(headers | {"Location": f"/v1/orders/{receipt.client_order_id}"})
    return receipt
