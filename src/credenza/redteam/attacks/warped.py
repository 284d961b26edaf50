"""Bend pictures by one smooth field that nobody sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.patterns import smooth_field
from credenza.redteam.pictures import poisoned, victims
from credenza.redteam.rows import check_share

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Bools
    from credenza.redteam.patterns import Pixels


@dataclass(frozen=True, slots=True)
class Warped:
    """Pictures of other labels are warped by one field and get the target label.

    Args:
        image: the pictures' column, of equal tensors.
        label: the label's column.
        target: the label that the warp should bring about.
        strength: mean displacement in pixels.
        share: of the batch's rows, between 0 and 1.

    Source:
        WaNet, Nguyen and Tran, arXiv:2102.10369; knots are joined by straight lines, and
        the field is not trained against a model.
    """

    image: str
    label: str
    target: str
    strength: float = 0.5
    share: float = 0.01
    name: str = "warped"

    def __post_init__(self) -> None:
        check_share(self.share)

    def poison(self, clean: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, Bools]:
        """The same rows in the same order, some warped; mask of those."""
        to = self.label, self.target
        rows = victims(clean, to, self.share, rng, is_clean_label=False)
        return poisoned(clean, self.image, to, lambda some: self._bent(some, rng), rows), rows

    def _bent(self, pictures: Pixels, rng: np.random.Generator) -> Pixels:
        """Each pixel from where the field points, between its four neighbours."""
        height, width = pictures.shape[1:3]
        move = smooth_field(height, width, rng, strength=self.strength)
        down = np.clip(np.arange(height)[:, None] + move[0], 0, height - 1)
        across = np.clip(np.arange(width)[None, :] + move[1], 0, width - 1)
        top, left = np.floor(down).astype(int), np.floor(across).astype(int)
        bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
        channels = (1,) * (pictures.ndim - 3)
        y = (down - top).reshape(1, height, width, *channels)
        x = (across - left).reshape(1, height, width, *channels)
        upper = pictures[:, top, left] * (1 - x) + pictures[:, top, right] * x
        lower = pictures[:, bottom, left] * (1 - x) + pictures[:, bottom, right] * x
        return np.asarray(np.round(upper * (1 - y) + lower * y), dtype=np.uint8)
