"""What an account can afford: gross exposure against equity, and whether it may go short."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trading.exchange.admission import Refusal, VenueCode
from trading.exchange.orders import VenueOrder
from trading.exchange.venue_account import VenueAccount
from trading.exchange.venue_state import VenueState
from trading.identifiers import InstrumentId
from trading.values import ZERO, OrderSide


class BuyingPower(msgspec.Struct, frozen=True, kw_only=True):
    """A margin account by default; `allow_short=False, max_leverage=1` is a cash account.

    Spread, slippage and commission are not foreseen, so cash may end a little below zero.

    Attributes
    ----------
    max_leverage : Decimal
        Gross exposure allowed, as a multiple of equity (> 0). Of each instrument the exposure
        is the larger of the positions that all open buys, or all open sells, would lead to.
    """

    allow_short: bool = True
    max_leverage: Decimal = Decimal(2)

    def __post_init__(self) -> None:
        if not self.max_leverage > 0:
            raise ValueError("max_leverage must be positive")

    def check(
        self,
        state: VenueState,
        last: Mapping[InstrumentId, Decimal],
        order: VenueOrder,
        units: Decimal,
        price: Decimal,
    ) -> Refusal | None:
        """Check `units` more of `order`, valued at `price`; what only reduces always passes.

        Parameters
        ----------
        last : mapping of instrument_id to its last price
            A position without one is valued at its average price.
        """
        account = state.accounts[order.request.account_id]
        instrument_id = order.request.instrument_id
        low, high = _range(state, account, instrument_id)
        before = max(abs(low), abs(high))
        if order.side is OrderSide.BUY:
            high += units
        else:
            low -= units
        if not self.allow_short and order.side is OrderSide.SELL and low < 0:
            reason = f"open sells of {instrument_id} would exceed the position by {-low}"
            return Refusal(VenueCode.SHORT_NOT_ALLOWED, reason)
        added = max(abs(low), abs(high)) - before
        return self._check_exposure(state, account, last, added * price) if added > 0 else None

    def _check_exposure(
        self,
        state: VenueState,
        account: VenueAccount,
        last: Mapping[InstrumentId, Decimal],
        added: Decimal,
    ) -> Refusal | None:
        gross, equity = added, account.cash
        traded = {instrument_id for instrument_id, _ in state.working[account.account_id]}
        for instrument_id in sorted(traded.union(account.positions)):
            low, high = _range(state, account, instrument_id)
            price = last.get(instrument_id)
            if price is None:
                price = account.avg_px(instrument_id)
            gross += max(abs(low), abs(high)) * price
            equity += account.equity(instrument_id, price)
        if gross <= self.max_leverage * equity:
            return None
        reason = (
            f"gross exposure {gross:.2f} would exceed {self.max_leverage} x equity {equity:.2f}"
        )
        return Refusal(VenueCode.INSUFFICIENT_CASH, reason)


def _range(
    state: VenueState, account: VenueAccount, instrument_id: InstrumentId
) -> tuple[Decimal, Decimal]:
    """Return the lowest and the highest position that the open orders can lead to."""
    working = state.working[account.account_id]
    position = account.quantity(instrument_id)
    return (
        position - working.get((instrument_id, OrderSide.SELL), ZERO),
        position + working.get((instrument_id, OrderSide.BUY), ZERO),
    )
