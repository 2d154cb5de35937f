"""What a portfolio loses in a scenario: by position, by factor, and what the factors leave unexplained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.stress.holdings import Holding, all_betas
from trading.stress.scenario import Scenario


@dataclass(frozen=True, slots=True, eq=False)
class ScenarioLoss:
    """Losses are positive (money). Parts add up: `by_position` and, with `residual`, `by_factor` to `total`.

    Attributes
    ----------
    scenario : str
    names, factors : tuple of str
        Positions, and the factors that some position follows and the scenario moves.
    parts : (position, factor)
        Loss by the factor: -value * beta * move.
    residual : (position,)
        What the factors do not say: a return given for the instrument itself, and what a price cannot lose
        because it is worth nothing before.
    unmoved : tuple of str
        Factors that some position follows and of which the scenario says nothing; they count as still.
    """

    scenario: str
    names: tuple[str, ...]
    factors: tuple[str, ...]
    parts: FloatArray
    residual: FloatArray
    unmoved: tuple[str, ...]

    @property
    def by_position(self) -> FloatArray:
        """(position,) money."""
        losses: FloatArray = self.parts.sum(axis=1) + self.residual
        return losses

    @property
    def by_factor(self) -> FloatArray:
        """(factor,) money; the residuals are not in it."""
        losses: FloatArray = self.parts.sum(axis=0)
        return losses

    @property
    def total(self) -> float:
        return float(self.by_position.sum())


def scenario_loss(scenario: Scenario, holdings: Sequence[Holding]) -> ScenarioLoss:
    """Return what the positions lose when all moves of a scenario happen at once.

    A position returns the sum of beta * move over its factors, at worst -100 %: what is paid for can become
    worthless, not more. A return that the scenario gives for the instrument overrules the factors.

    Raises
    ------
    UsageError
        If a bond, a commodity or a currency comes without any beta.
    """
    betas = [all_betas(holding) for holding in holdings]
    followed = {factor for each in betas for factor in each}
    factors = tuple(factor for factor in scenario.moves if factor in followed)
    sensitivity = np.array([[each.get(factor, 0.0) for factor in factors] for each in betas])
    sensitivity = sensitivity.reshape(len(holdings), len(factors))
    moves = np.array([scenario.moves[factor] for factor in factors])
    explained = sensitivity * moves
    values = np.array([holding.value for holding in holdings])
    returns = _returns(scenario, holdings, explained.sum(axis=1))
    return ScenarioLoss(
        scenario=scenario.name,
        names=tuple(holding.name for holding in holdings),
        factors=factors,
        parts=-values[:, None] * explained,
        residual=-values * (returns - explained.sum(axis=1)),
        unmoved=tuple(sorted(followed.difference(factors))),
    )


def _returns(scenario: Scenario, holdings: Sequence[Holding], explained: FloatArray) -> FloatArray:
    returns: FloatArray = np.maximum(explained, -1.0)
    for row, holding in enumerate(holdings):
        if holding.name in scenario.instruments:
            returns[row] = scenario.instruments[holding.name]
    return returns
