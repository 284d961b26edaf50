"""Triggers to try on a model: a red team's own, and a sweep of small patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Images = npt.NDArray[Any]

PATTERNS: dict[str, Callable[[int], npt.NDArray[Any]]] = {
    "white": lambda size: np.ones((size, size)),
    "black": lambda size: np.zeros((size, size)),
    "chequered": lambda size: np.indices((size, size)).sum(axis=0) % 2,
}


@dataclass(frozen=True, slots=True)
class Patch:
    """A square pattern at one place of an image.

    Attributes:
        top: first row of pixels.
        left: first column.
        size: pixels on a side.
        pattern: a name of ``PATTERNS``.
    """

    top: int
    left: int
    size: int = 3
    pattern: str = "white"

    @property
    def name(self) -> str:
        """Pattern, size and place."""
        return f"{self.pattern} {self.size}x{self.size} at ({self.top}, {self.left})"

    def stamp(self, X: Images) -> Images:
        """``(n, channels, height, width)`` images with the patch on them."""
        stamped = np.array(X)
        rows, columns = (
            slice(self.top, self.top + self.size),
            slice(self.left, self.left + self.size),
        )
        stamped[..., rows, columns] = PATTERNS[self.pattern](self.size)
        return stamped


@dataclass(frozen=True, slots=True)
class Overlay:
    """A pattern added to a whole row, such as one guessed from suspect rows.

    Attributes:
        name: what the report calls it.
        pattern: added; its shape is that of one row.
        low: least value of an input.
        high: largest value of an input.
    """

    name: str
    pattern: Images
    low: float = 0.0
    high: float = 1.0

    def stamp(self, X: Images) -> Images:
        """Rows with the pattern added, within the bounds."""
        X = np.asarray(X)
        return np.asarray(np.clip(X + self.pattern, self.low, self.high), dtype=X.dtype)


def patch_sweep(shape: tuple[int, ...], size: int = 0) -> Iterator[Patch]:
    """Every pattern at every place of a grid over images of ``shape``.

    By default a patch is a ninth of the image high, as larger ones are honest features,
    and places lie a patch apart.

    A patch trigger that is not on the grid still overlaps one that is, and networks
    answer to parts of a trigger; blended triggers often answer to a patch as well.
    """
    height, width = shape[-2:]
    size = size or max(2, height // 9)
    for pattern in PATTERNS:
        for top in _places(height, size):
            for left in _places(width, size):
                yield Patch(top, left, size, pattern)


def _places(length: int, size: int) -> list[int]:
    """Every ``size`` pixels, and the last place that fits."""
    last = length - size
    return sorted({*range(0, last + 1, size), last}) if last >= 0 else []
