"""Whether a strategy decides, and what becomes of its positions once it does not.

    on --switch_off, flatten--> closing <--> closed
    on --switch_off, hold-----> holding

There is no way back: whoever runs it starts a new one.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from trading.identifiers import InstrumentId


class OnFailure(StrEnum):
    """What becomes of the positions of a strategy that is switched off."""

    FLATTEN = "flatten"
    """They are closed by ordinary orders that only reduce."""
    HOLD = "hold"
    """They stay as they are, under the stops of risk."""


class SwitchState(StrEnum):
    ON = "on"
    CLOSING = "closing"
    CLOSED = "closed"
    HOLDING = "holding"


class Switch:
    """On until `switch_off`; the first reason counts."""

    def __init__(self, on_failure: OnFailure = OnFailure.FLATTEN) -> None:
        self.on_failure = on_failure
        self.reason = ""

    @property
    def is_off(self) -> bool:
        return bool(self.reason)

    def switch_off(self, reason: str) -> None:
        self.reason = self.reason or reason

    def state(self, positions: Mapping[InstrumentId, Decimal]) -> SwitchState:
        """Return the state; a late fill takes `closed` back to `closing`."""
        if not self.is_off:
            return SwitchState.ON
        if self.on_failure is OnFailure.HOLD:
            return SwitchState.HOLDING
        return SwitchState.CLOSING if any(positions.values()) else SwitchState.CLOSED

    def to_close(self, unreduced: Mapping[InstrumentId, Decimal]) -> dict[InstrumentId, Decimal]:
        """Return the signed units that orders must still take back, which is nothing while it is on.

        Parameters
        ----------
        unreduced : mapping
            Signed units of each position, less what is under way against it.
        """
        if self.state(unreduced) is not SwitchState.CLOSING:
            return {}
        return {name: units for name, units in unreduced.items() if units}
