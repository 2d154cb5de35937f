"""The crowd: synthetic bid and ask levels around a replayed price."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from trading.instruments import Instrument
from trading.values import OrderSide

_BPS = Decimal(10_000)
Shown = tuple[tuple[float, float], ...]
"""`(price, size)` of the levels of one side, best first."""


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


class Crowd(Protocol):
    """What others offer in one instrument, and what is left of it."""

    def best(self, side: OrderSide) -> Level | None:
        """Return the best level of the bids (BUY) or of the asks (SELL)."""

    def levels(self, side: OrderSide) -> Iterator[Level]:
        """Yield the levels of one side, best first."""

    def take(self, side: OrderSide, quantity: Decimal) -> None:
        """Consume `quantity` (at most its size) of the best level of `side`."""


class Ladder:
    """Synthetic levels of one instrument; trades of one slice consume them, best first."""

    __slots__ = ("_sides",)

    def __init__(self, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> None:
        self._sides = {
            OrderSide.BUY: list(bids)[::-1],
            OrderSide.SELL: list(asks)[::-1],
        }

    def best(self, side: OrderSide) -> Level | None:
        levels = self._sides[side]
        return levels[-1] if levels else None

    def levels(self, side: OrderSide) -> Iterator[Level]:
        return reversed(self._sides[side])

    def take(self, side: OrderSide, quantity: Decimal) -> None:
        levels = self._sides[side]
        best = levels[-1]
        assert quantity <= best.size, f"{quantity} taken from a level of {best.size}"
        if quantity == best.size:
            levels.pop()
        else:
            levels[-1] = Level(best.price, best.size - quantity)


class LadderShape:
    """How the ladders of one instrument are built: `Liquidity` in whole ticks and lots.

    Prices count in whole ticks and sizes in whole lots, so everything is on the grid. The best
    bid and ask are at least one tick apart; levels at or below zero and levels that cannot offer
    one lot are left out.
    """

    def __init__(self, instrument: Instrument, liquidity: Liquidity) -> None:
        tick, lot = instrument.tick_size, instrument.lot_size
        self._tick, self._lot = tick, lot
        self._levels = liquidity.levels
        self._half, self._step = (
            (liquidity.half_spread_bps / _BPS).as_integer_ratio(),
            (liquidity.step_bps / _BPS).as_integer_ratio(),
        )
        self._lot_ticks = int(liquidity.depth / (tick * lot))  # lots that `depth` buys at one tick
        self._price_ratio = tick.as_integer_ratio()
        self._size_ratio = lot.as_integer_ratio()

    def ladder(self, middle: int) -> Ladder:
        """Return the levels around the price of `middle` ticks, for orders."""
        return Ladder(
            *(
                [Level(ticks * self._tick, lots * self._lot) for ticks, lots in side]
                for side in self._sides(middle)
            )
        )

    def shown(self, middle: int) -> tuple[Shown, Shown]:
        """Return the same bids and asks as `(price, size)` floats, for the eye."""
        (tick, per), (lot, parts) = self._price_ratio, self._size_ratio
        bids, asks = self._sides(middle)
        return (
            tuple([(ticks * tick / per, lots * lot / parts) for ticks, lots in bids]),
            tuple([(ticks * tick / per, lots * lot / parts) for ticks, lots in asks]),
        )

    def _sides(self, middle: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return `(ticks, lots)` of each bid and each ask, best first."""
        half = _rounded(middle, self._half)
        step = max(1, _rounded(middle, self._step))
        bid = middle - half
        ask = max(middle + half, bid + 1)
        span = self._levels * step
        return self._side(range(bid, bid - span, -step)), self._side(range(ask, ask + span, step))

    def _side(self, prices: range) -> list[tuple[int, int]]:
        lot_ticks = self._lot_ticks
        return [(ticks, lots) for ticks in prices if ticks > 0 and (lots := lot_ticks // ticks)]


def build_ladder(close: Decimal, instrument: Instrument, liquidity: Liquidity) -> Ladder:
    """Return the ladder around `close`.

    Parameters
    ----------
    close : Decimal
        The replayed price, on the tick grid.
    """
    return LadderShape(instrument, liquidity).ladder(int(close / instrument.tick_size))


def _rounded(ticks: int, ratio: tuple[int, int]) -> int:
    """Return `ticks` times a ratio >= 0, to the nearest tick (half to even)."""
    whole, rest = divmod(ticks * ratio[0], ratio[1])
    return whole + (2 * rest > ratio[1] or (2 * rest == ratio[1] and whole % 2))
