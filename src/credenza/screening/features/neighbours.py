"""One nearest-neighbour graph for everybody: exact while small, by cells above that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints

EXACT_ROWS = 20_000
CELL_ROWS = 1_000
PROBES = 4
CENTRE_ROWS = 50_000
ROUNDS = 4
BLOCK_PAIRS = 2**23


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The ``k`` nearest other rows of each row, nearest first.

    Attributes:
        index: ``(n, k)`` positions.
        distance: ``(n, k)`` Euclidean distances.
    """

    index: Ints
    distance: Floats


def nearest(points: Floats, k: int, *, exact_rows: int = EXACT_ROWS) -> Neighbours:
    """The Euclidean neighbour graph of ``points``.

    Up to ``exact_rows`` every pair is compared. Above, rows are dealt to cells of about
    1,000 around k-means centres, and a row is compared with those of the four cells
    nearest to its own: the cost grows with n, and the neighbours missed sit across a
    border of cells. Blind there to a pair of close rows far from both centres; on
    clustered data nearly all neighbours are found, on shapeless noise in many
    dimensions about half.

    Args:
        points: ``(n, d)`` finite; their order should be canonical, since ties and centres
            depend on it.
        k: neighbours asked for; fewer when there are not as many other rows.
        exact_rows: rows up to which the graph is exact.

    Complexity:
        O(n² d) up to ``exact_rows``; O(n · 4,000 · d) above, and n² d / 1,000 for the cells.

    Source:
        Inverted file as in Jégou et al. 2011, without quantisation.
    """
    n = len(points)
    points = np.ascontiguousarray(points, dtype=np.float32)
    k = max(min(k, n - 1), 0)
    index = np.zeros((n, k), dtype=np.int64)
    distance = np.full((n, k), np.inf)
    if k == 0:
        return Neighbours(index, distance)
    everyone = np.arange(n)
    groups = [(everyone, everyone)] if n <= exact_rows else _cells(points)
    for asking, asked in groups:
        step = max(1, BLOCK_PAIRS // len(asked))
        for start in range(0, len(asking), step):
            rows = asking[start : start + step]
            index[rows], distance[rows] = _closest(points, rows, asked, k)
    return Neighbours(index, distance)


def _closest(points: Floats, rows: Ints, asked: Ints, k: int) -> tuple[Ints, Floats]:
    there = points[asked]
    far = np.einsum("ij,ij->i", there, there)[None, :] - 2.0 * (points[rows] @ there.T)
    # A row is not its own neighbour; ``asked`` is sorted.
    at = np.minimum(np.searchsorted(asked, rows), len(asked) - 1)
    mine = np.flatnonzero(asked[at] == rows)
    far[mine, at[mine]] = np.inf
    near = np.argpartition(far, k - 1, axis=1)[:, :k]
    # Differences, not the expanded square, so that copies are at distance 0 exactly.
    exact = np.linalg.norm(points[rows][:, None, :] - there[near], axis=2).astype(np.float64)
    order = np.lexsort((near, exact), axis=1)
    return (
        np.take_along_axis(asked[near], order, axis=1),
        np.take_along_axis(exact, order, axis=1),
    )


def _cells(points: Floats) -> list[tuple[Ints, Ints]]:
    """Rows of each cell, and the sorted rows that they are compared with."""
    centres = _centres(points)
    cell = _assign(points, centres)
    apart = np.linalg.norm(centres[:, None, :] - centres[None, :, :], axis=2)
    members = [np.flatnonzero(cell == c) for c in range(len(centres))]
    found = []
    for c, mine in enumerate(members):
        near = np.argsort(apart[c], kind="stable")[:PROBES]
        if len(mine):
            found.append((mine, np.sort(np.concatenate([members[other] for other in near]))))
    return found


def _centres(points: Floats) -> Floats:
    """Lloyd's centres of a sample, every so many rows of it to begin with."""
    sample = points[:: max(1, len(points) // CENTRE_ROWS)]
    count = max(PROBES, len(points) // CELL_ROWS)
    centres = sample[:: max(1, len(sample) // count)][:count].copy()
    for _ in range(ROUNDS):
        cell = _assign(sample, centres)
        order = np.argsort(cell, kind="stable")
        present, first, size = np.unique(cell[order], return_index=True, return_counts=True)
        centres[present] = np.add.reduceat(sample[order], first, axis=0) / size[:, None]
    return centres


def _assign(points: Floats, centres: Floats) -> Ints:
    found = np.empty(len(points), dtype=np.int64)
    length = np.einsum("ij,ij->i", centres, centres)
    step = max(1, BLOCK_PAIRS // len(centres))
    for start in range(0, len(points), step):
        block = points[start : start + step]
        found[start : start + step] = np.argmin(length - 2.0 * (block @ centres.T), axis=1)
    return found
