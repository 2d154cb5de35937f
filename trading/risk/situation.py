"""What the checks look at: everything about one order and the account, as plain values."""

from decimal import Decimal

import msgspec

from trading.instruments import Instrument
from trading.risk.breakers import Counters
from trading.risk.standing import Hold
from trading.values import ZERO


class Situation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A read-only view, made for one order. "After" means: with this order and all working ones filled.

    Attributes
    ----------
    instrument : Instrument or None
        None when it is not configured.
    is_ours : bool
        Strategy and account of the order are configured.
    hold : Hold
        Trading state in force.
    kill_reason : str or None
        Why the kill switch is latched.
    quote_at : int or None
        Host time (ns) of the newest good book of the instrument.
    price : Decimal or None
        What the order is counted at: the highest of the market and the order's own prices.
    stop_distance : Decimal or None
        How far the price may go against the order before a stop that comes with it (per unit).
    reduces_account, reduces_strategy : bool
        The order, with all that works on its side, only makes the position smaller.
    position_after : Decimal
        Largest position (units, unsigned) in the instrument after.
    strategy_position_after : Decimal
        The same for the order's strategy.
    gross_elsewhere, strategy_gross_elsewhere : Decimal
        Exposure in all other instruments, in account currency.
    positions_elsewhere : int
        Other instruments that are held or about to be.
    unpriced_count : int
        Instruments with exposure but without any price.
    tokens : float
        What the order rate throttle has left.
    unfilled_count : int
        Other working orders that may still become trades.
    strategy_halt : str or None
        Why the order's strategy is halted.
    is_market_open : bool
    working_count : int
        Other working orders.
    equity : Decimal or None
        The last good reading, in account currency; after a restart the last that was journalled.
    opposite_px : Decimal or None
        Price of the other side of the book (the ask for a buy), for an order with a price of its own.
    short_after : Decimal
        Largest short position (units, unsigned) after.
    net_after : Decimal
        Largest absolute sum of signed position values after.
    groups_after : tuple of (group, exposure)
        Of the groups that the instrument belongs to and that have a limit.
    correlated_after : float or None
        What moves with the instrument, in account currency; None when that is not known yet.
    deviation_after : float or None
        Standard deviation of the account's value over one bar; None when that is not known yet.
    """

    instrument: Instrument | None
    is_ours: bool = True
    hold: Hold = Hold()
    kill_reason: str | None = None
    quote_at: int | None = None
    price: Decimal | None = None
    reduces_account: bool = False
    reduces_strategy: bool = False
    position_after: Decimal = ZERO
    strategy_position_after: Decimal = ZERO
    gross_elsewhere: Decimal = ZERO
    strategy_gross_elsewhere: Decimal = ZERO
    positions_elsewhere: int = 0
    unpriced_count: int = 0
    tokens: float = 1.0
    counters: Counters = Counters()
    unfilled_count: int = 0
    strategy_halt: str | None = None
    is_market_open: bool = True
    working_count: int = 0
    equity: Decimal | None = None
    opposite_px: Decimal | None = None
    short_after: Decimal = ZERO
    net_after: Decimal = ZERO
    groups_after: tuple[tuple[str, Decimal], ...] = ()
    correlated_after: float | None = None
    deviation_after: float | None = None
    stop_distance: Decimal | None = None
