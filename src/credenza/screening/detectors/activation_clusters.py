"""Classes that fall into two, of which one part belongs to another class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.embedding import principal
from credenza.screening.features.encoding import points_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.encoding import Points

FEWEST = 50
DIMENSIONS = 10
LARGEST_SHARE = 0.35
SEED = 0


@dataclass(frozen=True, slots=True)
class ActivationClusters:
    """How guilty the smaller of two clusters of a class looks, for the rows in it.

    Relabelled rows of one class stand apart from the honest ones in a model's
    activations. Splitting every class in two always finds a smaller part, so the part is
    judged by *size* (up to 35 % of the class) and by *exclusion*: a linear model fitted
    without it is asked to which class its rows belong; a share of other classes is what
    relabelled rows show and a class's own varieties do not. Bring activations as an
    embedding for it to work. Blind to clean-label poison, to triggers that the features
    do not see, and to more than a third of a class.

    Complexity:
        O(n · d²) a class for the components, and a ridge fit a class.

    Source:
        Chen et al., arXiv:1811.03728, with the relative size and exclusionary
        reclassification of its section 4 as one score; principal instead of independent
        components.
    """

    @property
    def name(self) -> str:
        """The detector's name."""
        return "activation-clusters"

    @property
    def needs(self) -> frozenset[Role]:
        """A label."""
        return frozenset({Role.LABEL})

    def score(self, view: View) -> Scores:
        """Share of a row's cluster that belongs elsewhere, and its margin; 0 outside clusters."""
        points = points_of(view)
        matrix = points.leading(64)
        values = np.zeros(len(matrix))
        for mine, inside in self._clusters(points):
            values[mine[inside]] = _exclusion(matrix, points.classes, mine[inside])
        return Scores(points.in_rows(values))

    def _clusters(self, points: Points) -> Iterator[tuple[Ints, Ints]]:
        """Each class with several others, and the positions of its smaller cluster."""
        from sklearn.cluster import KMeans  # noqa: PLC0415 - heavy

        classes = [mine for mine in points.by_class(FEWEST) if points.classes[mine[0]] >= 0]
        for mine in classes if len(classes) > 1 else []:
            components = principal(points.matrix[mine], DIMENSIONS)
            part = KMeans(2, n_init=4, random_state=SEED).fit(components).labels_
            smaller = np.flatnonzero(part == (part.mean() <= 0.5))
            if 0 < len(smaller) <= LARGEST_SHARE * len(mine):
                yield mine, smaller


def _exclusion(matrix: Floats, classes: Ints, cluster: Ints) -> Floats:
    """Share of the cluster that a model of all other rows calls another class, and by how much."""
    rest = np.ones(len(matrix), dtype=bool)
    rest[cluster] = False
    rest &= classes >= 0
    names = np.unique(classes[rest])
    target = (classes[rest][:, None] == names[None, :]).astype(np.float64)
    design = np.hstack([np.ones((len(matrix), 1)), matrix]).astype(np.float64)
    gram = design[rest].T @ design[rest]
    gram += 1e-3 * np.trace(gram) / len(gram) * np.eye(len(gram))
    fitted = design[cluster] @ np.linalg.solve(gram, design[rest].T @ target)
    own = names == classes[cluster[0]]
    margin = fitted[:, ~own].max(axis=1) - fitted[:, own].max(axis=1, initial=-1.0)
    # The cluster speaks first; rows within it are ordered by their own margin.
    return np.asarray((margin > 0).mean() + 0.1 * np.clip(margin, -1.0, 1.0) + 0.1)
