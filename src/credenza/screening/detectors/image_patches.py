"""A pattern pasted at one place of many pictures: named, outlined, and its carriers flagged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.core.text import quote, tick
from credenza.core.types import Role, Scores
from credenza.screening.features.beliefs import Beliefs
from credenza.screening.features.contradictions import TOP
from credenza.screening.features.drawn import recurring_shapes
from credenza.screening.features.image import describe_place, images_of, surroundings, twins
from credenza.screening.features.image_patches import (
    MAX_WINDOWS,
    Shape,
    foretold,
    keys_at,
    sightings,
)
from credenza.screening.features.picture_groups import group_finding
from credenza.screening.fuse import reject_log_p

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Finding, Ints, View
    from credenza.screening.features.image import Images
    from credenza.screening.features.image_patches import Sightings

ONE_LABEL = 0.9
MOST = 0.6
FEW_GROUPS = 10
TAIL = 0.05
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


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What one shape and gate made suspect.

    Attributes:
        suspects: patterns more frequent than what they were compared with.
        borrows: whether it takes the scale of other looks where it has few suspects.
    """

    suspects: list[Pasted]
    borrows: bool = True

    def without(self, found: list[Pasted]) -> _Look:
        """The suspects that are no part of what was found."""
        kept = [one for one in self.suspects if not _is_part(one, found)]
        return replace(self, suspects=kept)


@dataclass(frozen=True, slots=True)
class ImagePatches:
    """Patterns that recur at one place of many pictures, where nature does not repeat itself.

    For every window of every picture that stands out from what lies two pixels around
    it, the exact grey levels are a discrete feature: *this patch at this place*. A patch
    that k different pictures show at one place, and that others show m times at the
    third best of all places further away, has surprise k log(k/m) - (k - m): nature is
    alike a few pixels away, whatever was pasted is not. This needs no label, so that it
    sees clean-label poison. Where carriers' labels contradict their pictures, that is a
    second, independent piece of evidence (a binomial tail), which names dirty-label
    triggers from a handful of rows. Carriers must share one label, or mostly disagree:
    a watermark on all classes poisons nothing. The surprise is divided by the spread of
    all such patterns of this data; false discovery control over all that were looked at.

    Shapes that nobody listed (a slanted line, a hook) are grown, pixel by pixel, in the pictures
    of each label. They must recur more than around their place, more than under other
    labels, more exactly than the shapes of those, and on pictures that what lies around
    does not foretell (``features.drawn``).

    Blind to triggers without a fixed place, encoded with losses after they were pasted,
    or mixed into the picture beneath (image-overlay looks for those), to patterns that
    data of few grey levels shows everywhere, and under fitting labels to one or two
    pixels and to carriers that were chosen by what they show.

    Attributes:
        fdr: expected share of false patterns among those named.
        min_carriers: fewest pictures that must carry a pattern.
        max_findings: patterns named at most; scores know them all.

    Complexity:
        O(n · h · w); above 2^26 windows patterns are sought among pictures drawn by
        content, and their carriers among all.

    Source:
        Recurrence against far places is ours; disagreeing carriers after 1909.13374.
    """

    fdr: float = 0.01
    min_carriers: int = 5
    max_findings: int = 40

    @property
    def name(self) -> str:
        """The detector's name."""
        return "image-patches"

    @property
    def needs(self) -> frozenset[Role]:
        """Pictures; labels are used where there are some."""
        return frozenset({Role.IMAGE})

    def score(self, view: View) -> Scores:
        """-log10 p of the most surprising pattern that a row carries, 0 elsewhere.

        Raises:
            UnassessedError: the view has no pictures, or too small ones.
        """
        values = np.zeros(view.table.num_rows)
        findings: list[Finding] = []
        every = images_of(view)
        beliefs = Beliefs.of(view)
        for images in every:
            named = self._named(images, view, beliefs)
            findings += [_finding(self.name, images, view, beliefs, one) for one in named]
            for one in named:
                score = -max(one.log_p, -690.0) / np.log(10)
                values[one.rows] = np.maximum(values[one.rows], score)
        findings.sort(key=lambda finding: finding.p_value)
        return Scores(values, tuple(findings[: self.max_findings]), is_evidence=True)

    def _named(self, images: Images, view: View, beliefs: Beliefs | None) -> list[Pasted]:
        """What is pasted, each set of carriers once, under its most surprising pattern."""
        units = twins(images)
        rows = _sought(images, units, ~view.trusted)
        if len(rows) < self.min_carriers:
            return []
        looks: list[_Look] = []
        looked_at = 0
        for seen in sightings(images, rows, units, self.min_carriers):
            groups = np.flatnonzero(seen.count >= self.min_carriers)
            looked_at += len(groups)
            of_all = [_suspect(seen, int(g), images, beliefs) for g in groups]
            looks.append(_Look([one for some in of_all for one in some]))
        suspects, grown = _drawn(images, rows, units, beliefs, self.min_carriers)
        # Each was compared with its own twins, with places around and with other labels.
        looks.append(_Look(suspects, borrows=False))
        looked_at += TOP * grown
        kept: list[Pasted] = []
        # What is named is put aside, so that one attacker does not set the scale for another.
        while found := self._rejected(looks, looked_at):
            kept += found
            looks = [look.without(found) for look in looks]
        strongest = sorted(kept, key=lambda one: (one.log_p, one.row, one.column, one.shape.name))
        merged = _merged([_widened(one, images, view, beliefs) for one in strongest])
        return [one for one in merged if not _is_natural(one, images, rows, beliefs)]

    def _rejected(self, looks: list[_Look], looked_at: int) -> list[Pasted]:
        """Patterns that stand out from the recurrences of this data."""
        scales = [_scale(look.suspects) for look in looks]
        # A look with few groups does not know its scale, and borrows from the widest.
        borrowed = float(np.sqrt(max((scale for scale in scales if scale), default=1.0)))
        found = [
            replace(one, log_p=one.log_p - one.surprise / (scale or usual))
            for scale, look in zip(scales, looks, strict=True)
            for usual in (borrowed if look.borrows else 1.0,)
            for one in look.suspects
        ]
        log_p = np.array([one.log_p for one in found])
        is_in = reject_log_p(log_p, self.fdr, looked_at)
        return [one for one, is_named in zip(found, is_in, strict=True) if is_named]


