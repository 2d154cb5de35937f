"""The desk between two venues, with everything else real, under the faults of a seed."""

import pytest

from actors.simulation.seeded_faults import Profile
from tests.trading.algorithms.two_venues import (
    CALM,
    DESK_DIES,
    DISK_FULL,
    TROUBLE,
    Outcome,
    TwoVenues,
)


def run(seed: int, profile: Profile) -> Outcome:
    outcome = TwoVenues(seed, profile).run()
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


@pytest.mark.parametrize("seed", range(3))
def test_while_the_disk_is_full_nothing_is_lost_or_doubled(seed: int) -> None:
    outcome = run(seed, DISK_FULL)
    assert outcome.fills > 20
    assert len(outcome.codes) == 7


def test_a_seed_gives_the_same_run_to_the_last_hash() -> None:
    assert TwoVenues(5, TROUBLE).run() == TwoVenues(5, TROUBLE).run()
