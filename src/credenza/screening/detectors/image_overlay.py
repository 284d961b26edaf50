"""A faint pattern mixed into whole pictures, found as the direction that wrong labels share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.core.text import quote, tick
from credenza.screening.features.image import coarse, grid
from credenza.screening.features.image_labels import out_of_fold_by_outline, picture_codes
from credenza.screening.features.picture_groups import (
    PictureGroups,
    group_finding,
)
from credenza.screening.features.table import mix
from credenza.screening.features.waves import amplitudes, detached, waves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Finding, Floats, Ints, View
    from credenza.screening.features.image import Images, Singles
    from credenza.screening.features.label import Labels
    from credenza.screening.features.waves import Wave

DIMENSIONS = 1600
GREY_LEVELS = 2.0
ROUNDS = 5
TAIL = 2.0
FAR = 10.0
CONTRADICTS = 0.1
MOST = 0.6
LEAST_RATE = 0.05
FEWEST_ROWS = 50
SHOWN_CELLS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """A direction along which some rows of a label lie far out, most of them mislabelled.

    Attributes:
        label: code of the label.
        rows: the rows far out.
        contradicting: how many of them show something else than their label says.
        beyond: robust standard deviations at which "far" begins.
        log_p: of that many contradicting rows.
    """

    label: int
    rows: Ints
    contradicting: int
    beyond: float
    log_p: float


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What is said of a label's rows: exhibits, and the sentence after "pictures labelled ..."."""

    label: int
    rows: Ints
    log_p: float
    exhibits: dict[str, object]
    words: str


@dataclass(frozen=True, slots=True)
class ImageOverlay(PictureGroups):
    """Rows of one label that share a faint pattern over the whole picture, and the wrong label.

    A blended trigger changes every pixel by a few grey levels: too little to see, but the
    same on every row, and across what pictures vary in. Pixels are whitened by the
    covariance within labels of rows whose label fits, so that a pattern in directions
    where nature hardly varies stands far out. For each label the direction is the mean
    of rows that contradict it, sharpened by power steps towards those far out, learnt on
    one half of the pictures and measured on the other. It is named when the rows beyond
    ten robust deviations, and beyond half of their typical distance, mostly contradict their
    label, where few rows of that label do (a binomial tail), and when they are a group of their
    own: more of them lie around that distance than halfway there, which pictures that are odd
    by nature, each in its way and hard to tell, do not (another; the weaker of the two counts).

    Waves are looked for under labels that fit, too: along each frequency, part of a label's
    rows that lies apart from the rest at one phase, with a gap between, where rows of other
    labels seldom come (``features.waves``).

    Blind to overlays in fewer than about ten rows, to those whose strength differs widely from
    row to row, to other overlays than waves under labels that fit the picture, to waves whose
    phase differs from picture to picture, to warps, to triggers made for each picture, and to
    those on most rows of a label.

    Attributes:
        fdr: chance that any label is named on clean rows, about.
        min_carriers: fewest rows that must lie far out.

    Complexity:
        O(n · d²) for d ≤ 1,600 pixels; larger pictures are reduced.

    Source:
        The direction is that of Fisher's discriminant; SPECTRE (2104.11315) whitens, too.
        Waves as triggers: Barni et al., arXiv:1902.11237.
        Weighting by contradicted labels and measuring out of sample are ours.
    """

    fdr: float = 0.01
    min_carriers: int = 5

    @property
    def name(self) -> str:
        """The detector's name."""
        return "image-overlay"

    def groups(self, view: View, labels: Labels, every: list[Images]) -> Iterator[Finding]:
        """Overlays under wrong labels, and waves under any."""
        expected = out_of_fold_by_outline(view, labels.codes, len(labels.classes))
        own = labels.probability_of_own(expected)
        doubt = np.where(labels.codes >= 0, np.maximum(expected.max(axis=1) - own, 0.0), 0.0)
        half = mix(picture_codes(view), 38) % 2
        codes = np.where(view.trusted, -1, labels.codes)
        for images in every:
            whitened, whitening = _whitened(images, labels.codes, doubt)
            far = _distances(whitened, labels.codes, doubt, half)
            size = grid(images, _cells(images))
            along = amplitudes(whitened, whitening, size, images.shape[2])
            for found in self._named(far, labels.codes, doubt, ~view.trusted):
                yield _finding(self.name, images, view, labels, _of_overlay(images, labels, found))
            for wave in waves(along, size, codes, half, self.fdr / 10):
                yield _finding(self.name, images, view, labels, _of_wave(wave))

    def _named(self, far: Floats, codes: Ints, doubt: Floats, tested: Bools) -> Iterator[Overlay]:
        present = np.unique(codes[codes >= 0])
        for label in present:
            of_label = codes == label
            rate = max(LEAST_RATE, float((doubt[of_label] > CONTRADICTS).mean()))
            outer = np.flatnonzero(of_label & tested & (far > FAR))
            wrong = outer[doubt[outer] > CONTRADICTS]
            if len(wrong) < self.min_carriers:
                continue
            distance = float(np.median(far[wrong]))
            beyond = max(FAR, distance / 2)
            rows = outer[far[outer] > beyond]
            contradicting = int((doubt[rows] > CONTRADICTS).sum())
            # Odd pictures lie far out and are hard to tell, but nowhere in particular.
            gap, _ = detached(far[of_label & tested], distance)
            named = float(stats.binom.logsf(contradicting - 1, len(rows), rate))
            log_p = min(0.0, max(gap, named) + np.log(len(present)))
            if contradicting >= MOST * len(rows) and log_p < np.log(self.fdr):
                yield Overlay(int(label), rows, contradicting, beyond, log_p)


