"""Risk and the cluster itself, as a snapshot shows them."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from serve.desk.accounts import UNKNOWN
from serve.desk.answers import LimitUse
from serve.desk.portfolio import portfolio_of
from serve.desk.standing import cluster_of, risk_of
from serve.desk.view import ClusterSnapshot
from tests.serve.simulated_desk import SimulatedDesk


def test_risk_shows_what_the_running_manager_measures(one: ClusterSnapshot) -> None:
    standing = risk_of(one)
    risk: Any = one.machines["risk:SIM"]
    shown = {use.name: use for use in standing.limits}
    assert shown.keys() == risk["limits"].keys()
    exposure = shown["max_total_exposure"]
    assert exposure.used == risk["limits"]["max_total_exposure"]["used"]
    assert exposure.left == 150_000 - (exposure.used or 0)
    assert exposure.account == "SIM"
    assert (standing.state, standing.kill_switch) == ("ACTIVE", "")
    assert standing.denials["RISK_MAX_SHARES"] == 1
    assert standing.daily_loss == risk["limits"]["max_daily_loss"]["used"]


def test_limits_that_are_given_take_their_place(
    one: ClusterSnapshot, traded: SimulatedDesk
) -> None:
    limits = traded.limits()
    assert risk_of(one, limits).limits == limits
    assert len(limits) > len(risk_of(one).limits)
    assert all(isinstance(each, LimitUse) for each in limits)


def test_a_risk_manager_that_is_down_is_told_as_such(down: ClusterSnapshot) -> None:
    standing = risk_of(down)
    assert (standing.state, standing.reason) == ("UNKNOWN", "the risk manager is down")
    assert (standing.daily_loss, standing.limits) == (None, [])


def test_a_cluster_shows_how_far_it_is_and_who_works_in_it(one: ClusterSnapshot) -> None:
    standing = cluster_of(one)
    assert (standing.slice, standing.slices) == (one.sequence, one.last)
    assert standing.venues == []
    hosted = {name for actor in standing.actors for name in actor.machines}
    assert hosted == set(one.machines)
    assert all(actor.is_alive for actor in standing.actors)


def test_a_real_venue_shows_how_we_stand_there(two: ClusterSnapshot) -> None:
    (venue,) = cluster_of(two).venues
    assert (venue.account, venue.venue) == ("TWO", "alpaca")
    assert (venue.is_connected, venue.is_ready, venue.reason) == (True, False, "cash")
    refused = msgspec.structs.replace(two.linked[0].venue, refusal="wrong key")
    linked = msgspec.structs.replace(two.linked[0], venue=refused)
    (state,) = cluster_of(msgspec.structs.replace(two, linked=(linked,))).venues
    assert state.reason == "wrong key"


@pytest.mark.parametrize(
    ("first", "second", "shown", "who"),
    [
        ("ACTIVE", "HALTED", "HALTED", "TWO"),
        ("REDUCING", "ACTIVE", "REDUCING", "SIM"),
        ("HALTED", "REDUCING", "HALTED", "SIM"),
        ("ACTIVE", None, UNKNOWN, "TWO"),
        (None, "HALTED", UNKNOWN, "SIM"),
    ],
)
def test_the_trading_state_is_that_of_the_account_that_may_trade_least(
    two: ClusterSnapshot, first: str | None, second: str | None, shown: str, who: str
) -> None:
    seen = with_states(two, first, second)
    assert portfolio_of(seen).trading_state == shown
    standing = risk_of(seen)
    why = "the risk manager is down" if shown == UNKNOWN else f"because {shown}"
    assert (standing.state, standing.reason) == (shown, f"{who}: {why}")


def test_refusals_of_all_accounts_are_counted(two: ClusterSnapshot) -> None:
    own, both = risk_of(msgspec.structs.replace(two, linked=())), risk_of(two)
    assert both.denials == {code: 2 * count for code, count in own.denials.items()}
    assert own.denials


def test_a_limit_shows_the_account_that_has_the_least_left_of_it(two: ClusterSnapshot) -> None:
    both = {use.name: use for use in risk_of(with_losses(two, "10", "400")).limits}
    assert (both["max_daily_loss"].account, both["max_daily_loss"].used) == ("TWO", 400)
    assert risk_of(with_losses(two, "10", "400")).daily_loss == 400
    other = risk_of(with_losses(two, "400", "10"))
    assert {use.name: use.account for use in other.limits}["max_daily_loss"] == "SIM"
    assert other.daily_loss == 400


def test_of_two_accounts_without_anything_left_the_larger_use_is_shown(
    two: ClusterSnapshot,
) -> None:
    worse = {use.name: use for use in risk_of(with_losses(two, "9000", "9500")).limits}
    assert (worse["max_daily_loss"].account, worse["max_daily_loss"].left) == ("TWO", 0)


def test_a_first_account_that_is_down_does_not_hide_the_limits_of_the_second(
    two: ClusterSnapshot,
) -> None:
    shown = risk_of(with_states(two, None, "ACTIVE"))
    assert {use.account for use in shown.limits} == {"TWO"}
    assert shown.daily_loss is not None


def with_losses(two: ClusterSnapshot, first: str, second: str) -> ClusterSnapshot:
    """Return the cluster with these losses of the day, of at most 500."""

    def machines(known: Any, name: str, used: str) -> Any:
        limit, loss = Decimal(500), Decimal(used)
        row = {"limit": limit, "used": loss, "left": max(limit - loss, Decimal(0))}
        risk = {**known[name], "limits": {**known[name]["limits"], "max_daily_loss": row}}
        return {**known, name: risk}

    linked = msgspec.structs.replace(
        two.linked[0], machines=machines(two.linked[0].machines, "risk:TWO", second)
    )
    return msgspec.structs.replace(
        two, machines=machines(two.machines, "risk:SIM", first), linked=(linked,)
    )


def with_states(two: ClusterSnapshot, first: str | None, second: str | None) -> ClusterSnapshot:
    """Return the cluster with these trading states; None is a risk manager that is down."""

    def machines(known: Any, name: str, state: str | None) -> Any:
        others = {key: view for key, view in known.items() if key != name}
        if state is None:
            return others
        return {**others, name: {**known[name], "state": state, "reason": f"because {state}"}}

    linked = msgspec.structs.replace(
        two.linked[0], machines=machines(two.linked[0].machines, "risk:TWO", second)
    )
    return msgspec.structs.replace(
        two, machines=machines(two.machines, "risk:SIM", first), linked=(linked,)
    )
