"""How a parent order is to be worked: one struct per algorithm, plain data that travels in a command.

Nothing is checked at creation: a command must decode whatever it says. `objections` says what is wrong.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from trading.identifiers import AccountId, InstrumentId, Venue
from trading.values import ZERO


class CatchUp(StrEnum):
    """What happens to the quantity that earlier slices did not get.

    NEXT: the next slice takes all of it. SPREAD: the slices that are left share it. END: it waits for
    the end of the window.
    """

    NEXT = "NEXT"
    SPREAD = "SPREAD"
    END = "END"


class SliceStyle(StrEnum):
    """TAKE: a slice takes what the books show, over all venues. REST: it rests at the best price of its side."""

    TAKE = "TAKE"
    REST = "REST"


class ChildRole(StrEnum):
    """PART: a part of the parent's quantity. The other two get out of what the parts brought."""

    PART = "PART"
    TAKE_PROFIT = "TAKE_PROFIT"
    STOP_LOSS = "STOP_LOSS"


class Listing(msgspec.Struct, frozen=True, array_like=True):
    """One place where an order may trade: an instrument, and the account that trades it there."""

    venue: Venue
    account_id: AccountId
    instrument_id: InstrumentId


class Twap(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Equal slices over a window.

    Attributes
    ----------
    window_ns : int
        From the start of the execution (ns of host time).
    slices : int
        How many (1 to 1000).
    catch_up : CatchUp
    style : SliceStyle
    jitter : Decimal
        Part of a slice's time by which its start is put off, by a hash of the parent's id (0 to 1).
    must_complete : bool
        After the window, go on at the pace of the slices until all is filled. Otherwise what is left is not traded.
    """

    window_ns: int
    slices: int
    catch_up: CatchUp = CatchUp.NEXT
    style: SliceStyle = SliceStyle.TAKE
    jitter: Decimal = ZERO
    must_complete: bool = True


class Vwap(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Slices in proportion to the volume that the market usually trades; otherwise as `Twap`.

    Attributes
    ----------
    volumes : tuple of Decimal
        Units that the market trades in each slice of the window, see `volume_curve`.
    participation : Decimal or None
        Largest part of those units that a slice may take (0 to 1); the completion after the window knows no cap.
    """

    window_ns: int
    volumes: tuple[Decimal, ...]
    participation: Decimal | None = None
    catch_up: CatchUp = CatchUp.NEXT
    style: SliceStyle = SliceStyle.TAKE
    jitter: Decimal = ZERO
    must_complete: bool = True


class Iceberg(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """One small order at a time rests at the limit price; the next follows when it is filled.

    Attributes
    ----------
    display_qty : Decimal
        Units of each (> 0).
    jitter : Decimal
        Part of `display_qty` by which a child may be smaller, by a hash of the parent's id (0 to 1, exclusive).
    """

    display_qty: Decimal
    jitter: Decimal = ZERO


class Bracket(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """An entry; what it fills gets a take profit and a stop loss, of which one ends the other.

    Attributes
    ----------
    take_profit_px, stop_loss_px : Decimal
        Around the entry: take profit above and stop below for a BUY, the other way for a SELL.
    stop_limit_px : Decimal or None
        Limit of the stop loss; None gets out at any price.
    rests : ChildRole
        Which exit rests at the venue, STOP_LOSS or TAKE_PROFIT; the other one is watched by the desk.
    """

    take_profit_px: Decimal
    stop_loss_px: Decimal
    stop_limit_px: Decimal | None = None
    rests: ChildRole = ChildRole.STOP_LOSS


class Oco(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """The two exits of a bracket for a position that is there already; fields as in `Bracket`.

    Side and quantity of the parent are those of the exit.
    """

    take_profit_px: Decimal
    stop_loss_px: Decimal
    stop_limit_px: Decimal | None = None
    rests: ChildRole = ChildRole.STOP_LOSS


Sliced = Twap | Vwap
WithExits = Bracket | Oco
Algorithm = Twap | Vwap | Iceberg | Bracket | Oco


def name_of(algorithm: Algorithm) -> str:
    """Return `twap`, `vwap`, `iceberg`, `bracket` or `oco`."""
    return type(algorithm).__name__.lower()


def slice_count(algorithm: Sliced) -> int:
    return algorithm.slices if isinstance(algorithm, Twap) else len(algorithm.volumes)