def _suspect(
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


def _drawn(
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


def _sought(images: Images, units: Ints, tested: Bools) -> Ints:
    rows = np.flatnonzero(tested & images.present)
    most = max(1, MAX_WINDOWS // (images.shape[0] * images.shape[1]))
    if len(rows) > most:
        rows = np.sort(rows[np.argsort(units[rows], kind="stable")[:most]])
    return rows


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


def _is_part(one: Pasted, others: list[Pasted]) -> bool:
    """Whether half of a pattern's carriers are those of one of the others."""
    return any(2 * np.isin(one.rows, other.rows).sum() >= len(one.rows) for other in others)


def _scale(suspects: list[Pasted]) -> float | None:
    """Scale of the upper tail of the surprises of one shape and gate, at least 1; None of few.

    What is named must stand out from the recurrences of *this* data. Patterns with the
    same carriers count once, and the largest is left out, so that a trigger does not
    set the scale that it is measured by.
    """
    apart: list[Pasted] = []
    for one in sorted(suspects, key=lambda one: -one.surprise):
        if not _is_part(one, apart):
            apart.append(one)
    if len(apart) < FEW_GROUPS:
        return None
    rank = 1 + int(TAIL * len(apart))
    return max(1.0, apart[rank].surprise / float(np.log(len(apart) / rank)))


def _widened(one: Pasted, images: Images, view: View, beliefs: Beliefs | None) -> Pasted:
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


def _is_natural(one: Pasted, images: Images, among: Ints, beliefs: Beliefs | None) -> bool:
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


def _merged(found: list[Pasted]) -> list[Pasted]:
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


def _finding(
    detector: str, images: Images, view: View, beliefs: Beliefs | None, one: Pasted
) -> Finding:
    height, width = one.shape.size
    patch = images.pixels[one.rows[0], one.row : one.row + height, one.column : one.column + width]
    label = beliefs.classes[one.label] if beliefs is not None and one.label >= 0 else None
    exhibits: dict[str, object] = {
        "column": images.column,
        "trigger": one.shape.name,
        "box": {"row": one.row, "column": one.column, "height": height, "width": width},
        "pixels": patch.tolist(),
        "brightness": round(float(patch.mean()), 1),
        "elsewhere": one.elsewhere,
        "near": one.near,
        "label": label,
        "disagreeing": one.disagreeing,
    }
    place = describe_place(one.row, one.column, (height, width), images.shape)
    labelled = f"all labelled {quote(label)}; " if label is not None else ""
    sentence = (
        f"{len(one.rows)} pictures in {tick(images.column)} show the same {one.shape.name} of "
        f"mean brightness {exhibits['brightness']:.0f} at {place}, {labelled}"
        f"{one.disagreeing} labels contradict their picture; {one.near} others show nearly "
        f"the same there, and {one.elsewhere} the same a few pixels away"
    )
    return group_finding(detector, view, one.rows, sentence, exhibits, log_p=one.log_p)
