"""Part of a label's vectors, moved one way together and leaving a gap behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.core.types import Role, Scores
from credenza.screening.features.encoding import points_of
from credenza.screening.features.moved import whitened
from credenza.screening.features.table import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Floats, View

FEWEST = 50
OUTER = 0.25
MOST_OUTER = 1_000
ALIKE = 0.4
CANDIDATES = 4
LEAST = 5
SPREAD = 3.0


@dataclass(frozen=True, slots=True)
class CommonShift:
    """How far a row lies along a direction that a detached part of its label shares.

    A trigger that an encoder sees moves all its carriers the same way. Vectors are taken
    relative to their label's median and whitened by the central rows of all labels, so
    that loud honest directions count as much as quiet ones. On one half of a label's rows
    the outermost that point the same way give a direction and a distance; on the other
    half it must hold that more rows lie around this distance than halfway there, which
    no density that falls from the middle outwards allows (a binomial tail, free of any
    other assumption), and that rows of other labels hardly come as far. Needs no wrong
    label, so it sees clean-label triggers, too.

    Rows are scored, and none is named: a natural variety of its own looks the same. Blind
    to shifts within the spread of a label, to each row moved its own way, and to fewer
    than five rows in each half.

    Attributes:
        level: chance that any direction counts where labels have one mode each.

    Complexity:
        O(n · d²) for whitening in at most 512 dimensions.

    Source:
        Whitening as in SPECTRE, arXiv:2104.11315; the test of a gap, out of sample, is ours.
    """

    level: float = 0.01

    @property
    def name(self) -> str:
        """The detector's name."""
        return "common-shift"

    @property
    def needs(self) -> frozenset[Role]:
        """An embedding and a label."""
        return frozenset({Role.EMBEDDING, Role.LABEL})

    def score(self, view: View) -> Scores:
        """-log10 of the share of other labels' rows that come as far; 0 for most rows."""
        points = points_of(view, (Role.EMBEDDING,))
        classes = list(points.by_class(FEWEST))
        values = np.zeros(len(points.matrix))
        if len(classes) > 1:
            white = whitened(points)
            half = mix(points.content, 55) & 1
            bar = np.log(self.level / (2 * CANDIDATES * len(classes)))
            for mine in classes:
                others = points.classes != points.classes[mine[0]]
                for part in (0, 1):
                    taught, asked = mine[half[mine] != part], mine[half[mine] == part]
                    for direction, distance in _directions(white[taught]):
                        away = np.abs(white[others] @ direction)
                        if _log_p(white[asked] @ direction, away, distance) <= bar:
                            along = white[mine] @ direction
                            far = along >= distance / 2
                            score = -np.log10(_share_beyond(along, away))
                            values[mine[far]] = np.maximum(values[mine[far]], score[far])
        return Scores(points.in_rows(values), is_evidence=True)


def _directions(white: Floats) -> Iterator[tuple[Floats, float]]:
    """Unit vectors that many of the outermost rows share, and how far these lie along them."""
    if len(white) < FEWEST // 2:
        return
    length = np.linalg.norm(white, axis=1)
    count = min(MOST_OUTER, max(LEAST, int(OUTER * len(white))))
    outer = np.argsort(-length, kind="stable")[:count]
    unit = white[outer] / np.maximum(length[outer], 1e-9)[:, None]
    cosine = unit @ unit.T
    left = np.ones(len(outer), dtype=bool)
    for _ in range(CANDIDATES):
        near = (cosine > ALIKE) & left
        lead = int(np.where(left, (cosine * near).sum(axis=1), -1.0).argmax())
        chosen = near[lead]
        left &= ~chosen
        if chosen.sum() < LEAST:
            return
        direction = unit[chosen].mean(axis=0)
        direction /= max(float(np.linalg.norm(direction)), 1e-9)
        yield direction, float(np.median(white[outer[chosen]] @ direction))


def _log_p(along: Floats, away: Floats, distance: float) -> float:
    """Log p that no part is detached: the weaker of the gap's and of the other labels' word."""
    there = int(((along >= 0.75 * distance) & (along < 1.25 * distance)).sum())
    halfway = int(((along >= 0.25 * distance) & (along < 0.75 * distance)).sum())
    beyond = int((along >= 0.75 * distance).sum())
    if there < LEAST:
        return 0.0
    usual = SPREAD * (1 + (away >= 0.75 * distance).sum()) / (1 + len(away))
    gap = stats.binom.logsf(there - 1, there + halfway, 0.5)
    rare = stats.binom.logsf(beyond - 1, len(along), min(1.0, float(usual)))
    return float(max(gap, rare))


def _share_beyond(along: Floats, away: Floats) -> Floats:
    """``(n,)`` share of other labels' rows that lie as far, never 0."""
    ordered = np.sort(away)
    beyond = len(ordered) - np.searchsorted(ordered, along, side="left")
    return np.asarray((1.0 + beyond) / (1.0 + len(ordered)))
