"""What one stage found."""

import math
from decimal import Decimal

import msgspec

from trading.ladder.standing import Stage


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of one stage, before it is a fact.

    Attributes
    ----------
    reason : str
        One sentence: what was seen.
    inputs : dict
        All that it depends on besides the source.
    figures : dict
    findings : tuple of str
        Details for the reader of the report; they are not journalled.
    """

    stage: Stage
    passed: bool
    reason: str
    inputs: dict[str, str] = {}
    figures: dict[str, float] = {}
    findings: tuple[str, ...] = ()

    @property
    def decimals(self) -> tuple[tuple[str, Decimal], ...]:
        """The finite figures, as a fact holds them."""
        finite = {name: value for name, value in self.figures.items() if math.isfinite(value)}
        return tuple((name, Decimal(repr(float(value)))) for name, value in sorted(finite.items()))
