"""Words and phrases of a text column as a sparse matrix, counted once per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.screening.features.text import Tokens, tokens

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Ints, View

WIDTH = 2
MIN_ROWS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Grams:
    """Words and neighbouring pairs of words that two rows or more share.

    Attributes:
        column: the text column.
        matrix: ``scipy.sparse.csr_array`` (n, g) of 0 and 1, float32.
        first: ``(g,)`` token code of the gram's first word.
        second: ``(g,)`` token code of its second word, -1 for single words.
        tokens: the words in order.
    """

    column: str
    matrix: Any
    first: Ints
    second: Ints
    tokens: Tokens

    def words(self, gram: int) -> tuple[str, ...]:
        """The gram's words."""
        codes = [c for c in (int(self.first[gram]), int(self.second[gram])) if c >= 0]
        return tuple(str(self.tokens.levels[c].as_py()) for c in codes)


def grams_of(view: View, column: str) -> Grams:
    """Every word and pair of neighbouring words of ``column`` that two rows share.

    Longer phrases share their pairs, so pairs find them; see ``phrase_of``. Blind to
    triggers that are an order or a distance of words.
    """
    from scipy import sparse  # noqa: PLC0415 - heavy

    found = tokens(view, column)
    levels = max(len(found.levels), 1)
    words, first = _shared(found.rows, found.codes.astype(np.int64), found.n)
    pairs = np.flatnonzero(found.rows[1:] == found.rows[:-1])
    joint = found.codes[pairs].astype(np.int64) * levels + found.codes[pairs + 1]
    both, joined = _shared(found.rows[pairs], joint, found.n)
    return Grams(
        column,
        sparse.hstack([words, both], format="csr"),
        np.concatenate([first, joined // levels]),
        np.concatenate([np.full(len(first), -1, np.int64), joined % levels]),
        found,
    )


def _shared(rows: npt.NDArray[np.int32], codes: Ints, n: int) -> tuple[Any, Ints]:
    """``(n, g)`` matrix of the codes that two rows or more carry, and these codes."""
    from scipy import sparse  # noqa: PLC0415 - heavy

    raw, dense = np.unique(codes, return_inverse=True)
    ones = np.ones(len(rows), np.float32)
    matrix = sparse.csr_array((ones, (rows, dense.astype(np.int32))), shape=(n, max(len(raw), 1)))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    kept = np.flatnonzero(np.bincount(matrix.indices, minlength=len(raw)) >= MIN_ROWS)
    place = np.full(matrix.shape[1], -1, dtype=np.int32)
    place[kept] = np.arange(len(kept))
    # Taken out by hand: columns of a sparse matrix are slow to select.
    at = place[matrix.indices]
    ends = np.concatenate([[0], np.cumsum(at >= 0)])[matrix.indptr].astype(np.int32)
    at = at[at >= 0]
    held = sparse.csr_array((np.ones(len(at), np.float32), at, ends), shape=(n, len(kept)))
    return held, raw[kept]


def phrase_of(grams: Grams, gram: int, rows: Ints, share: float = 0.8) -> tuple[str, ...]:
    """The longest phrase around ``gram`` that at least ``share`` of ``rows`` have.

    Args:
        grams: the words in order.
        gram: where to begin.
        rows: carriers.
        share: of the carriers, in (0, 1].
    """
    found = grams.tokens
    mine = np.isin(found.rows, rows)
    rows_of, codes = found.rows[mine], found.codes[mine]
    at = np.flatnonzero(codes == grams.first[gram])
    width = 1
    if grams.second[gram] >= 0:
        width = 2
        at = at[at + 1 < len(codes)]
        at = at[(codes[at + 1] == grams.second[gram]) & (rows_of[at + 1] == rows_of[at])]
    _, once = np.unique(rows_of[at], return_index=True)
    at = at[once]
    phrase = [int(c) for c in codes[at[0] : at[0] + width]] if len(at) else []
    for step, end in ((-1, False), (1, True)):
        while len(at):
            reach = at + (width if end else -1)
            inside = (reach >= 0) & (reach < len(codes))
            reach = np.clip(reach, 0, len(codes) - 1)
            inside &= rows_of[reach] == rows_of[at]
            values, counts = np.unique(codes[reach[inside]], return_counts=True)
            if len(values) == 0 or counts.max() < share * len(rows):
                break
            best = int(values[counts.argmax()])
            at = at[inside & (codes[reach] == best)]
            phrase = [*phrase, best] if end else [best, *phrase]
            width += 1
            at = at if end else at + step
    return tuple(str(found.levels[c].as_py()) for c in phrase)
