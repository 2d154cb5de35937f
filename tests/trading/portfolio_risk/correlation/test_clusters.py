import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.clusters import (
    clusters_of,
    correlation_distance,
    mean_silhouette,
)
from trading.portfolio_risk.correlation.sample import sample_correlation


def letters(count: int) -> tuple[str, ...]:
    return tuple(f"A{number}" for number in range(count))


def planted(seed: int, groups: int, each: int) -> tuple[FloatArray, FloatArray]:
    """Correlation of shuffled assets, and the group of each."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(groups), each))
    common = rng.normal(size=(500, groups))
    returns = 0.01 * (common[:, group] + 0.6 * rng.normal(size=(500, len(group))))
    return sample_correlation(np.maximum(returns, -1.0), letters(len(group))), group


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), groups=st.integers(2, 5), each=st.integers(2, 5))
def test_planted_groups_are_found(seed: int, groups: int, each: int) -> None:
    correlation, group = planted(seed, groups, each)
    found = clusters_of(correlation, letters(len(group)))
    assert len(set(found.labels.tolist())) == groups
    pairs = set(zip(found.labels.tolist(), group.tolist(), strict=True))
    assert len(pairs) == groups  # one name for each group
    blocks = group[found.order]
    assert int((np.diff(blocks) != 0).sum()) == groups - 1  # the heat map shows whole blocks


def test_groups_are_named_in_the_order_of_the_heat_map() -> None:
    correlation, _ = planted(0, 3, 4)
    found = clusters_of(correlation, letters(12))
    assert (np.diff(found.labels[found.order]) >= 0).all()
    assert sorted(found.order.tolist()) == list(range(12))
    members = found.members(letters(12))
    assert [len(group) for group in members] == [4, 4, 4]
    assert members[0][0] == f"A{found.order[0]}"


def test_no_turn_of_a_branch_brings_neighbours_nearer() -> None:
    """All orders of the tree, by turning each of its five branches or not."""
    for seed in range(20):
        correlation, _ = planted(seed, 2, 3)
        found = clusters_of(correlation, letters(6))
        distance = correlation_distance(correlation)
        leaves: dict[int, list[list[int]]] = {leaf: [[leaf]] for leaf in range(6)}
        for step, (left, right, *_) in enumerate(found.tree.astype(int).tolist()):
            pairs = [(a, b) for a in leaves[left] for b in leaves[right]]
            leaves[6 + step] = [a + b for a, b in pairs] + [b + a for a, b in pairs]
        length = [float(distance[order[:-1], order[1:]].sum()) for order in leaves[10]]
        assert len(length) == 32
        assert float(distance[found.order[:-1], found.order[1:]].sum()) == pytest.approx(
            min(length)
        )


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_asked_number_of_groups_is_made(count: int) -> None:
    correlation, _ = planted(1, 2, 3)
    found = clusters_of(correlation, letters(6), count)
    assert set(found.labels.tolist()) == set(range(count))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), groups=st.integers(2, 6))
def test_silhouette_is_that_of_scikit_learn(seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    correlation, _ = planted(seed, 3, 3)
    labels = np.concatenate([np.arange(groups), rng.integers(0, groups, 9 - groups)])
    distance = correlation_distance(correlation)
    expected = silhouette_score(distance, labels, metric="precomputed")
    assert mean_silhouette(distance, labels) == pytest.approx(expected)


def test_distances_by_hand() -> None:
    correlation = np.array([[1.0, -1.0, 0.5], [-1.0, 1.0, -0.5], [0.5, -0.5, 1.0]])
    expected = [[0.0, 1.0, 0.5], [1.0, 0.0, np.sqrt(0.75)], [0.5, np.sqrt(0.75), 0.0]]
    assert correlation_distance(correlation) == pytest.approx(np.array(expected))


def test_one_or_two_assets_are_one_group() -> None:
    assert clusters_of(np.eye(1), ("A",)).members(("A",)) == (("A",),)
    assert clusters_of(np.eye(2), ("A", "B")).labels.tolist() == [0, 0]


def test_copies_are_one_group() -> None:
    correlation = np.kron(np.eye(2), np.ones((2, 2)))
    assert clusters_of(correlation, letters(4)).labels.tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])


def test_unfit_input_is_refused() -> None:
    with pytest.raises(UsageError, match="number of groups is 4, must be between 1 and 3"):
        clusters_of(np.eye(3), ("A", "B", "C"), 4)
    with pytest.raises(DataError, match="shape"):
        clusters_of(np.eye(3), ("A", "B"))
