"""How far a share can be trusted that was counted on few cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats

UNITS_95 = 1.959964
"""Standard units of a 95 % interval."""

UNITS_99 = 2.576
"""Of a 99 % interval."""


@overload
def wilson(hits: float, cases: float, units: float = ...) -> tuple[float, float]: ...
@overload
def wilson(hits: Floats, cases: Floats, units: float = ...) -> tuple[Floats, Floats]: ...
def wilson(
    hits: float | Floats, cases: float | Floats, units: float = UNITS_95
) -> tuple[float | Floats, float | Floats]:
    """The interval of each share ``hits / cases``; (0, 1) of nothing.

    Holds for cases that are alike and independent; rows of one sender are neither, and
    their true interval is wider.

    Args:
        hits: one number, or ``(n,)`` of them; between 0 and ``cases``.
        cases: of which they are hits.
        units: half the width in standard deviations.

    Returns:
        Lower and upper ends, in [0, 1], with the share between them.

    Source:
        Wilson 1927.
    """
    known = cases + (np.asarray(cases) == 0)
    share, z2 = hits / known, units**2
    centre = (hits + z2 / 2) / (cases + z2)
    half = units / (cases + z2) * np.sqrt(share * (cases - hits) + z2 / 4)
    low, high = np.clip(centre - half, 0.0, share), np.clip(centre + half, share, 1.0)
    return (low, high) if np.ndim(share) else (float(low), float(high))
