"""Traffic is split by a hash of symbol and bar: fixed, and in the shares that were asked for."""

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.models.aliases import Aliases
from serve.forecast.split import version_for


def test_without_shares_the_champion_answers() -> None:
    assert version_for(Aliases(champion=3), "A", 1) == 3
    assert version_for(Aliases(), "A", 1) is None


@settings(deadline=None, max_examples=10)
@given(share=st.floats(0.05, 0.95))
def test_shares_are_met(share: float) -> None:
    aliases = Aliases(champion=1, weights={1: share, 2: 1.0 - share})
    chosen = [version_for(aliases, "A", as_of) for as_of in range(4_000)]
    assert abs(chosen.count(1) / 4_000 - share) < 0.04  # five deviations of a fair draw


def test_a_growing_share_moves_only_who_must_move() -> None:
    small = Aliases(champion=1, weights={1: 0.2, 2: 0.8})
    large = Aliases(champion=1, weights={1: 0.5, 2: 0.5})
    for as_of in range(500):
        if version_for(small, "A", as_of) == 1:
            assert version_for(large, "A", as_of) == 1


def test_rounding_leaves_nobody_without_a_version() -> None:
    aliases = Aliases(champion=1, weights={1: 0.1, 2: 0.2, 3: 0.7 - 1e-10})
    assert all(version_for(aliases, "A", as_of) in {1, 2, 3} for as_of in range(100))
