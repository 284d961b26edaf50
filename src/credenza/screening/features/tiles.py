"""Parts of a picture: the whole, overlapping squares down to eight pixels, and each place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Ints

LEAST_SIDE = 8


@dataclass(frozen=True, slots=True)
class Tiles:
    """Squares of one side that overlap by half, so that four hold each place.

    Attributes:
        side: in pixels; 0 for one tile as large as the picture, 1 for each place alone.
        across: tiles beside each other, those that begin outside included.
    """

    side: int
    across: int

    @classmethod
    def over(cls, height: int, width: int) -> list[Tiles]:
        """One over the whole picture, half as wide each time down to 8 pixels, and each place."""
        found, side = [cls(0, 1), cls(1, width)], max(height, width)
        while side > LEAST_SIDE:
            side = max(LEAST_SIDE, side // 4 * 2)
            found.append(cls(side, width // (side // 2) + 2))
        return found

    @property
    def a_place(self) -> int:
        """How many tiles hold a place."""
        return 4 if self.side > 1 else 1

    def at(self, row: Ints, column: Ints) -> Ints:
        """``(a_place, n)`` numbers of the tiles that hold each place."""
        if self.side == 0:
            return np.zeros((1, len(row)), np.int64)
        if self.side == 1:
            return np.asarray(row * self.across + column)[None]
        step = self.side // 2
        first = (row // step + 1) * self.across + column // step + 1
        return np.stack([first, first - 1, first - self.across, first - self.across - 1])
