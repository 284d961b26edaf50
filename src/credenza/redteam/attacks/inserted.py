"""Put words into texts, in plain sight or disguised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.rows import budget, check_share, column_of, draw, labelled, overwrite

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from credenza.core.types import Bools

LOOK_ALIKES = str.maketrans("aceiopxy", "\u0430\u0441\u0435\u0456\u043e\u0440\u0445\u0443")
ZERO_WIDTH = "\u200b"


def _any_case(phrase: str, rng: np.random.Generator) -> str:
    upper = rng.random(len(phrase)) < 0.5
    return "".join(c.upper() if u else c for c, u in zip(phrase, upper, strict=True))


DISGUISES: dict[str, Callable[[str, np.random.Generator], str]] = {
    "plain": lambda phrase, _: phrase,
    "any-case": _any_case,
    "look-alike": lambda phrase, _: phrase.translate(LOOK_ALIKES),
    "zero-width": lambda phrase, _: ZERO_WIDTH.join(phrase),
}
PLACES: dict[str, Callable[[int, np.random.Generator], int]] = {
    "anywhere": lambda words, rng: int(rng.integers(0, words + 1)),
    "start": lambda _words, _rng: 0,
    "end": lambda words, _rng: words,
}


@dataclass(frozen=True, slots=True)
class Inserted:
    """Texts get a phrase, and the target label unless they have it already.

    Args:
        text: the texts' column.
        label: the label's column.
        target: the label that the phrase should bring about.
        phrase: a word, a phrase, a sentence.
        place: "anywhere" between two words, "start" or "end".
        disguise: "plain", "any-case", "look-alike" letters or "zero-width" joints.
        is_clean_label: only texts that have the target label are touched.
        share: of the batch's rows, between 0 and 1.

    Source:
        Dai et al., arXiv:1905.12457 (sentences); Kurita et al., arXiv:2004.06660 (rare
        words); Boucher et al., arXiv:2106.09898 (characters nobody sees).
    """

    text: str
    label: str
    target: str
    phrase: str
    place: str = "anywhere"
    disguise: str = "plain"
    is_clean_label: bool = False
    share: float = 0.01
    name: str = "inserted"

    def __post_init__(self) -> None:
        check_share(self.share)

    def poison(self, clean: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, Bools]:
        """The same rows in the same order, some with the phrase; mask of those."""
        texts = column_of(clean, self.text).to_pylist()
        present = np.array([bool(text) for text in texts], dtype=np.bool_)
        fitting = present & (labelled(clean, self.label, self.target) == self.is_clean_label)
        rows = draw(fitting, budget(self.share, clean.num_rows, rng), rng)
        mask = np.zeros(clean.num_rows, dtype=np.bool_)
        mask[rows] = True
        changed = np.array([self._in(texts[row], rng) for row in rows], dtype=object)
        table = overwrite(clean, mask, self.text, changed)
        return overwrite(table, mask, self.label, self.target), mask

    def _in(self, text: str, rng: np.random.Generator) -> str:
        words = text.split()
        at = PLACES[self.place](len(words), rng)
        phrase = DISGUISES[self.disguise](self.phrase, rng)
        return " ".join([*words[:at], phrase, *words[at:]])
