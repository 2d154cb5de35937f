"""One venue call from start to outcome: whatever the venue does, exactly one `Outcome` comes of it.

| what the port did | submit (one, list) | cancel, replace | cancel all, queries |
|---|---|---|---|
| returned | Acknowledged | Acknowledged | Acknowledged, the answer |
| `VenueRefused` | Refused | Refused | QueryFailed |
| `VenueUnreachable` | NotSent | OutcomeUnknown | QueryFailed |
| `OutcomeUnknown`, time-out, anything else | OutcomeUnknown | OutcomeUnknown | QueryFailed |

What is ambiguous is never a refusal.
"""

import asyncio
from collections.abc import Callable
from typing import TypedDict

from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    QueryMassStatus,
    QueryOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
    VenueCall,
)
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.identifiers import ClientOrderId, VenueOrderId
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    CancelOutcomeUnknown,
    CancelRefused,
    MassStatusReceived,
    OrderQueried,
    Outcome,
    QueryFailed,
    ReplaceAcknowledged,
    ReplaceOutcomeUnknown,
    ReplaceRefused,
    SubmitAcknowledged,
    SubmitListAcknowledged,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitListRefused,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    SubmitRefused,
)
from trading.ports import VenuePort


async def call_venue(
    port: VenuePort, body: VenueCall, timeout_s: float, now: Callable[[], int]
) -> Outcome:
    """Perform `body` on `port` and say what became of it.

    Parameters
    ----------
    now : function
        The host's clock (ns UTC).

    Raises
    ------
    asyncio.CancelledError
        If the task itself is cancelled; nothing else is raised.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _perform(port, body, now)
    except VenueRefused as error:
        return refused(body, error.venue_code, error.reason, now())
    except VenueUnreachable as error:
        return not_sent(body, str(error), now())
    except OutcomeUnknown as error:
        return outcome_unknown(body, str(error), now())
    except TimeoutError:
        return outcome_unknown(body, f"no answer within {timeout_s:g} s", now())
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return outcome_unknown(body, "the adapter gave the call up", now())
    except Exception as error:
        # A broken adapter may have sent the order before it broke.
        return outcome_unknown(body, f"{type(error).__name__}: {error}", now())


async def _perform(port: VenuePort, body: VenueCall, now: Callable[[], int]) -> Outcome:
    match body:
        case SubmitOrder(client_order_id=key):
            order_id = await port.submit(body)
            return SubmitAcknowledged(
                **_stamps(body, now()), client_order_id=key, venue_order_id=order_id
            )
        case SubmitOrderList():
            return _listed(body, await port.submit_list(body), now())
        case CancelOrder(client_order_id=key):
            await port.cancel(body)
            return CancelAcknowledged(**_stamps(body, now()), client_order_id=key)
        case ReplaceOrder():
            report = await port.replace(body)
            return ReplaceAcknowledged(**_stamps(body, now()), report=report)
        case CancelAllOrders():
            keys = await port.cancel_all(body)
            return CancelAllAcknowledged(**_stamps(body, now()), client_order_ids=keys)
        case QueryOrder(client_order_id=key, account_id=account_id):
            found = await port.order_status(account_id, key)
            return OrderQueried(**_stamps(body, now()), client_order_id=key, report=found)
        case QueryMassStatus(account_id=account_id, since=since):
            status = await port.mass_status(account_id, since)
            return MassStatusReceived(**_stamps(body, now()), mass_status=status)


def refused(body: VenueCall, code: str, reason: str, now: int) -> Outcome:
    """Return the outcome of a call that the venue refused in so many words."""
    stamps = _stamps(body, now)
    match body:
        case SubmitOrder(client_order_id=key):
            return SubmitRefused(**stamps, client_order_id=key, code=code, reason=reason)
        case SubmitOrderList():
            keys = _keys(body)
            return SubmitListRefused(**stamps, client_order_ids=keys, code=code, reason=reason)
        case CancelOrder(client_order_id=key):
            return CancelRefused(**stamps, client_order_id=key, code=code, reason=reason)
        case ReplaceOrder(client_order_id=key):
            return ReplaceRefused(**stamps, client_order_id=key, code=code, reason=reason)
        case CancelAllOrders() | QueryOrder() | QueryMassStatus():
            return _query_failed(body, f"{code}: {reason}", now)


def not_sent(body: VenueCall, reason: str, now: int) -> Outcome:
    """Return the outcome of a call of which no byte reached the venue.

    Only a submission needs to know that; everything else may be asked again anyway.
    """
    stamps = _stamps(body, now)
    if isinstance(body, SubmitOrder):
        return SubmitNotSent(**stamps, client_order_id=body.client_order_id, reason=reason)
    if isinstance(body, SubmitOrderList):
        return SubmitListNotSent(**stamps, client_order_ids=_keys(body), reason=reason)
    return outcome_unknown(body, reason, now)


def outcome_unknown(body: VenueCall, reason: str, now: int) -> Outcome:
    """Return the outcome of a call that may or may not have had its effect."""
    stamps = _stamps(body, now)
    match body:
        case SubmitOrder(client_order_id=key):
            return SubmitOutcomeUnknown(**stamps, client_order_id=key, reason=reason)
        case SubmitOrderList():
            return SubmitListOutcomeUnknown(**stamps, client_order_ids=_keys(body), reason=reason)
        case CancelOrder(client_order_id=key):
            return CancelOutcomeUnknown(**stamps, client_order_id=key, reason=reason)
        case ReplaceOrder(client_order_id=key):
            return ReplaceOutcomeUnknown(**stamps, client_order_id=key, reason=reason)
        case CancelAllOrders() | QueryOrder() | QueryMassStatus():
            return _query_failed(body, reason, now)


def _listed(body: SubmitOrderList, order_ids: tuple[VenueOrderId, ...], now: int) -> Outcome:
    """Return what an adapter's answer about a list means: an id for each order, or it knows nothing."""
    keys = _keys(body)
    if len(order_ids) != len(keys):
        reason = f"the adapter answered with {len(order_ids)} ids for {len(keys)} orders"
        return outcome_unknown(body, reason, now)
    return SubmitListAcknowledged(
        **_stamps(body, now), client_order_ids=keys, venue_order_ids=order_ids
    )


def _keys(body: SubmitOrderList) -> tuple[ClientOrderId, ...]:
    return tuple(order.client_order_id for order in body.orders)


def _query_failed(
    body: CancelAllOrders | QueryOrder | QueryMassStatus, reason: str, now: int
) -> QueryFailed:
    return QueryFailed(**_stamps(body, now), query=type(body).__name__, reason=reason)


class _Stamps(TypedDict):
    ts_event: int
    ts_init: int
    correlation_id: str
    causation_id: str


def _stamps(body: VenueCall, now: int) -> _Stamps:
    return {
        "ts_event": body.ts_event,
        "ts_init": now,
        "correlation_id": body.correlation_id,
        "causation_id": body.causation_id,
    }
