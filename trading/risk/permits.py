"""Permits: the risk manager's signature under one order, and how a broker verifies it."""

import hmac

from trading.codec import digest
from trading.commands import ReplaceOrder, RiskPermit, SubmitOrder, SubmitOrderList
from trading.refusals import RefusalCode
from trading.values import NANOS_PER_SECOND

PERMIT_TTL_NS_MAX = 2 * NANOS_PER_SECOND
"""A permit that claims to live longer is refused, whoever signed it."""


Signable = SubmitOrder | SubmitOrderList | ReplaceOrder
"""What a permit is for."""


def sign(
    order: Signable,
    key: bytes,
    risk_epoch: int,
    now: int,
    ttl_ns: int = PERMIT_TTL_NS_MAX,
) -> RiskPermit:
    """Return the permit for exactly this order, list of orders, or replacement.

    Parameters
    ----------
    key : bytes
        Secret that risk and broker share; not empty.
    risk_epoch : int
        Lease epoch of the risk manager that signs.
    now : int
        Host time (ns UTC).
    ttl_ns : int
        Life of the permit, in (0, 2 s].

    Raises
    ------
    ValueError
        If the key is empty or `ttl_ns` is out of range.
    """
    require_terms(key, ttl_ns)
    order_hash = digest(order)
    expires_at = now + ttl_ns
    return RiskPermit(
        ts_event=order.ts_event,
        ts_init=now,
        correlation_id=order.correlation_id,
        causation_id=_subject(order),
        order_hash=order_hash,
        risk_epoch=risk_epoch,
        expires_at=expires_at,
        signature=_signature(key, order_hash, risk_epoch, expires_at),
    )


def verify(
    order: Signable,
    permit: RiskPermit | None,
    key: bytes,
    min_epoch: int,
    now: int,
) -> RefusalCode | None:
    """Return why the permit does not cover the order, or None when it does.

    A permit does not stop a second use within its life: the broker knows each `client_order_id`
    once, and each order has exactly one hash.

    Parameters
    ----------
    min_epoch : int
        Epoch of the risk manager that announced itself last; older permits are void.
    now : int
        Host time (ns UTC).
    """
    if permit is None:
        return RefusalCode.RISK_PERMIT_MISSING
    order_hash = digest(order)
    expected = _signature(key, order_hash, permit.risk_epoch, permit.expires_at)
    is_ours = hmac.compare_digest(_bytes(expected), _bytes(permit.signature))
    is_this_order = hmac.compare_digest(_bytes(order_hash), _bytes(permit.order_hash))
    if not (is_ours and is_this_order) or permit.expires_at - now > PERMIT_TTL_NS_MAX:
        return RefusalCode.RISK_PERMIT_INVALID
    if permit.risk_epoch < min_epoch:
        return RefusalCode.RISK_PERMIT_STALE_EPOCH
    if now >= permit.expires_at:
        return RefusalCode.RISK_PERMIT_EXPIRED
    return None


def require_terms(key: bytes, ttl_ns: int) -> None:
    """Raise `ValueError` if nothing can be signed with this key and life."""
    if not key:
        raise ValueError("a permit needs a key: set the secret of the cluster")
    if not 0 < ttl_ns <= PERMIT_TTL_NS_MAX:
        raise ValueError(f"a permit lives more than 0 and at most 2 s, got ttl_ns={ttl_ns}")


def _subject(order: Signable) -> str:
    if isinstance(order, SubmitOrderList):
        return order.orders[0].client_order_id
    return order.client_order_id


def _signature(key: bytes, order_hash: str, risk_epoch: int, expires_at: int) -> str:
    text = f"{order_hash}\x1f{risk_epoch}\x1f{expires_at}"
    return hmac.digest(key, text.encode(), "sha256").hex()


def _bytes(text: str) -> bytes:
    # compare_digest takes text only when it is ASCII; a forger need not send ASCII.
    return text.encode("utf-8", "replace")
