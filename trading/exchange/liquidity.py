"""The crowd: synthetic bid and ask levels around a replayed price."""

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

import msgspec

from trading.instruments import Instrument
from trading.values import OrderSide

_BPS = Decimal(10_000)


class Liquidity(msgspec.Struct, frozen=True, kw_only=True):
    """Shape of the ladder.

    Attributes
    ----------
    half_spread_bps : Decimal
        Distance of the best bid and ask from the price (basis points, >= 0).
    levels : int
        Levels on each side; 0 leaves our orders alone with each other.
    depth : Decimal
        What each level offers, in quote currency (>= 0).
    step_bps : Decimal
        Distance between levels (basis points, >= 0); at least one tick.
    """

    half_spread_bps: Decimal = Decimal(1)
    levels: int = 10
    depth: Decimal = Decimal(100_000)
    step_bps: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if self.levels < 0 or min(self.half_spread_bps, self.depth, self.step_bps) < 0:
            raise ValueError("liquidity: half spread, levels, depth and step must not be negative")


class Level(NamedTuple):
    """Price in quote currency, size in units."""

    price: Decimal
    size: Decimal


class Ladder:
    """Synthetic levels of one instrument; trades of one slice consume them, best first."""

    __slots__ = ("_sides",)

    def __init__(self, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> None:
        self._sides = {
            OrderSide.BUY: list(bids)[::-1],
            OrderSide.SELL: list(asks)[::-1],
        }

    def best(self, side: OrderSide) -> Level | None:
        """Return the best level of the bids (BUY) or of the asks (SELL)."""
        levels = self._sides[side]
        return levels[-1] if levels else None

    def levels(self, side: OrderSide) -> Iterator[Level]:
        """Yield the levels of one side, best first."""
        return reversed(self._sides[side])

    def take(self, side: OrderSide, quantity: Decimal) -> None:
        """Consume `quantity` (at most its size) of the best level of `side`."""
        levels = self._sides[side]
        best = levels[-1]
        assert quantity <= best.size, f"{quantity} taken from a level of {best.size}"
        if quantity == best.size:
            levels.pop()
        else:
            levels[-1] = Level(best.price, best.size - quantity)


def build_ladder(close: Decimal, instrument: Instrument, liquidity: Liquidity) -> Ladder:
    """Return the ladder around `close`.

    Prices count in whole ticks and sizes in whole lots, so everything is on the grid. The best
    bid and ask are at least one tick apart; levels at or below zero and levels that cannot offer
    one lot are left out.

    Parameters
    ----------
    close : Decimal
        The replayed price, on the tick grid.
    """
    tick, lot = instrument.tick_size, instrument.lot_size
    middle = int(close / tick)
    half = _ticks(middle, liquidity.half_spread_bps)
    step = max(1, _ticks(middle, liquidity.step_bps))
    bid = middle - half
    ask = max(middle + half, bid + 1)
    lot_ticks = int(liquidity.depth / (tick * lot))  # lots that `depth` buys at one tick

    def levels(first: int, distance: int) -> Iterator[Level]:
        for ticks in range(first, first + distance * liquidity.levels, distance):
            lots = lot_ticks // ticks if ticks > 0 else 0
            if lots > 0:
                yield Level(ticks * tick, lots * lot)

    return Ladder(levels(bid, -step), levels(ask, step))


def _ticks(middle: int, bps: Decimal) -> int:
    return int((middle * bps / _BPS).to_integral_value(ROUND_HALF_EVEN))
