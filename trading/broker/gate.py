"""What must hold before anything that can raise exposure leaves."""

from trading.broker.state import BrokerState
from trading.commands import ReplaceOrder, RiskPermit, SubmitOrder
from trading.refusals import RefusalCode
from trading.risk.permits import verify


def refusal(
    state: BrokerState, order: SubmitOrder | ReplaceOrder, permit: RiskPermit, now: int
) -> RefusalCode | None:
    """Return why `order` must not go to the venue now, or None when it may."""
    if not state.is_journal_up:
        return RefusalCode.JOURNAL_UNAVAILABLE
    if state.record.latch.is_latched:
        return RefusalCode.KILL_SWITCH
    if not state.is_ready:
        return RefusalCode.BROKER_NOT_READY
    if order.account_id != state.config.account_id:
        return RefusalCode.RISK_PERMIT_INVALID  # signed for an account that is not ours
    return _permit_refusal(state, order, permit, now)


def _permit_refusal(
    state: BrokerState, order: SubmitOrder | ReplaceOrder, permit: RiskPermit, now: int
) -> RefusalCode | None:
    """Only the risk manager that announced itself last signs; before it did, nobody does."""
    ruling = state.risk_epoch
    code = verify(order, permit, state.config.risk_key, ruling or 0, now)
    if code is None and permit.risk_epoch != ruling:
        return RefusalCode.RISK_PERMIT_STALE_EPOCH
    return code
