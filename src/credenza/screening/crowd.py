"""How far some sources lie above a crowd of honest ones that are not all alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from credenza.core.types import Floats

MAY_ACT = 4
LARGEST_GROUPS = 8
USUAL_SPREAD = 0.1
SKEWED = 0.3
SPREADS = 20
MIDDLES = 33
NORMAL_MAD = 1.4826
LEAST_P = 1e-300


class Above(NamedTuple):
    """How surprising sources are in a crowd.

    Attributes:
        alone: ``(s,)`` chance that an honest source lies as high as this one.
        together: chance that a few of so many honest sources lie as high as the highest do.
    """

    alone: Floats
    together: float


def above_the_crowd(estimate: Floats, error: Floats) -> Above:
    """Compare each source, and the highest few, with what honest sources could be.

    Honest sources are draws from a population: their true shares of wrong labels differ, with
    an unknown middle and spread, by a normal distribution or, three times in ten, by an
    exponential one, for bad senders are rare and may be very bad. All that is averaged over
    with the weight that the lower sources give it, so that few sources, or unlike ones, are
    trusted to say little. Of the highest k, when these are judged, only that they lie above
    the others is taken: who acts there can neither widen nor move the crowd.

    At most a quarter may act. Blind to what most sources do, and to an honest source that is
    alone in being unlike all others: nothing tells it from one that acts.

    Args:
        estimate: ``(s,)`` share of wrong labels above what was expected, ``s >= 2``.
        error: ``(s,)`` standard error of each, above 0.

    Source:
        Random effects as in meta-analysis, DerSimonian and Laird 1986; the half-Cauchy prior
        of the spread, Gelman 2006; that k of s lie so high, Berk and Jones 1979.
    """
    middle, scale = _rough(estimate, error)
    order = np.argsort((estimate - middle) / scale, kind="stable")
    x, error, scale = estimate[order], error[order], scale[order]
    height = (x - middle) / scale
    s, sizes = len(x), _group_sizes(len(x))
    spreads, weights = _spreads(x, error)
    heights, alone, together = [], [], []
    for spread, weight in zip(spreads, weights, strict=True):
        middles = _middles(x, error, spread)
        gap = x - middles[:, None]
        for family, prior in ((_normal, 1.0 - SKEWED), (_skewed, SKEWED)):
            log_density, log_tail = family(gap, error, spread)
            tail = np.exp(log_tail)
            highest = np.sort(tail, axis=1)
            of_lower = np.cumsum(log_density, axis=1)
            for k in sizes:
                cut = middle + height[-k - 1] * scale[-k:] - middles[:, None]
                log_l = of_lower[:, -k - 1] + family(cut, error[-k:], spread)[1].sum(axis=1)
                norm = special.logsumexp(log_l)
                at = np.exp(log_l - norm)
                heights.append(norm + np.log(prior * weight * (middles[1] - middles[0])))
                alone.append(at @ tail)
                together.append(at @ special.betainc(k, s - k + 1, highest[:, k - 1]))
    posterior = special.softmax(np.reshape(heights, (-1, len(sizes))), axis=0)
    joint = (posterior * np.reshape(together, posterior.shape)).sum(axis=0)
    best = int(joint.argmin())
    p = np.empty(s)
    p[order] = posterior[:, best] @ np.reshape(alone, (*posterior.shape, s))[:, best]
    return Above(np.clip(p, LEAST_P, 1.0), float(min(1.0, len(sizes) * joint[best])))


def _rough(x: Floats, error: Floats) -> tuple[float, Floats]:
    """Median, and each source's standard deviation, by which they are put in order."""
    middle = float(np.median(x))
    seen = float(np.median(np.abs(x - middle))) * NORMAL_MAD
    between = max(seen**2 - float(np.median(error)) ** 2, 0.0)
    return middle, np.sqrt(error**2 + between)


def _group_sizes(sources: int) -> list[int]:
    """How many may act: each number up to a quarter, or eight of them if there are more."""
    most = max(1, sources // MAY_ACT)
    return sorted({round(k) for k in np.geomspace(1, most, min(most, LARGEST_GROUPS))})


def _spreads(x: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Spreads between sources, from none worth the name to all that is seen; their weights.

    Half a percent of wrong labels is usual among 20 sources, and more is thought possible
    where fewer can show it.
    """
    unit = float(np.median(error))
    spreads = unit * np.geomspace(0.1, max(20.0, 3.0 * float(np.ptp(x)) / unit), SPREADS)
    edges = np.concatenate([[0.0], np.sqrt(spreads[1:] * spreads[:-1]), [np.inf]])
    return spreads, np.diff(np.arctan(edges * len(x) / USUAL_SPREAD))


def _middles(x: Floats, error: Floats, spread: float) -> Floats:
    """Where the crowd's middle may be: around the weighted median."""
    weight = 1.0 / (error**2 + spread**2)
    order = np.argsort(x, kind="stable")
    centre = x[order][np.searchsorted(np.cumsum(weight[order]), 0.5 * weight.sum())]
    half = 5.0 / np.sqrt(weight.sum()) + 0.35 / np.sqrt(np.median(weight))
    return np.asarray(centre + np.linspace(-half, half, MIDDLES))


def _normal(gap: Floats, error: Floats, spread: float) -> tuple[Floats, Floats]:
    """Logarithms of density and tail at a distance from the middle."""
    sd = np.sqrt(error**2 + spread**2)
    z = gap / sd
    return -0.5 * (z**2 + np.log(2 * np.pi)) - np.log(sd), np.asarray(special.log_ndtr(-z))


def _skewed(gap: Floats, error: Floats, spread: float) -> tuple[Floats, Floats]:
    """The same for an exponential distribution, ``spread`` its scale, with normal errors."""
    above_least = gap + np.log(2.0) * spread
    z, ratio = above_least / error, error / spread
    log_e = 0.5 * ratio**2 - above_least / spread + special.log_ndtr(z - ratio)
    return log_e - np.log(spread), np.logaddexp(special.log_ndtr(-z), log_e)
