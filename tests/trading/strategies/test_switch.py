"""What becomes of the positions of a strategy that is switched off."""

from decimal import Decimal

import pytest

from trading.identifiers import InstrumentId
from trading.strategies.switch import OnFailure, Switch, SwitchState

A, B = InstrumentId("A.X"), InstrumentId("B.X")
LONG, SHORT, NONE = Decimal(5), Decimal(-3), Decimal(0)


def off(policy: OnFailure) -> Switch:
    switch = Switch(policy)
    switch.switch_off("killed")
    return switch


@pytest.mark.parametrize("policy", OnFailure)
def test_switch_that_is_on_closes_nothing(policy: OnFailure) -> None:
    switch = Switch(policy)
    assert (switch.state({A: LONG}), switch.to_close({A: LONG})) == (SwitchState.ON, {})


def test_flatten_closes_what_is_held_and_again_what_comes_late() -> None:
    switch = off(OnFailure.FLATTEN)
    held = {A: LONG, B: SHORT}
    assert (switch.state(held), switch.to_close(held)) == (SwitchState.CLOSING, held)
    assert switch.to_close({A: LONG, B: NONE}) == {A: LONG}
    gone = {A: NONE, B: NONE}
    assert (switch.state(gone), switch.to_close(gone)) == (SwitchState.CLOSED, {})
    assert switch.state({B: SHORT}) is SwitchState.CLOSING


def test_hold_leaves_everything() -> None:
    switch = off(OnFailure.HOLD)
    assert (switch.state({A: LONG}), switch.to_close({A: LONG})) == (SwitchState.HOLDING, {})


def test_first_reason_counts() -> None:
    switch = off(OnFailure.HOLD)
    switch.switch_off("again")
    assert switch.reason == "killed"


def test_flatten_is_what_is_done_without_a_word() -> None:
    assert Switch().on_failure is OnFailure.FLATTEN
