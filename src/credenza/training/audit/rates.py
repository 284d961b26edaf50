"""Shares with what chance allows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats

SURE = 2.576
"""Standard units of 99 % intervals."""


def interval(share: Floats, rows: Floats, units: float = SURE) -> tuple[Floats, Floats]:
    """Wilson's interval of each share of so many rows; (0, 1) without rows.

    Source:
        Wilson (1927).
    """
    known = np.where(rows > 0, share, 0.5)
    size = np.maximum(rows, 1e-9)
    centre = (known + units**2 / (2 * size)) / (1 + units**2 / size)
    spread = np.sqrt(known * (1 - known) / size + (units / (2 * size)) ** 2)
    half = units * spread / (1 + units**2 / size)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def sure_excess(share: Floats, other: Floats, rows: Floats) -> Floats:
    """How far ``share`` lies above ``other`` at the least, each within its interval."""
    return np.asarray(interval(share, rows)[0] - interval(other, rows)[1], dtype=np.float64)
