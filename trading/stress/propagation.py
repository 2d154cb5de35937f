"""What the other factors do when some are shocked: their conditional expectation.

Source: Kupiec (1998), "Stress Testing in a Value at Risk Framework", Journal of Derivatives 6(1). For jointly
normal (more generally elliptical) moves x = (x1, x2) with mean 0 and covariance S, given x1:

    E[x2 | x1] = S21 S11^-1 x1          V[x2 | x1] = S22 - S21 S11^-1 S12      (the second: normal moves)

The expectation does not depend on the horizon of the covariance, only on its proportions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_covariance
from trading.stress.factors import least_move
from trading.stress.scenario import Scenario, Shock

EXPECTED = "expected, given the shocks above"
"""Source of a propagated shock."""


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """Moves given some of them.

    Attributes
    ----------
    expected : (factor,)
        The given moves where given, the conditional expectation elsewhere.
    covariance : (factor, factor)
        What still varies around it, per bar of the covariance put in; 0 for what is given.
    """

    expected: FloatArray
    covariance: FloatArray


def conditional_moves(
    covariance: FloatArray, names: Sequence[str], given: NDArray[np.bool_], moves: FloatArray
) -> Conditional:
    """Return all moves given some.

    Parameters
    ----------
    covariance : (factor, factor)
        Of moves with mean 0.
    given : (factor,)
        Which moves are known.
    moves : (factor,)
        Their values; the others are not read.

    Raises
    ------
    DataError
        If the covariance has the wrong shape, is not finite and symmetric, or is singular.
    """
    require_covariance(covariance, names)
    expected = np.where(given, moves, 0.0)
    remaining = np.zeros_like(covariance)
    cross = covariance[np.ix_(~given, given)]
    slopes = np.linalg.solve(covariance[np.ix_(given, given)], cross.T).T
    expected[~given] = slopes @ moves[given]
    remaining[np.ix_(~given, ~given)] = covariance[np.ix_(~given, ~given)] - slopes @ cross.T
    return Conditional(expected, remaining)


def propagate(scenario: Scenario, factors: Sequence[str], covariance: FloatArray) -> Scenario:
    """Return the scenario with a shock for every one of `factors`.

    Factors that the scenario does not move get their conditional expectation, but none falls by more than 100 %.
    Its own shocks stay, also to factors without a covariance; these tell nothing about the others.

    Parameters
    ----------
    covariance : (factor, factor)
        Of the moves of `factors` as fractions (100 basis points are 0.01), over any one horizon.

    Raises
    ------
    UsageError
        If the scenario moves none of `factors`.
    DataError
        If the covariance has the wrong shape, is not finite and symmetric, or is singular.
    """
    moves = scenario.moves
    given = np.array([factor in moves for factor in factors])
    if not given.any():
        raise UsageError(
            f"scenario {scenario.name} moves none of {', '.join(factors)}; there is nothing to propagate."
        )
    known = np.array([moves.get(factor, 0.0) for factor in factors])
    expected = conditional_moves(covariance, factors, given, known).expected
    added = tuple(
        Shock(factor, max(float(expected[row]), least_move(factor)), EXPECTED)
        for row, factor in enumerate(factors)
        if not given[row]
    )
    return replace(scenario, shocks=scenario.shocks + added)
