"""The desk between two venues, with everything else real, under the faults of a seed."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from actors.simulation.seeded_faults import Profile
from tests.trading.algorithms.two_venue_orders import (
    BOOKS_DIE,
    CALM,
    DESK_DIES,
    DISK_FULL,
    TROUBLE,
    large,
)
from tests.trading.algorithms.two_venues import Outcome, TwoVenues
from trading.exchange.liquidity import Liquidity
from trading.values import OrderSide


def run(seed: int, profile: Profile, *orders: Any, **more: Any) -> Outcome:
    outcome = TwoVenues(seed, profile, *orders, **more).run()
    story = "\n".join((f"seed {seed}, {profile.name}", *outcome.problems, *outcome.story))
    assert not outcome.problems, story
    return outcome


def test_in_calm_weather_every_order_comes_to_its_end() -> None:
    outcome = run(1, CALM)
    assert outcome.fills > 25
    assert outcome.codes[0] == outcome.codes[1] == "FILLED"
    assert outcome.codes[2:] == ("CANCELED", "EXITED", "EXITED", "EXPIRED", "EXITED")
    assert len(outcome.codes) == 7, "the eighth is refused"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("profile", [TROUBLE, DESK_DIES], ids=lambda profile: profile.name)
def test_under_faults_no_parent_is_overfilled_and_all_books_agree(
    seed: int, profile: Profile
) -> None:
    outcome = run(seed, profile)
    assert outcome.crashes > 3
    assert outcome.fills > 20


@pytest.mark.parametrize("seed", range(6))
def test_when_books_and_desk_die_while_books_are_asked_for_nothing_is_planned_twice(
    seed: int,
) -> None:
    outcome = run(seed, BOOKS_DIE, large(20, OrderSide.BUY, OrderSide.SELL), ladders=ladders(seed))
    assert outcome.crashes > 3
    assert outcome.asked > 20
    assert (outcome.codes, outcome.unfilled) == (("FILLED", "FILLED"), 0)


@pytest.mark.parametrize("seed", range(3))
def test_while_the_disk_is_full_nothing_is_lost_or_doubled(seed: int) -> None:
    outcome = run(seed, DISK_FULL)
    assert outcome.fills > 20
    assert len(outcome.codes) == 7


def ladders(seed: int) -> tuple[Liquidity, Liquidity]:
    """Books of two shapes, deep enough for any slice."""
    random = np.random.default_rng([seed, 11])

    def ladder() -> Liquidity:
        depth, step = (Decimal(int(random.integers(*span))) for span in ((300, 1500), (1, 9)))
        return Liquidity(levels=30, depth=depth, step_bps=step)

    return ladder(), ladder()


@pytest.mark.parametrize("side", OrderSide)
def test_with_depth_an_order_never_costs_more_than_with_tops_alone(side: OrderSide) -> None:
    saved = []
    for seed in range(8):
        books = ladders(seed)
        deep = TwoVenues(seed, CALM, large(5, side), ladders=books).run()
        tops = TwoVenues(seed, CALM, large(5, side), book_wait_ns=0, ladders=books).run()
        assert (deep.asked, tops.asked) == (10, 0), "two books for each of five slices"
        for outcome in (deep, tops):
            assert (outcome.problems, outcome.codes, outcome.unfilled) == ((), ("FILLED",), 0)
        assert deep.paid <= tops.paid, f"seed {seed}"
        saved.append(tops.paid - deep.paid)
    assert sum(amount > 0 for amount in saved) >= 6, "every slice is larger than the tops"


def test_a_seed_gives_the_same_run_to_the_last_hash() -> None:
    assert TwoVenues(5, TROUBLE).run() == TwoVenues(5, TROUBLE).run()
