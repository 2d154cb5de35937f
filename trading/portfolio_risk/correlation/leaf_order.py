"""The order of the leaves of a tree in which neighbours are as near to each other as its branches allow.

Source: Bar-Joseph, Gifford and Jaakkola (2001), "Fast Optimal Leaf Ordering for Hierarchical Clustering",
Bioinformatics 17. SciPy 1.17 has it too, but misses the best order in about half of small trees.
"""

import numpy as np

from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray


def leaf_order(tree: FloatArray, distance: FloatArray) -> IntArray:
    """Return the leaves (leaf,) in the order with the least sum of distances between neighbours.

    Parameters
    ----------
    tree : (leaf - 1, 4)
        Merges, as `scipy.cluster.hierarchy.linkage` writes them.
    distance : (leaf, leaf)
    """
    children = tree[:, :2].astype(np.int64).tolist()
    leaves, lengths = _shortest(children, distance)
    top = len(leaves) - 1
    first, last = divmod(int(lengths[top].argmin()), len(leaves[top]))
    ends = [(top, int(leaves[top][first]), int(leaves[top][last]))]
    order: list[int] = []
    while ends:
        node, start, stop = ends.pop()
        if len(leaves[node]) == 1:
            order.append(start)
            continue
        left, right = children[node - len(distance)]
        if start not in leaves[left]:
            left, right = right, left
        before = lengths[left][_row(leaves[left], start)]
        after = lengths[right][:, _row(leaves[right], stop)]
        gap = distance[np.ix_(leaves[left], leaves[right])]
        across = before[:, None] + gap + after
        inner, outer = divmod(int(across.argmin()), len(leaves[right]))
        ends.append((right, int(leaves[right][outer]), stop))
        ends.append((left, start, int(leaves[left][inner])))
    return np.array(order, dtype=np.int64)


def _shortest(
    children: list[list[int]], distance: FloatArray
) -> tuple[list[IntArray], list[FloatArray]]:
    """Of each node: its leaves, and the least length of an order of them from one leaf to another (or infinity)."""
    leaves = [np.array([leaf], dtype=np.int64) for leaf in range(len(distance))]
    lengths = [np.zeros((1, 1)) for _ in range(len(distance))]
    for left, right in children:
        gap = distance[np.ix_(leaves[left], leaves[right])]
        half = _least_sums(lengths[left], gap)
        both = _least_sums(half, lengths[right])
        size = len(leaves[left])
        whole = np.full((size + len(leaves[right]),) * 2, np.inf)
        whole[:size, size:], whole[size:, :size] = both, both.T
        leaves.append(np.concatenate([leaves[left], leaves[right]]))
        lengths.append(whole)
    return leaves, lengths


def _least_sums(first: FloatArray, second: FloatArray) -> FloatArray:
    """Like a matrix product, with sums for products and the least for the sum."""
    least: FloatArray = np.array([(row[:, None] + second).min(axis=0) for row in first])
    return least


def _row(leaves: IntArray, leaf: int) -> int:
    return int(np.flatnonzero(leaves == leaf)[0])
