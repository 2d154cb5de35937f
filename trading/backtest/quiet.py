"""Bars on which nothing is due, compiled: they are valued and passed.

Loops go over slices, from 0: the compiler knows then that no index is negative, and takes several rows at once.
"""

from trading.backtest.borrowing import borrowing
from trading.backtest.state import Record, Records, Rules
from trading.indicators.rolling import FloatArray

FIRST_BLOCK, LATER_BLOCK = 16, 64
"""Rows that are valued and looked at together: few at first, for most quiet times are short."""


@borrowing
def pass_quiet_bars(
    row: int,
    mark: FloatArray,
    weights: FloatArray,
    capital: float,
    cash: float,
    rules: Rules,
    positions: Records,
    equities: FloatArray,
) -> int:
    """Write the equity from `row` on, up to the first bar with a decision that may ask for something.

    Without interest, actions, exits and debts nothing else can happen; the caller sees to that.

    Parameters
    ----------
    row : int
        After at least one whole bar (>= 1).
    mark : (time, instrument)
        Newest known close.
    capital : float
        What a weight of 1 is worth without `rules.reinvests`.

    Returns
    -------
    int
        That bar, or the number of bars.
    """
    columns = positions.shape[0]
    for column in range(columns):
        if positions[column].want != positions[column].units or positions[column].blocked != 0.0:
            return row
    lag, rows, block = 0 if rules.fills_same_bar else 1, mark.shape[0], FIRST_BLOCK
    while row < rows:
        stop = min(row + block, rows)
        block = LATER_BLOCK
        _value(mark[row:stop], cash, positions, equities[row:stop])
        first, last = row - lag, stop - lag
        bases, marks = equities[first:last], mark[first:last]
        row += _count_quiet(weights[first:last], bases, marks, capital, rules, positions)
        if row < stop:
            break
    for column in range(columns):
        positions[column].last = mark[row - 1, column]
    return row


@borrowing
def is_due(weight: float, base: float, last: float, position: Record, rules: Rules) -> bool:
    """Return whether a decision may ask something of a position; what `rebalance` does not do is harmless.

    Parameters
    ----------
    base : float
        What a weight of 1 is worth.
    last : float
        Newest price.
    """
    held = position.units
    if rules.on_change:
        return bool(weight != position.weight or position.want != held or position.blocked != 0.0)
    if weight == 0.0 and held == 0.0 and position.want == 0.0 and position.blocked == 0.0:
        return False
    is_settled = position.want == held and position.blocked == 0.0
    return not (is_settled and _is_near(weight, base, last, held, rules))


@borrowing
def _is_near(weight: float, base: float, last: float, held: float, rules: Rules) -> bool:
    """Return whether what is held is near enough to a target that is not 0."""
    distance = abs(weight * base - held * last) + rules.lot_size * last
    return bool((weight != 0.0) & (distance < rules.band * base))


@borrowing
def _value(mark: FloatArray, cash: float, positions: Records, equities: FloatArray) -> None:
    """Write the equity of some rows; the columns are added in their order, as everywhere."""
    for row in range(equities.shape[0]):
        equities[row] = cash
    for column in range(positions.shape[0]):
        units = positions[column].units
        if units != 0.0:
            for row in range(equities.shape[0]):
                equities[row] += units * mark[row, column]


@borrowing
def _count_quiet(
    weights: FloatArray,
    equities: FloatArray,
    mark: FloatArray,
    capital: float,
    rules: Rules,
    positions: Records,
) -> int:
    """Return how many rows come before the first decision that may ask for something."""
    if not _are_quiet(weights, equities, mark, capital, rules, positions):
        for row in range(len(weights)):
            base = equities[row] if rules.reinvests else capital
            for column in range(positions.shape[0]):
                if is_due(weights[row, column], base, mark[row, column], positions[column], rules):
                    return row
    return len(weights)


@borrowing
def _are_quiet(
    weights: FloatArray,
    equities: FloatArray,
    mark: FloatArray,
    capital: float,
    rules: Rules,
    positions: Records,
) -> bool:
    """Return whether no decision asks for anything, of positions that are what they want to be.

    No branch depends on a row.
    """
    is_quiet = True
    for column in range(positions.shape[0]):
        held, decided = positions[column].units, positions[column].weight
        if rules.on_change:
            for row in range(len(weights)):
                is_quiet &= weights[row, column] == decided
        else:
            for row in range(len(weights)):
                weight, last = weights[row, column], mark[row, column]
                base = equities[row] if rules.reinvests else capital
                is_flat = (weight == 0.0) & (held == 0.0)
                is_quiet &= is_flat | _is_near(weight, base, last, held, rules)
    return is_quiet
