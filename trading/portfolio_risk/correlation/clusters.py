"""Groups of assets that move together, and the order in which a heat map shows them as blocks.

Sources: Mantegna (1999), "Hierarchical Structure in Financial Markets", European Physical Journal B 11 (the
distance); Rousseeuw (1987), "Silhouettes", Journal of Computational and Applied Mathematics 20
(the number of groups).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import UsageError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.leaf_order import leaf_order
from trading.portfolio_risk.correlation.sample import require_correlation


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Groups of assets.

    Attributes
    ----------
    labels : (asset,)
        Group of each asset, 0 for the first in `order`.
    order : (asset,)
        Columns, so that neighbours are as alike as the tree allows (quasi-diagonal).
    tree : (asset - 1, 4)
        Merges, as `scipy.cluster.hierarchy` writes them; empty for one asset.
    """

    labels: IntArray
    order: IntArray
    tree: FloatArray

    def members(self, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Return the names of each group, in the order of the heat map."""
        count = int(self.labels.max()) + 1
        return tuple(
            tuple(names[column] for column in self.order if self.labels[column] == label)
            for label in range(count)
        )


def clusters_of(
    correlation: FloatArray, names: Sequence[str], count: int | None = None
) -> Clusters:
    """Return groups by average linkage of the distance sqrt((1 - correlation) / 2).

    Parameters
    ----------
    correlation : (asset, asset)
    count : int or None
        Groups, 1 to assets; None takes the number, 2 to assets - 1, with the best mean silhouette. It always finds
        groups, also where there are none.

    Raises
    ------
    DataError
        If the correlation is not one.
    UsageError
        If `count` is out of range.
    """
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import squareform

    require_correlation(correlation, names)
    size = len(names)
    if count is not None and not 1 <= count <= size:
        raise UsageError(f"the number of groups is {count}, must be between 1 and {size}.")
    if size == 1:
        return Clusters(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros((0, 4)))
    distance = correlation_distance(correlation)
    tree = linkage(squareform(distance, checks=False), method="average")
    order = leaf_order(tree, distance)
    cuts = np.asarray(cut_tree(tree), dtype=np.int64)
    chosen = count or _best_count(distance, cuts)
    return Clusters(_by_appearance(cuts[:, size - chosen], order), order, tree)


def correlation_distance(correlation: FloatArray) -> FloatArray:
    """Return sqrt((1 - correlation) / 2): 0 for assets that move as one, 1 for opposites."""
    distance: FloatArray = np.sqrt(np.clip((1.0 - correlation) / 2.0, 0.0, 1.0))
    np.fill_diagonal(distance, 0.0)
    return distance


def mean_silhouette(distance: FloatArray, labels: IntArray) -> float:
    """Return how much nearer assets are to their own group than to the next one: -1 to 1, 0 for groups of one."""
    own = labels[:, None] == np.arange(labels.max() + 1)
    sizes = own.sum(axis=0)
    total = distance @ own
    inside = total[own] / np.maximum(sizes[labels] - 1, 1)
    beside = np.where(own, np.inf, total / sizes).min(axis=1)
    larger = np.maximum(inside, beside)
    score = np.where(larger > 0.0, (beside - inside) / np.where(larger > 0.0, larger, 1.0), 0.0)
    return float(np.where(sizes[labels] == 1, 0.0, score).mean())


def _best_count(distance: FloatArray, cuts: IntArray) -> int:
    """`cuts` (asset, asset): column k holds the groups after k merges."""
    size = len(distance)
    if size == 2:
        return 1
    scores = [mean_silhouette(distance, cuts[:, size - count]) for count in range(2, size)]
    return 2 + int(np.argmax(scores))


def _by_appearance(labels: IntArray, order: IntArray) -> IntArray:
    _, first, inverse = np.unique(labels[order], return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    renamed = np.empty_like(labels)
    renamed[order] = rank[inverse]
    return renamed
