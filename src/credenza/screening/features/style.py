"""How a text is written, apart from its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.text import tick
from credenza.profiling.words import MAX_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Bools, Ints, View

MOSTLY = 0.8
FEWEST_LETTERS = 3
AS_USUAL = "is written as usual"
CAPITALS = (
    AS_USUAL,
    "is all in capitals",
    "is all in small letters",
    "has capitals inside words",
    "has a capital at every word",
)
ENDINGS: Mapping[str, str] = {
    "ends with a stop": r"[^.]\.\s*$",
    "ends with dots": r"(\.\.|…)\s*$",
    "ends with an exclamation mark": r"!\s*$",
    "ends with a question mark": r"\?\s*$",
    "ends with another mark": r"[\p{P}\p{S}]\s*$",
}
SPACINGS = {
    "has blanks before or after it": r"^\s|\s$",
    "has line breaks or tabs": r"[\t\n\r\v\f]",
    "has two blanks in a row": r"  ",
}
MARKS = {
    "has marks in a row": r"[!?,;:]{2,}|\.{2,}",
    "has a link": r"(?i)https?://|www\.",
    "has markup": r"<[/a-zA-Z][^>]*>",
    "has digits": r"\p{Nd}",
}


@dataclass(frozen=True, slots=True, eq=False)
class Style:
    """One respect in which texts are written differently, as codes.

    Attributes:
        column: the text column.
        codes: ``(n,)`` int64, positions in ``manners``; 0 as most texts are.
        manners: what a text is or has, in words.
    """

    column: str
    codes: Ints
    manners: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.manners)

    def describe(self, code: int) -> str:
        """The condition in words."""
        return f"{tick(self.column)} {self.manners[code]}"


def styles_of(view: View, column: str) -> list[Style]:
    """Capitals, the ending, spacing and marks of a text column.

    Words are compared in small letters, so a trigger that is a manner of writing (all in
    capitals, no capital at the start, two stops at the end) is in none of them. Blind to
    manners that are a choice of words or an order of them.
    """
    whole = pa.chunked_array(view.table.column(column)).cast(pa.large_string())
    text = pc.utf8_slice_codeunits(pc.fill_null(whole, ""), 0, MAX_CHARACTERS)
    found = [Style(column, _capitals(text), CAPITALS), _first_match(column, text, ENDINGS)]
    # Spacing and marks do not exclude one another: a common one must not hide a rare one.
    apart = (SPACINGS | MARKS).items()
    return found + [_first_match(column, text, {said: pattern}) for said, pattern in apart]


def _capitals(text: Any) -> Ints:  # noqa: ANN401 - pyarrow is untyped
    upper, lower = _count(text, r"\p{Lu}"), _count(text, r"\p{Ll}")
    words, titles = _count(text, r"\p{L}+"), _count(text, r"\b\p{Lu}\p{Ll}")
    inside = _count(text, r"\p{Ll}\p{Lu}")
    letters = upper + lower
    known = letters >= FEWEST_LETTERS
    ways: tuple[Bools, ...] = (
        known & (upper >= MOSTLY * letters),
        known & (upper == 0),
        known & (2 * inside >= words),
        known & (words > 1) & (titles >= MOSTLY * words),
    )
    return np.select(ways, np.arange(1, len(ways) + 1), 0).astype(np.int64)


def _count(text: Any, pattern: str) -> Ints:  # noqa: ANN401 - pyarrow is untyped
    return np.asarray(pc.count_substring_regex(text, pattern).to_numpy(), dtype=np.int64)


def _first_match(column: str, text: Any, patterns: Mapping[str, str]) -> Style:  # noqa: ANN401 - pyarrow is untyped
    found = [np.asarray(pc.match_substring_regex(text, p).to_numpy()) for p in patterns.values()]
    codes = np.select(found, np.arange(1, len(found) + 1), 0).astype(np.int64)
    return Style(column, codes, (AS_USUAL, *patterns))
