"""What must hold before anything that can raise exposure leaves."""

from typing import NamedTuple

from trading.broker.state import BrokerState
from trading.capabilities import unsupported, unsupported_list, unsupported_replace
from trading.commands import ReplaceOrder, RiskPermit, SubmitOrder, SubmitOrderList
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.refusals import RefusalCode
from trading.risk.permits import verify

Request = SubmitOrder | SubmitOrderList | ReplaceOrder


class Refusal(NamedTuple):
    """`reason` is one sentence for people."""

    code: RefusalCode
    reason: str


def refusal(state: BrokerState, request: Request, permit: RiskPermit, now: int) -> Refusal | None:
    """Return why `request` must not go to the venue now, or None when it may."""
    code = _state_refusal(state, request, now) or _permit_refusal(state, request, permit, now)
    if code is not None:
        return Refusal(code, code.meaning)
    sentence = _not_offered(state, request)
    return None if sentence is None else Refusal(RefusalCode.VENUE_UNSUPPORTED, sentence)


def _state_refusal(state: BrokerState, request: Request, now: int) -> RefusalCode | None:
    if not state.is_journal_up:
        return RefusalCode.JOURNAL_UNAVAILABLE
    if state.record.latch.is_latched:
        return RefusalCode.KILL_SWITCH
    if not state.is_ready:
        return RefusalCode.BROKER_NOT_READY
    if state.clock.is_off(now):
        return RefusalCode.CLOCK_SKEW
    if request.account_id != state.config.account_id:
        return RefusalCode.RISK_PERMIT_INVALID  # signed for an account that is not ours
    return None


def _permit_refusal(
    state: BrokerState, request: Request, permit: RiskPermit, now: int
) -> RefusalCode | None:
    """Only the risk manager that announced itself last signs; before it did, nobody does."""
    ruling = state.risk_epoch
    code = verify(request, permit, state.config.risk_key, ruling or 0, now)
    if code is None and permit.risk_epoch != ruling:
        return RefusalCode.RISK_PERMIT_STALE_EPOCH
    return code


def _not_offered(state: BrokerState, request: Request) -> str | None:
    """Return what about the request the venue does not take, as far as its table says."""
    capabilities = state.config.capabilities
    instrument = _instrument_of(state, request)
    if capabilities is None or instrument is None:
        return None
    match request:
        case SubmitOrder():
            return unsupported(request, instrument, capabilities)
        case SubmitOrderList():
            return unsupported_list(request, instrument, capabilities)
        case ReplaceOrder():
            return unsupported_replace(instrument, capabilities)


def _instrument_of(state: BrokerState, request: Request) -> Instrument | None:
    return state.config.instruments.get(_instrument_id(state, request))


def _instrument_id(state: BrokerState, request: Request) -> InstrumentId:
    match request:
        case SubmitOrder():
            return request.instrument_id
        case SubmitOrderList():
            return request.orders[0].instrument_id
        case ReplaceOrder():
            return state.record.orders[request.client_order_id].instrument_id
