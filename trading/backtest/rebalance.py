"""From one row of weights to fills, compiled: reductions first, then what the leverage allows."""

import numpy as np

from trading.backtest.borrowing import borrowing
from trading.backtest.fill import fill
from trading.backtest.result import FillReason
from trading.backtest.state import Books, Record, Rules
from trading.indicators.rolling import FloatArray

TARGET = int(FillReason.TARGET)
PART_OF_A_LOT = 1e-9
"""A quantity this near to a whole lot is one: 0.1 * 30 is not 3."""


@borrowing
def rebalance(
    row: int,
    prices: FloatArray,
    weights: FloatArray,
    base: float,
    volumes: FloatArray,
    rules: Rules,
    books: Books,
) -> None:
    """Bring every position to what its decision wants.

    Parameters
    ----------
    prices : (time, instrument)
        Where the fills of this bar are made.
    weights : (instrument,)
        The decision.
    base : float
        What a weight of 1 is worth.
    volumes : (time, instrument)
    """
    account, opens = books.account[0], 0.0
    for column in range(weights.shape[0]):
        position = books.positions[column]
        _aim(position, weights[column], base, rules)
        held, want, price = position.units, position.want, prices[row, column]
        if want == held or np.isnan(price):
            continue
        keep = want if held * want > 0 else 0.0
        if abs(keep) < abs(held):
            volume = volumes[row, column]
            units = _within_volume(keep - held, volume, rules)
            if units != 0.0:
                fill(row, column, units, price, volume, TARGET, rules, position, account, books.log)
        if is_opening(position):
            opens += abs(want - position.units) * price
    if opens > 0:
        _open(row, prices, opens, volumes, rules, books)


@borrowing
def whole_lots(units: float, lot_size: float) -> float:
    """Return the units without what is less than a lot."""
    lots = units / lot_size
    return float(np.trunc(lots + PART_OF_A_LOT * np.sign(lots)) * lot_size)


@borrowing
def is_opening(position: Record) -> bool:
    """Return whether more is wanted on the side that is held, or anything from flat."""
    held, want = position.units, position.want
    return bool(abs(want) > abs(held) and held * want >= 0)


@borrowing
def _aim(position: Record, weight: float, base: float, rules: Rules) -> None:
    """Set the units that a decision wants of one instrument."""
    if not rules.allow_short:
        weight = max(weight, 0.0)
    weight = min(max(weight, -rules.max_weight), rules.max_weight)
    if position.blocked != 0.0:
        if weight * position.blocked > 0:
            weight = 0.0
        else:
            position.blocked = 0.0
    price = position.last
    is_unknown = weight != 0.0 and not price > 0
    if is_unknown or (rules.on_change and weight == position.weight):
        return
    position.weight = weight
    units = 0.0
    if weight != 0.0:
        units = weight * base / price
        if rules.lot_size > 0:
            units = whole_lots(units, rules.lot_size)
    is_worth = rules.on_change or abs(units - position.units) * price >= rules.band * base
    position.want = units if is_worth or units == 0.0 else position.units


@borrowing
def _open(
    row: int, prices: FloatArray, opens: float, volumes: FloatArray, rules: Rules, books: Books
) -> None:
    """Fill all openings, made smaller by one factor where they would exceed the leverage."""
    account = books.account[0]
    share = _affordable(row, prices, opens, volumes, rules, books)
    for column in range(books.positions.shape[0]):
        position, price = books.positions[column], prices[row, column]
        if np.isnan(price) or not is_opening(position):
            continue
        units = position.want - position.units
        if share < 1.0:
            units *= share
            if rules.lot_size > 0:
                units = whole_lots(units, rules.lot_size)
            position.want = position.units + units
        volume = volumes[row, column]
        units = _within_volume(units, volume, rules)
        if units != 0.0:
            fill(row, column, units, price, volume, TARGET, rules, position, account, books.log)


@borrowing
def _affordable(
    row: int, prices: FloatArray, opens: float, volumes: FloatArray, rules: Rules, books: Books
) -> float:
    """Return the part of the openings after whose costs the leverage still holds (0 to 1)."""
    gross, equity, costs = 0.0, books.account[0].cash, 0.0
    count = 0
    for column in range(books.positions.shape[0]):
        position, price = books.positions[column], prices[row, column]
        is_here = not np.isnan(price)
        if position.units != 0.0:
            value = position.units * (price if is_here else position.last)
            equity += value
            gross += abs(value)
        if is_here and is_opening(position):
            change, volume = abs(position.want - position.units), volumes[row, column]
            count += 1
            costs += change * rules.per_unit
            if rules.impact > 0 and volume > 0:
                worse = change * price * rules.impact * np.sqrt(change / volume)
                costs += worse * (1.0 + rules.rate)
    costs += opens * (rules.distance + rules.rate * (1.0 + rules.distance))
    room = rules.max_leverage * (equity - count * rules.minimum) - gross
    need = opens + rules.max_leverage * costs
    return 1.0 if room >= need else max(room, 0.0) / need


@borrowing
def _within_volume(units: float, volume: float, rules: Rules) -> float:
    """Return what one fill may take of a bar's volume, in whole lots."""
    most = rules.max_participation * volume
    if volume <= 0 or abs(units) <= most:
        return units
    if rules.lot_size > 0:
        most = whole_lots(most, rules.lot_size)
    return float(np.sign(units) * most)
