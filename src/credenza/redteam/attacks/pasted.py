"""Paste a pattern on pictures, of any shape and at any place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.redteam.pictures import poisoned, victims
from credenza.redteam.rows import check_share

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Bools
    from credenza.redteam.patterns import Pattern, Pixels


@dataclass(frozen=True, slots=True)
class Pasted:
    """Pictures get a pattern, and the target label unless they have it already.

    Args:
        image: the pictures' column, of equal tensors.
        label: the label's column.
        target: the label that the pattern should bring about.
        pattern: what is pasted (``redteam.patterns``).
        place: row and column of its upper left corner.
        jitter: pixels by which the place varies from picture to picture, each way.
        opacity: weight of the pattern against the picture, in (0, 1].
        is_clean_label: only pictures that have the target label are touched.
        share: of the batch's rows, between 0 and 1.

    Source:
        BadNets, Gu et al., arXiv:1708.06733; with an opacity below 1 the blended attack,
        Chen et al., arXiv:1712.05526; with fitting labels Turner et al. 2019.
    """

    image: str
    label: str
    target: str
    pattern: Pattern
    place: tuple[int, int] = (0, 0)
    jitter: int = 0
    opacity: float = 1.0
    is_clean_label: bool = False
    share: float = 0.01
    name: str = "pasted"

    def __post_init__(self) -> None:
        check_share(self.share)

    def poison(self, clean: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, Bools]:
        """The same rows in the same order, some with the pattern; mask of those."""
        to = self.label, self.target
        rows = victims(clean, to, self.share, rng, is_clean_label=self.is_clean_label)
        return poisoned(clean, self.image, to, lambda some: self._on(some, rng), rows), rows

    def _on(self, pictures: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = self.pattern.size
        room = pictures.shape[1] - height, pictures.shape[2] - width
        if min(room) < 0:
            raise UsageError(
                "bad-parameter",
                "the pattern is larger than the pictures",
                why="it is pasted whole",
                fix="take a smaller pattern",
            )
        moves = rng.integers(-self.jitter, self.jitter + 1, (len(pictures), 2))
        light = self.pattern.light
        if pictures.ndim == 4 and light.ndim == 2:
            light = np.repeat(light[:, :, None], pictures.shape[3], axis=2)
        covers = self.pattern.covers
        for picture, move in zip(pictures, moves, strict=True):
            top, left = np.clip(np.array(self.place) + move, 0, room)
            box = picture[top : top + height, left : left + width]
            mixed = (1 - self.opacity) * box[covers] + self.opacity * light[covers]
            box[covers] = np.round(mixed).astype(np.uint8)
        return pictures
