"""Whether the rest of a picture tells what is in it: nature goes with the rest, stamps do not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.screening.features.image import TWIN_CELLS, coarse

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.image import Images, Singles

RIDGE = 0.1
# Standard deviations of the rank sum; of stamps put by chance one in a thousand is lost.
TOLD = 3.1


@dataclass(frozen=True, slots=True)
class Told:
    """How well the rest of the pictures tells who carries something.

    Attributes:
        share: of the others that a carrier ranks above, on average; .5 by chance.
        deviations: standard deviations of that rank from chance.
    """

    share: float
    deviations: float


def told_by_rest(around: Singles, carries: Bools, kind: Ints) -> Told:
    """How well what lies around tells carriers from other pictures of their kind.

    Ridge regression on each half of the pictures foretells the other; ranks are taken within
    a kind. What was put on rows drawn by chance is told no better than by chance. Blind where
    carriers were chosen by what they show.

    Args:
        around: ``(r, d)`` what lies around, of pictures in an order of their content.
        carries: ``(r,)`` who carries it.
        kind: ``(r,)`` code of what each shows.

    Source:
        Wilcoxon's rank sum, by strata: van Elteren 1960. As a classifier two-sample test:
        Lopez-Paz and Oquab, arXiv:1610.06545.
    """
    above, count, variance = 0.0, 0, 0.0
    for part in (0, 1):
        is_taught = np.arange(len(carries)) % 2 == part
        score = _scored(around, carries, kind, is_taught)
        for one in np.unique(kind[carries]):
            here = ~is_taught & (kind == one)
            mine, others = score[here & carries], score[here & ~carries]
            if len(mine) and len(others):
                rank = stats.rankdata(np.concatenate([mine, others]))[: len(mine)].sum()
                above += (rank - len(mine) * (len(mine) + 1) / 2) / len(others)
                count += len(mine)
                variance += len(mine) * (len(mine) + len(others) + 1) / (12 * len(others))
    if count == 0:
        return Told(0.5, 0.0)
    return Told(above / count, (above - count / 2) / float(np.sqrt(variance)))


def _scored(around: Singles, carries: Bools, kind: Ints, is_taught: Bools) -> Floats:
    """``(r,)`` how much each picture looks like a carrier of its kind, by the taught ones."""
    points, wanted = around.astype(np.float64), carries.astype(np.float64)
    for one in np.unique(kind):
        here = kind == one
        taught = here & is_taught
        centre = taught if taught.any() else here
        points[here] -= points[centre].mean(axis=0)
        wanted[here] -= wanted[centre].mean()
    known = points[is_taught]
    gram = known.T @ known
    gram += (RIDGE * np.trace(gram) / max(len(gram), 1) + 1e-9) * np.eye(len(gram))
    return np.asarray(points @ np.linalg.solve(gram, known.T @ wanted[is_taught]))


def uncovered(images: Images, rows: Ints, covered: Bools) -> Singles:
    """``(r, d)`` means over an 8 x 8 grid of what is left of some pictures.

    Args:
        images: the pictures.
        rows: which of them.
        covered: ``(h, w, c)`` cells that are not looked at.
    """
    left = np.where(covered, 0, images.pixels[rows]).astype(np.uint8)
    found = coarse(replace(images, pixels=left, present=images.present[rows]), TWIN_CELLS)
    weight = (~covered[None]).astype(np.uint8)
    share = 255.0 * coarse(replace(images, pixels=weight, present=np.ones(1, bool)), TWIN_CELLS)[0]
    return np.asarray(found / np.where(share > 0, share, 1.0), dtype=np.float32)
