"""How pictures are made, whatever they show: grain, sharpness, light; and who shares a manner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from credenza.screening.features.contradictions import PRIOR, PURE, SPREAD, log_tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.contradictions import Crowd
    from credenza.screening.features.image import Images

STEPS = (1, 2, 4)
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
LOOKED_AT = 64
FAINT = 10
CUTS = 30
RIDGE = 1e-3
NAMES: tuple[str, ...] = (
    *(
        f"{what} between pixels {step} apart"
        for step in STEPS
        for what in (*(f"{100 * q:.0f} % quantile of differences" for q in QUANTILES), "difference")
    ),
    "black pixels",
    "nearly black pixels",
    "white pixels",
    "odd grey levels",
)


def manner(images: Images) -> Floats:
    """``(n, 25 + 2 c)`` how fine, sharp, noisy, bright and saturated each picture is.

    Differences of pixels from their four neighbours one, two and four pixels away, as
    logarithms of quantiles and means; shares of black, faint, white and odd grey levels; mean and
    deviation of each channel. Of large pictures 64 x 64 pixels are looked at. Blind to
    where in the picture something lies.
    """
    height, width, channels = images.shape
    down, across = (np.arange(0, side, -(-side // LOOKED_AT)) for side in (height, width))
    found = np.empty((len(images.pixels), len(NAMES) + 2 * channels))
    for block in images.blocks():
        pixels = images.pixels[block]
        light = pixels.mean(axis=3, dtype=np.float32)
        here = light[:, down][:, :, across]
        parts = []
        for step in STEPS:
            up, low = np.maximum(down - step, 0), np.minimum(down + step, height - 1)
            left, right = np.maximum(across - step, 0), np.minimum(across + step, width - 1)
            around = light[:, up][:, :, across] + light[:, low][:, :, across]
            around += light[:, down][:, :, left] + light[:, down][:, :, right]
            away = np.abs(here - around / 4).reshape(len(here), -1)
            parts += [*np.quantile(away, QUANTILES, axis=1), away.mean(axis=1)]
        flat = pixels[:, down][:, :, across].reshape(len(here), -1, channels)
        faint = (flat > 0) & (flat < FAINT)
        shares = [(is_in).mean(axis=(1, 2)) for is_in in (flat == 0, faint, flat == 255)]
        shares.append((flat & 1).mean(axis=(1, 2)))
        found[block, : len(NAMES)] = np.stack([*np.log1p(parts), *shares], axis=1)
        found[block, len(NAMES) :] = np.hstack([flat.mean(axis=1), flat.std(axis=1)]) / 50
    return found


@dataclass(frozen=True, slots=True, eq=False)
class SharedManner:
    """A manner that rows which contradict a label share.

    Attributes:
        label: code of the label.
        rows: contradicting rows at least ``beyond`` along it.
        beyond: deviations of the rows that they are compared with.
        sharing: contradicting rows at the most surprising distance, distinct pictures.
        expected: how many of them there would be, at most.
        change: ``(d,)`` mean of the rows less that of honest rows which show the same, in
            the latter's deviations.
        log_p: natural logarithm of the p-value, corrected for labels, learners and distances.
    """

    label: int
    rows: Ints
    beyond: float
    sharing: int
    expected: float
    change: Floats
    log_p: float

    def said(self) -> str:
        """What differs most, in words."""
        most = int(np.abs(self.change[: len(NAMES)]).argmax())
        return f"{'more' if self.change[most] > 0 else 'less'} {NAMES[most]}"


def shared_manners(
    points: Floats,
    beliefs: Beliefs,
    crowds: Sequence[Crowd],
    tested: Bools,
    half: Ints,
    *,
    looks: int,
) -> Iterator[SharedManner]:
    """What rows that contradict a label have in common in the way they are made.

    Rows that contradict a label are compared with three kinds of rows: honest ones that show the
    same, honest ones of the label, and rows that contradict other labels. A picture
    that is between two classes, or hard to tell, lies between these; one that was treated
    does not. So the direction that separates the crowd is freed of what leads
    from one kind to another; it is learnt on one half of the pictures and measured on
    the other. How many lie beyond a distance has a Poisson tail against twice the largest of
    the three rates.

    Args:
        points: ``(n, d)`` manners.
        beliefs: what the labels should be.
        crowds: rows that contradict each label, distinct pictures.
        tested: ``(n,)`` rows under test.
        half: ``(n,)`` 0 or 1, by content.
        looks: labels and learners that are asked.

    Complexity:
        O(n · d²) a label.

    Source:
        Fisher's discriminant; the three references and the common directions are ours.
    """
    for crowd in crowds:
        references = _references(beliefs, crowd)
        far = np.zeros(len(points))
        for part in (0, 1):
            taught, here = half != part, half == part
            weights = [one * taught / one[taught].sum() for one in references if one[taught].any()]
            mine = crowd.rows[taught[crowd.rows]]
            if len(weights) < 2 or len(mine) == 0:
                break
            far[here] = _along(points[here], points, points[mine].mean(axis=0), weights)
        else:
            wrong = np.flatnonzero(beliefs.disagrees & tested & (beliefs.codes == crowd.label))
            yield _measured(far, points, crowd, wrong, references, looks=looks)


def tempered(found: Sequence[SharedManner], labels: int) -> Iterator[SharedManner]:
    """The same, each with its log p divided by how surprising the other labels' manners are.

    Pictures of a label come in kinds, and a kind that is hard to tell has a manner of its
    own: tiles of a photograph that are all sky. How much so differs from data to data, and
    the median of the other labels tells, as long as fewer than half of them were attacked.

    Args:
        found: one a label, by one learner.
        labels: how many there are; those without a manner surprise nobody.
    """
    for one in found:
        others = [-other.log_p for other in found if other is not one]
        others += [0.0] * max(0, labels - 1 - len(others))
        scale = float(np.median(others)) / np.log(2) if others else 1.0
        yield replace(one, log_p=one.log_p / max(1.0, scale))


def _references(beliefs: Beliefs, crowd: Crowd) -> list[Floats]:
    """``(n,)`` weights of each kind of row that a crowd is compared with, that sum to one."""
    honest = ~beliefs.disagrees & (beliefs.shown == beliefs.codes)
    mine = beliefs.codes == crowd.label
    shown = np.bincount(crowd.shown, minlength=len(beliefs.classes))
    found = []
    for rows, is_matched in (
        (honest, True),
        (honest & mine, False),
        (beliefs.disagrees & ~mine, True),
    ):
        weight = rows.astype(np.float64)
        if is_matched:
            size = np.bincount(beliefs.shown[rows], minlength=len(shown))
            matched = weight * (shown / np.maximum(size, 1))[beliefs.shown]
            weight = matched if matched.any() else weight
        if weight.any():
            found.append(weight / weight.sum())
    return found


def _along(asked: Floats, points: Floats, mean: Floats, weights: list[Floats]) -> Floats:
    """``(m,)`` deviations of points towards ``mean``, across what the references differ in."""
    centres = np.array([weight @ points for weight in weights])
    spread = np.zeros((points.shape[1],) * 2)
    for weight, centre in zip(weights, centres, strict=True):
        rows = np.flatnonzero(weight)
        away = points[rows] - centre
        spread += (away * weight[rows, None]).T @ away / len(weights)
    spread += np.diag(RIDGE * np.diag(spread) + 1e-6)
    middle = centres.mean(axis=0)
    between = centres[1:] - centres[0]
    solved = np.linalg.solve(spread, np.column_stack([mean - middle, between.T]))
    direction, common = solved[:, 0], solved[:, 1:]
    overlap = between @ common + 1e-9 * np.eye(len(between))
    direction = direction - common @ np.linalg.solve(overlap, between @ direction)
    size = np.sqrt(max(float(direction @ spread @ direction), 1e-12))
    return np.asarray((asked - middle) @ direction / size)


def _measured(
    far: Floats,
    points: Floats,
    crowd: Crowd,
    wrong: Ints,
    references: list[Floats],
    *,
    looks: int,
) -> SharedManner:
    """The most surprising distance, and the rows beyond one at which nature has a tenth."""
    mine = far[crowd.rows]
    cuts = np.unique(np.quantile(mine, np.linspace(0, 1 - 1 / CUTS, CUTS)))
    sharing = np.array([(mine >= cut).sum() for cut in cuts])
    nature = [max(float(weight[far >= cut].sum()) for weight in references) for cut in cuts]
    rate = SPREAD * len(mine) * np.array(nature) + PRIOR
    log_p = log_tail(sharing, rate)
    best = int(log_p.argmin())
    pure = np.flatnonzero(rate <= (1 - PURE) * sharing)
    beyond = float(cuts[pure[0]]) if len(pure) else np.inf
    rows = wrong[far[wrong] >= beyond]
    usual = references[0] @ points
    deviation = np.sqrt(references[0] @ (points - usual) ** 2) + 1e-9
    change = (points[rows].mean(axis=0) - usual) / deviation if len(rows) else np.zeros(len(usual))
    return SharedManner(
        crowd.label,
        rows,
        beyond,
        int(sharing[best]),
        float(rate[best]),
        change,
        min(0.0, float(log_p[best] + np.log(CUTS * looks))),
    )
