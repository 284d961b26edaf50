"""Words and phrases of a text column as a sparse matrix, counted once per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.screening.features.text import Tokens, tokens

if TYPE_CHECKING:
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
    n, levels = found.n, max(len(found.levels), 1)
    pairs = np.flatnonzero(found.rows[1:] == found.rows[:-1])
    joint = found.codes[pairs] * levels + found.codes[pairs + 1]
    parts: list[tuple[Ints, Ints]] = []
    firsts: list[Ints] = []
    seconds: list[Ints] = []
    offset = 0
    for rows, codes in ((found.rows, found.codes), (found.rows[pairs], joint)):
        raw, dense = np.unique(codes, return_inverse=True)
        entries = np.unique(rows * max(len(raw), 1) + dense)
        at_row, at_code = np.divmod(entries, max(len(raw), 1))
        kept = np.flatnonzero(np.bincount(at_code, minlength=len(raw)) >= MIN_ROWS)
        place = np.full(len(raw), -1, dtype=np.int64)
        place[kept] = np.arange(len(kept))
        frequent = place[at_code] >= 0
        parts.append((at_row[frequent], place[at_code[frequent]] + offset))
        is_pair = len(firsts) > 0
        firsts.append(raw[kept] // levels if is_pair else raw[kept])
        seconds.append(raw[kept] % levels if is_pair else np.full(len(kept), -1, np.int64))
        offset += len(kept)
    rows, codes = (np.concatenate(side) for side in zip(*parts, strict=True))
    matrix = sparse.csr_array((np.ones(len(rows), np.float32), (rows, codes)), shape=(n, offset))
    return Grams(column, matrix, np.concatenate(firsts), np.concatenate(seconds), found)


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
