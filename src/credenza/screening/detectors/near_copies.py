"""Crowds of nearly equal vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.detectors.duplicates import group_surprise
from credenza.screening.features.encoding import points_of
from credenza.screening.features.neighbours import nearest
from credenza.screening.features.table import columns_of
from credenza.screening.fuse import reject_log_p

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.neighbours import Neighbours

DIMENSIONS = 64
NEIGHBOURS = 8
FEWEST = 50
QUIET = 0.1
QUIET_Z = 1.2816
CLOSE_Z = 6.0


@dataclass(frozen=True, slots=True)
class NearCopies:
    """Groups of vectors much closer to each other than this data's vectors are.

    A payload sent in many variations, or one picture under many crops, is a knot in the
    embedding. Rows are linked when the logarithm of their distance lies six spreads below
    the usual distance to a nearest neighbour; linked rows are groups, and a group counts
    when it is larger than the tail of this data's own group sizes foretells and more
    frequent than among trusted rows, as for ``duplicates``. Data that is full of near
    copies by nature sets its own spread and sizes. Blind to knots of fewer than four
    rows, to variations as wide as the data itself, and to floods of thousands of knots.

    Attributes:
        fdr: expected share of false groups among those named.
        max_findings: groups named; the scores know them all.

    Complexity:
        One neighbour graph (``features.neighbours``) and its components.

    Source:
        The sizes' tail is that of ``duplicates``; the linking distance is ours.
    """

    fdr: float = 0.01
    max_findings: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "near-copies"

    @property
    def needs(self) -> frozenset[Role]:
        """An embedding."""
        return frozenset({Role.EMBEDDING})

    def score(self, view: View) -> Scores:
        """-log10 p of the group that a row belongs to, 0 elsewhere."""
        points = points_of(view, (Role.EMBEDDING,))
        n = len(points.matrix)
        values = np.zeros(n)
        if n < FEWEST:
            return Scores(values)
        knots = knots_of(nearest(points.leading(DIMENSIONS), NEIGHBOURS))
        key = np.empty(n, dtype=np.int64)
        key[points.order] = knots
        large, log_p, groups = group_surprise(key[~view.trusted], key[view.trusted])
        findings = []
        guilty = np.flatnonzero(reject_log_p(log_p, self.fdr, groups))
        for g in guilty[np.argsort(log_p[guilty], kind="stable")]:
            rows = np.flatnonzero(key == large[g])
            values[rows] = -log_p[g] / np.log(10)
            findings.append(self._finding(view, rows, float(log_p[g])))
        return Scores(values, tuple(findings[: self.max_findings]), is_evidence=True)

    def _finding(self, view: View, rows: Ints, log_p: float) -> Finding:
        here = rows[~view.trusted[rows]]
        sources = sorted({str(s) for s in view.source[here]})
        columns = columns_of(view, Role.EMBEDDING)
        exhibits: dict[str, object] = {
            "columns": list(columns),
            "copies": len(here),
            "trusted_copies": len(rows) - len(here),
            "trusted_rows": int(view.trusted.sum()),
            "sources": sources,
            "first_row": int(here[0]),
        }
        named = ", ".join(quote(s) for s in sources[:3])
        sentence = (
            f"{len(here)} rows are nearly the same vector in "
            f"{' and '.join(tick(c) for c in columns)} as row {here[0]}; "
            f"{len(sources)} source{'s' if len(sources) != 1 else ''} ({named}); "
            f"{exhibits['trusted_copies']} of {exhibits['trusted_rows']} trusted rows are"
        )
        p_value = float(max(np.exp(log_p), 1e-300))
        return Finding(
            self.name,
            Unit.GROUP,
            tuple(sources),
            p_value,
            sentence,
            exhibits,
            tuple(here.tolist()),
            names_rows=True,
        )


def knots_of(graph: Neighbours) -> Ints:
    """``(n,)`` number of each row's group of linked rows.

    The spread is that of the lower half of the nearest distances, so that up to a tenth
    of the rows may sit in knots without hiding one another.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 - heavy
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 - heavy

    n = len(graph.index)
    logs: Floats = np.log(np.maximum(graph.distance, 1e-12))
    middle, low = np.quantile(logs[:, 0], [0.5, QUIET])
    limit = middle - CLOSE_Z * max((middle - low) / QUIET_Z, 0.05)
    row, place = np.nonzero(logs <= limit)
    links = coo_array((np.ones(len(row)), (row, graph.index[row, place])), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)
