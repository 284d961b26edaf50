"""Patterns that recur at one place: what labels and surroundings make of those who show them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.screening.features.drawn import recurring_shapes
from credenza.screening.features.image import surroundings
from credenza.screening.features.image_patches import foretold, keys_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Ints, View
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.image import Images
    from credenza.screening.features.image_patches import Shape, Sightings

ONE_LABEL = 0.9
MOST = 0.6
NEED = 6.0
SPREAD = 2.0
ASKED = 256
NEIGHBOURS = 10
COMMON = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Pasted:
    """A pattern that recurs at one place and not elsewhere.

    Attributes:
        shape: of the pattern.
        row: of its upper left corner.
        column: of its upper left corner.
        rows: rows under test in which it stands out.
        count: distinct pictures among them.
        elsewhere: how many other pictures show it at the third best of all far places.
        near: how many pictures show nearly the same there.
        label: code of the label that its carriers share; -1 when they share none.
        disagreeing: carriers whose label contradicts their picture.
        surprise: of the recurrence, in nats.
        log_p: of the labels.
    """

    shape: Shape
    row: int
    column: int
    rows: Ints
    count: int
    elsewhere: int
    near: int
    label: int
    disagreeing: int
    surprise: float
    log_p: float


def suspects_in(
    seen: Sightings, group: int, images: Images, beliefs: Beliefs | None
) -> Iterator[Pasted]:
    """The group, if it is more than what is shown elsewhere and by near twins foretells."""
    rows, count = seen.carriers(group), int(seen.count[group])
    label, disagreeing, log_p = _labels_of_carriers(rows, beliefs)
    if np.isnan(log_p) or _deviance(count, 1) - log_p < NEED:
        return
    if not seen.shape.is_telling and disagreeing < MOST * len(rows):
        return
    elsewhere = seen.elsewhere(group)
    usual = max(1.0, SPREAD * elsewhere)
    if count <= usual or _deviance(count, usual) - log_p < NEED:
        return
    row, column = seen.position(group)
    is_peer = images.present if beliefs is None or label < 0 else beliefs.codes == label
    near, exact = foretold(seen, images.pixels, rows, (row, column), is_peer)
    usual = max(usual, SPREAD * exact)
    if count > usual:
        surprise = _deviance(count, usual)
        yield Pasted(
            seen.shape,
            row,
            column,
            rows,
            count,
            elsewhere,
            near,
            label,
            disagreeing,
            surprise,
            log_p,
        )


def drawn_suspects(
    images: Images, rows: Ints, units: Ints, beliefs: Beliefs | None, least: int
) -> tuple[list[Pasted], int]:
    """Shapes that nobody listed, and how many were grown.

    By their recurrence alone: shapes on pictures that contradict their label image-stamps finds.
    """
    _, once = np.unique(units[rows], return_index=True)
    codes = np.zeros(len(units), np.int64) if beliefs is None else beliefs.codes
    wrong = np.zeros(len(units), bool) if beliefs is None else beliefs.disagrees
    shapes, grown = recurring_shapes(images, rows[once], codes, wrong, least)
    found = []
    for one, usual in shapes:
        surprise = _deviance(len(one.rows), usual)
        if len(one.rows) > usual and surprise >= NEED:
            label, disagreeing, _ = _labels_of_carriers(one.rows, beliefs)
            place, near = (one.row, one.column), (one.elsewhere, one.near)
            count = len(one.rows)
            found.append(
                Pasted(one.shape, *place, one.rows, count, *near, label, disagreeing, surprise, 0.0)
            )
    return found, grown


def _deviance(count: int, usual: float) -> float:
    """Poisson deviance of ``count`` where ``usual`` were expected, halved: nats."""
    return float(count * np.log(count / usual) - (count - usual))


def _labels_of_carriers(rows: Ints, beliefs: Beliefs | None) -> tuple[int, int, float]:
    """Shared label (or -1), disagreeing carriers and their log p; NaN where they acquit."""
    if beliefs is None:
        return -1, 0, 0.0
    codes = beliefs.codes[rows]
    known = codes[codes >= 0]
    if len(known) == 0:
        return -1, 0, 0.0
    label = int(np.bincount(known).argmax())
    wrong = int(beliefs.disagrees[rows].sum())
    is_shared = (known == label).sum() >= ONE_LABEL * len(rows)
    if not is_shared and wrong < MOST * len(rows):
        return label, wrong, float("nan")
    rate = float(beliefs.rate[label] if is_shared else beliefs.rate.max())
    log_p = float(stats.binom.logsf(wrong - 1, len(rows), rate)) if wrong else 0.0
    return (label if is_shared else -1), wrong, log_p


def widened(one: Pasted, images: Images, view: View, beliefs: Beliefs | None) -> Pasted:
    """With the rows where the pattern is there without standing out, unless nature put it."""
    high, _ = one.shape.size
    band = images.pixels[:, one.row : one.row + high]
    keys = keys_at(one.shape, band, 0)[:, one.column]
    same = (keys == keys[one.rows[0]]) & images.present & ~view.trusted
    rows = np.flatnonzero(same)
    extra = np.setdiff1d(rows, one.rows)
    if beliefs is not None and one.label >= 0:
        of_label = beliefs.codes[extra] == one.label
        is_natural = len(extra) > len(one.rows) or of_label.sum() < ONE_LABEL * len(extra)
        kept = one.rows if is_natural else rows
        kept = kept[beliefs.codes[kept] == one.label]
    else:
        kept = one.rows if len(extra) > 0.1 * len(one.rows) else rows
    return replace(one, rows=kept)


def is_natural(one: Pasted, images: Images, among: Ints, beliefs: Beliefs | None) -> bool:
    """Whether pictures that look like the carriers' tend to show the pattern, too.

    A gap between trouser legs is found in pictures of trousers; a trigger is found as
    often in pictures like the carriers' as in any other of their label, at most. What
    most pictures of a label show is part of what the label looks like.
    """
    around = surroundings(images, one.row, one.column, one.shape.size)
    carries = np.zeros(len(around), bool)
    carries[one.rows] = True
    peers = among
    if beliefs is not None and one.label >= 0:
        peers = among[beliefs.codes[among] == one.label]
    usual = carries[peers].mean()
    asked = one.rows[:: -(-len(one.rows) // ASKED)]
    squares = (around[among] ** 2).sum(axis=1)
    far = squares[None, :] - 2 * around[asked] @ around[among].T
    far[asked[:, None] == among[None, :]] = np.inf
    k = min(NEIGHBOURS, len(among) - 1)
    nearest = among[np.argpartition(far, k - 1, axis=1)[:, :k]]
    shown = carries[nearest].mean()
    explained = max(1.0, len(one.rows) * max(0.0, float(shown - usual)))
    return bool(usual > COMMON or _deviance(len(one.rows), explained) < NEED)


def merged(found: list[Pasted]) -> list[Pasted]:
    """One entry for each set of carriers; weaker patterns on the same rows add theirs."""
    merged: list[Pasted] = []
    for one in found:
        for place, other in enumerate(merged):
            shared = np.isin(one.rows, other.rows, assume_unique=True).sum()
            if 2 * shared >= len(one.rows):
                if one.label == other.label:
                    rows = np.union1d(one.rows, other.rows)
                    merged[place] = replace(other, rows=rows)
                break
        else:
            merged.append(one)
    return merged
