"""Vectors of rows: those the user brings, and the seam through which encoders come in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from credenza.core.errors import UsageError
from credenza.core.text import tick
from credenza.core.types import Role
from credenza.screening.features.table import mix

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Floats, Ints, View

BLOCK_ROWS = 8_192
LEAF_DIMENSIONS = 256


class Extractor(Protocol):
    """Turns rows into vectors: an encoder, a layer's activations, a forest's leaves.

    Anything callable will do. A torch model comes in as a function that runs it and
    returns what a forward hook saw, a sentence encoder as ``lambda t:
    model.encode(t["text"].to_pylist())``; neither has to be known here.
    """

    def __call__(self, rows: pa.Table) -> Floats:
        """``(n, d)`` numbers for ``n`` rows."""
        ...


def with_embedding(view: View, column: str, extract: Extractor) -> View:
    """The view with one more column of vectors, made by ``extract`` in blocks of rows.

    Args:
        view: any view.
        column: name of the new column.
        extract: called with at most 8,192 rows of the view's table at a time.

    Returns:
        A view whose detectors see the vectors as an embedding that the user brought.

    Raises:
        UsageError: the name is taken, or the vectors are not one finite row each.
    """
    if column in view.table.column_names:
        raise UsageError("name-taken", f"there is a column {tick(column)} already")
    n = view.table.num_rows
    blocks = [
        np.asarray(extract(view.table.slice(start, BLOCK_ROWS)), dtype=np.float32)
        for start in range(0, n, BLOCK_ROWS)
    ]
    fits = all(block.ndim == 2 for block in blocks) and len({b.shape[1] for b in blocks}) == 1
    if not fits or sum(map(len, blocks)) != n or not all(np.isfinite(b).all() for b in blocks):
        raise UsageError(
            "unfit-embedding",
            f"the extractor of {tick(column)} does not give one vector a row",
            why=f"for {n} rows it gave blocks of shapes {[b.shape for b in blocks][:3]}, "
            "or values that are not finite",
        )
    return replace(
        view,
        table=view.table.append_column(column, as_column(np.concatenate(blocks))),
        facets={**view.facets, column: Role.EMBEDDING},
    )


def leaves(apply: Callable[[pa.Table], Ints], *, dimensions: int = LEAF_DIMENSIONS) -> Extractor:
    """An extractor from the leaves that rows fall into in a forest of trees.

    Rows that a model treats alike share leaves, so poison that the model has learnt
    lies together. Each pair of tree and leaf is hashed to a signed bucket.

    Args:
        apply: ``(n, trees)`` leaf numbers of ``n`` rows: ``forest.apply`` of scikit-learn and
            XGBoost, or ``predict(..., pred_leaf=True)`` of LightGBM, on the model's features.
        dimensions: length of the vectors.

    Source:
        Feature hashing, Weinberger et al. 2009.
    """

    def extract(rows: pa.Table) -> Floats:
        leaf = np.asarray(apply(rows), dtype=np.int64)
        leaf = leaf.reshape(len(leaf), -1)
        code = mix(leaf * leaf.shape[1] + np.arange(leaf.shape[1]), 21)
        sign = np.where(mix(code, 22) % 2 == 0, 1.0, -1.0)
        found = np.zeros((len(leaf), dimensions))
        np.add.at(found, (np.arange(len(leaf))[:, None], code % dimensions), sign)
        return np.asarray(found / np.sqrt(leaf.shape[1]), dtype=np.float64)

    return extract


def as_column(vectors: Floats) -> pa.Array:
    """``(n, d)`` numbers as an Arrow column of vectors."""
    flat = np.ascontiguousarray(vectors, dtype=np.float32)
    return pa.FixedSizeListArray.from_arrays(flat.ravel(), flat.shape[1])


def vectors_of(view: View, column: str) -> Floats:
    """``(n, d)`` float32 of an embedding column; zeros where it is missing or not finite."""
    whole: Any = view.table.column(column).combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
    if not pa.types.is_fixed_size_list(whole.type):
        return np.zeros((len(whole), 0), dtype=np.float32)
    found = np.zeros((len(whole), whole.type.list_size), dtype=np.float32)
    present = ~np.asarray(whole.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    flat = whole.drop_null().flatten().cast(pa.float32(), safe=False)
    values = flat.to_numpy(zero_copy_only=False).reshape(-1, found.shape[1])
    found[present] = np.where(np.isfinite(values), values, 0.0)
    return found


def vector_codes(vectors: Floats) -> Ints:
    """``(n,)`` 64-bit hash of each vector by its bits; -0 and 0 are one."""
    bits = np.ascontiguousarray(vectors + np.float32(0.0), dtype=np.float32).view(np.uint32)
    weights = mix(np.arange(vectors.shape[1], dtype=np.int64), 23) | 1
    found = np.zeros(len(vectors), dtype=np.int64)
    with np.errstate(over="ignore"):
        for start in range(0, len(bits), BLOCK_ROWS):
            part = bits[start : start + BLOCK_ROWS].astype(np.int64)
            found[start : start + BLOCK_ROWS] = (part * weights).sum(axis=1)
    return mix(found, 24)


def principal(matrix: Floats, dimensions: int) -> Floats:
    """``(n, <= dimensions)`` scores on the leading principal components, unchanged if few."""
    if matrix.shape[1] <= dimensions:
        return matrix
    centred = matrix - matrix.mean(axis=0)
    _, axes = np.linalg.eigh(np.asarray(centred.T @ centred, dtype=np.float64))
    return np.asarray(centred @ axes[:, ::-1][:, :dimensions].astype(np.float32))
