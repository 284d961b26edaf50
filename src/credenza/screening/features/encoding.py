"""Rows of any kind as points, in an order that does not depend on the rows' own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy import special

from credenza.core.types import Role
from credenza.screening.features.embedding import principal, vector_codes, vectors_of
from credenza.screening.features.image import coarse, content_hash, images_of
from credenza.screening.features.label import classes_of
from credenza.screening.features.table import (
    by_value,
    columns_of,
    content_of,
    mix,
    numbers,
    one_hot,
    row_hash,
    source_codes,
)
from credenza.screening.features.text import hashed_bag, tokens
from credenza.screening.view import NotApplicableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Floats, Ints, View

IMAGE_CELLS = 16
KNOWN_ROLES = (Role.EMBEDDING, Role.NUMBER, Role.CATEGORY, Role.TEXT, Role.IMAGE)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The rows of a view as points, sorted by content.

    Attributes:
        matrix: ``(n, d)`` float32, each column of the view with total variance 1.
        order: ``(n,)`` position in the view of each point.
        classes: ``(n,)`` label code of each point, -1 where missing; zeros without a label.
        source: ``(n,)`` source code of each point.
        content: ``(n,)`` hash of each point's content, rising: copies share it.
    """

    matrix: Floats
    order: Ints
    classes: Ints
    source: Ints
    content: Ints

    def in_rows(self, values: Floats) -> Floats:
        """Values of the points, in the order of the view's rows."""
        found = np.empty(len(values), dtype=np.float64)
        found[self.order] = values
        return found

    def by_class(self, fewest: int) -> Iterator[Ints]:
        """Positions of the points of each class with at least ``fewest`` points."""
        for value in np.unique(self.classes):
            mine = np.flatnonzero(self.classes == value)
            if len(mine) >= fewest:
                yield mine

    def folds(self, count: int) -> Ints:
        """``(n,)`` fold of each point: sources stay whole, and copies when there are no sources."""
        return (self.source if len(np.unique(self.source)) >= 3 else self.content) % count

    def leading(self, dimensions: int) -> Floats:
        """``(n, <= dimensions)`` coordinates along the principal components."""
        return principal(self.matrix, dimensions)


def points_of(view: View, roles: tuple[Role, ...] = KNOWN_ROLES) -> Points:
    """Points of the embedding columns, or of everything else when there is none.

    Numbers become normal scores of their ranks, categories indicators of their frequent
    values, texts hashed bags of words, pictures coarse grids; so distances mean
    something in data of any units. Blind to what these leave out: word order, rare
    values' names, fine patterns; bring an embedding (``features.embedding``) for them.

    Args:
        view: any view.
        roles: columns to read.

    Returns:
        The points. Ties of content are broken by label and source only, so whatever is
        computed from the points in their order follows the rows wherever they stand.

    Raises:
        NotApplicableError: there is nothing to make points of.
    """
    if not view.table.num_rows or not columns_of(view, *roles):
        raise NotApplicableError("there is no column to compare rows by")
    classes, source, content = classes_of(view), source_codes(view)[0], _content(view, roles)
    order = np.lexsort((source, classes, content))
    # Taken in this order first: sums over rows round the same wherever the rows stood.
    view = replace(view, table=view.table.take(pa.array(order)), trusted=view.trusted[order])
    has_vectors = Role.EMBEDDING in roles and columns_of(view, Role.EMBEDDING)
    read = (Role.EMBEDDING,) if has_vectors else roles
    blocks = [_scaled(block) for role in read for block in _READERS[role](view)]
    blocks = [block for block in blocks if block.shape[1]]
    if not blocks:
        raise NotApplicableError("there is no column that tells rows apart")
    return Points(np.hstack(blocks), order, classes[order], source[order], content[order])


def _content(view: View, roles: tuple[Role, ...]) -> Ints:
    parts = content_of(view)
    if Role.EMBEDDING in roles:
        parts += [vector_codes(vectors_of(view, c)) for c in columns_of(view, Role.EMBEDDING)]
    if Role.IMAGE in roles and columns_of(view, Role.IMAGE):
        parts += [content_hash(images) for images in images_of(view)]
    return mix(row_hash(parts, view.table.num_rows), 41)


def _scaled(block: Floats) -> Floats:
    """Total variance 1; columns that never vary are left out."""
    block = np.asarray(block, dtype=np.float32)
    spread = block.var(axis=0, dtype=np.float64)
    kept = spread > 1e-12
    return block[:, kept] / np.float32(np.sqrt(max(spread[kept].sum(), 1e-12)))


def _vectors(view: View) -> Iterator[Floats]:
    for column in columns_of(view, Role.EMBEDDING):
        yield vectors_of(view, column)


def _numbers(view: View) -> Iterator[Floats]:
    for column in columns_of(view, Role.NUMBER):
        yield _normal_scores(numbers(view, column))[:, None]


def _normal_scores(values: Floats) -> Floats:
    """Normal quantile of each value's middle rank; 0, the middle, where it is missing."""
    missing = np.isnan(values)
    known = np.sort(values[~missing])
    at = np.searchsorted(known, values, side="left") + np.searchsorted(known, values, side="right")
    return np.where(missing, 0.0, special.ndtri((at + 1.0) / (2.0 * len(known) + 2.0)))


def _categories(view: View) -> Iterator[Floats]:
    for column in columns_of(view, Role.CATEGORY):
        yield one_hot([by_value(view, column)]).toarray()


def _texts(view: View) -> Iterator[Floats]:
    for column in columns_of(view, Role.TEXT):
        yield hashed_bag(tokens(view, column)).toarray()


def _images(view: View) -> Iterator[Any]:
    if columns_of(view, Role.IMAGE):
        for images in images_of(view):
            yield coarse(images, IMAGE_CELLS)


_READERS: dict[Role, Any] = {
    Role.EMBEDDING: _vectors,
    Role.NUMBER: _numbers,
    Role.CATEGORY: _categories,
    Role.TEXT: _texts,
    Role.IMAGE: _images,
}