def _cells(images: Images) -> int:
    return int(np.sqrt(DIMENSIONS / images.shape[2]))


def _whitened(images: Images, codes: Ints, doubt: Floats) -> tuple[Singles, Floats]:
    """``(n, d)`` pixels less their label's mean, whitened by rows whose label fits; and by what."""
    pixels = coarse(images, _cells(images))
    fits = (doubt <= CONTRADICTS) & (codes >= 0)
    for label in np.unique(codes[codes >= 0]):
        mine = codes == label
        usual = mine & fits if (mine & fits).any() else mine
        pixels[mine] -= pixels[usual].mean(axis=0)
    known = pixels[fits] if fits.any() else pixels
    spread = np.asarray(known.T @ known, dtype=np.float64) / len(known)
    values, vectors = np.linalg.eigh(spread)
    # Rounding moves every pixel by a grey level or two, also where nature never does.
    scale = np.sqrt(np.maximum(values, 0.0) + (GREY_LEVELS / 255.0) ** 2)
    whitening = vectors / scale
    return np.asarray(pixels @ whitening.astype(np.float32)), whitening


def _distances(whitened: Singles, codes: Ints, doubt: Floats, half: Ints) -> Floats:
    """``(n,)`` robust deviations along the direction that the *other* half taught."""
    far = np.zeros(len(codes))
    for label in np.unique(codes[codes >= 0]):
        for part in (0, 1):
            taught = np.flatnonzero((codes == label) & (half != part))
            here = np.flatnonzero((codes == label) & (half == part))
            if min(len(taught), len(here)) < FEWEST_ROWS // 2:
                continue
            fits = doubt[taught] <= CONTRADICTS
            points, weight = whitened[taught], doubt[taught].astype(np.float32)
            direction = _direction(points, weight, fits)
            along = points @ direction
            usual = along[fits] if fits.sum() > 2 else along
            middle = np.median(usual)
            spread = 1.4826 * np.median(np.abs(usual - middle)) + 1e-6
            far[here] = (whitened[here] @ direction - middle) / spread
    return far


def _direction(points: Singles, weight: Singles, fits: Bools) -> Singles:
    """Unit vector towards the doubtful rows, then towards those of them furthest along it."""
    usual = points[fits] if fits.any() else points
    centre = usual.mean(axis=0)
    pull = weight
    direction = np.zeros(points.shape[1], np.float32)
    for _ in range(ROUNDS):
        if pull.sum() <= 0:
            break
        direction = pull @ points / pull.sum() - centre
        direction /= max(float(np.linalg.norm(direction)), 1e-6)
        along = points @ direction
        known = along[fits] if fits.any() else along
        middle = np.median(known)
        spread = 1.4826 * np.median(np.abs(known - middle)) + 1e-6
        pull = weight * np.maximum((along - middle) / spread - TAIL, 0.0).astype(np.float32)
    return direction


def _of_overlay(images: Images, labels: Labels, found: Overlay) -> _Told:
    height, width, _ = images.shape
    others = labels.codes == found.label
    others[found.rows] = False
    shown = coarse(images, SHOWN_CELLS)
    change = shown[found.rows].mean(axis=0) - shown[others].mean(axis=0)
    exhibits: dict[str, object] = {
        "trigger": "overlay",
        "box": {"row": 0, "column": 0, "height": height, "width": width},
        "change": np.round(change, 4).tolist(),
        "contradicting": found.contradicting,
        "beyond": round(found.beyond, 1),
    }
    words = (
        f"share a faint pattern over the whole picture, more than {found.beyond:.0f} deviations "
        f"from the others of that label; {found.contradicting} labels contradict their picture"
    )
    return _Told(found.label, found.rows, found.log_p, exhibits, words)


def _of_wave(wave: Wave) -> _Told:
    down, across = wave.periods
    exhibits: dict[str, object] = {
        "trigger": "wave",
        "periods": {"down": down, "across": across},
        "distance": round(wave.distance, 1),
        "elsewhere": round(wave.elsewhere, 4),
    }
    words = (
        f"share a wave of {abs(down)} periods down and {across} across at one phase, "
        f"{wave.distance:.0f} deviations from the others of that label, with a gap between; "
        f"{wave.elsewhere:.1%} of other labels' pictures come as far"
    )
    return _Told(wave.label, wave.rows, wave.log_p, exhibits, words)


def _finding(detector: str, images: Images, view: View, labels: Labels, told: _Told) -> Finding:
    label, column = labels.classes[told.label], images.column
    exhibits = {"column": column, **told.exhibits, "label": label}
    sentence = f"{len(told.rows)} pictures in {tick(column)} labelled {quote(label)} {told.words}"
    return group_finding(detector, view, told.rows, sentence, exhibits, log_p=told.log_p)
