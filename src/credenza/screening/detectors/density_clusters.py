"""Small clusters and stray rows, by the radius at which they join the mass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.encoding import points_of
from credenza.screening.features.neighbours import nearest

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.neighbours import Neighbours

DIMENSIONS = 64
FEWEST = 50


@dataclass(frozen=True, slots=True)
class DensityClusters:
    """The DBSCAN radius at which a row first belongs to a cluster of the mass.

    DBSCAN at every radius at once, which is HDBSCAN's hierarchy: a tight cluster of
    poison stays a small cluster of its own up to a radius at which the data around it
    has long become one, and stray rows stay noise as long. No radius has to be
    chosen. Works within each class when there are labels, and compares a row with the
    median of its class. Blind to poison inside a class's mass, and to clusters larger
    than ``mass``.

    Attributes:
        neighbours: rows within the radius that make a row a core row.
        mass: share of a class that counts as its mass.

    Complexity:
        One neighbour graph a class, its spanning tree, and O(n log n).

    Source:
        Ester et al. 1996; Campello et al. 2013 (mutual reachability and its hierarchy).
    """

    neighbours: int = 10
    mass: float = 0.1

    @property
    def name(self) -> str:
        """The detector's name."""
        return "density-clusters"

    @property
    def needs(self) -> frozenset[Role]:
        """An embedding."""
        return frozenset({Role.EMBEDDING})

    def score(self, view: View) -> Scores:
        """Log of the radius over the class's median; 0 for classes of fewer than 50 rows."""
        points = points_of(view, (Role.EMBEDDING,))
        matrix = points.leading(DIMENSIONS)
        values = np.zeros(len(matrix))
        for mine in points.by_class(FEWEST):
            graph = nearest(matrix[mine], self.neighbours)
            radius = joining_radius(graph, max(2, int(self.mass * len(mine))))
            # Copies are at distance 0; a thousandth of the largest keeps logarithms finite.
            radius = np.maximum(radius, max(1e-3 * float(radius.max()), 1e-12))
            values[mine] = np.log(radius / np.median(radius))
        return Scores(points.in_rows(values))


def joining_radius(graph: Neighbours, mass: int) -> Floats:
    """``(n,)`` mutual-reachability distance at which each row is in a cluster of ``mass`` rows.

    Rows that the graph does not connect to so many get twice the largest distance in it.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 - heavy
    from scipy.sparse.csgraph import minimum_spanning_tree  # noqa: PLC0415 - heavy

    n, k = graph.index.shape
    core = graph.distance[:, -1]
    reach = np.maximum(np.maximum(graph.distance, core[:, None]), core[graph.index])
    # Zero would be read as no edge; summed twin edges would change the weight.
    row = np.repeat(np.arange(n), k)
    low, high = np.minimum(row, graph.index.ravel()), np.maximum(row, graph.index.ravel())
    _, first = np.unique(low * n + high, return_index=True)
    weight = np.maximum(reach.ravel()[first], 1e-12)
    tree = minimum_spanning_tree(coo_array((weight, (low[first], high[first])), shape=(n, n)))
    edges = tree.tocoo()
    order = np.argsort(edges.data, kind="stable")
    ends = np.stack([edges.row[order], edges.col[order]], axis=1).astype(np.int64)
    return _first_mass(ends, edges.data[order], n, mass)


def _first_mass(ends: Ints, height: Floats, n: int, mass: int) -> Floats:
    """Merge along a spanning tree; the height at which each leaf's cluster reaches ``mass``."""
    parent, size = list(range(2 * n)), [1] * n + [0] * n

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    above = [-1] * (2 * n)
    for made, (left, right) in enumerate(ends.tolist(), start=n):
        a, b = root(left), root(right)
        parent[a] = parent[b] = above[a] = above[b] = made
        size[made] = size[a] + size[b]
    joins = [2.0 * float(height[-1]) if len(height) else 0.0] * (2 * n)
    # Parents have higher numbers, so they are settled before their children.
    for node in range(n + len(ends) - 1, -1, -1):
        over = above[node]
        if over >= 0:
            joins[node] = float(height[over - n]) if size[over] >= mass else joins[over]
    return np.array(joins[:n])
