"""A pattern pasted at one place of many pictures: named, outlined, and its carriers flagged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote, tick
from credenza.core.types import Role, Scores
from credenza.screening.features.beliefs import Beliefs
from credenza.screening.features.contradictions import TOP
from credenza.screening.features.image import describe_place, images_of, twins
from credenza.screening.features.image_pasted import (
    Pasted,
    drawn_suspects,
    is_natural,
    merged,
    suspects_in,
    widened,
)
from credenza.screening.features.image_patches import MAX_WINDOWS, sightings
from credenza.screening.features.picture_groups import group_finding
from credenza.screening.fuse import reject_log_p

if TYPE_CHECKING:
    from credenza.core.types import Bools, Finding, Ints, View
    from credenza.screening.features.image import Images

FEW_GROUPS = 10
TAIL = 0.05


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
            of_all = [suspects_in(seen, int(g), images, beliefs) for g in groups]
            looks.append(_Look([one for some in of_all for one in some]))
        suspects, grown = drawn_suspects(images, rows, units, beliefs, self.min_carriers)
        # Each was compared with its own twins, with places around and with other labels.
        looks.append(_Look(suspects, borrows=False))
        looked_at += TOP * grown
        kept: list[Pasted] = []
        # What is named is put aside, so that one attacker does not set the scale for another.
        while found := self._rejected(looks, looked_at):
            kept += found
            looks = [look.without(found) for look in looks]
        strongest = sorted(kept, key=lambda one: (one.log_p, one.row, one.column, one.shape.name))
        every = merged([widened(one, images, view, beliefs) for one in strongest])
        return [one for one in every if not is_natural(one, images, rows, beliefs)]

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


def _sought(images: Images, units: Ints, tested: Bools) -> Ints:
    rows = np.flatnonzero(tested & images.present)
    most = max(1, MAX_WINDOWS // (images.shape[0] * images.shape[1]))
    if len(rows) > most:
        rows = np.sort(rows[np.argsort(units[rows], kind="stable")[:most]])
    return rows


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
