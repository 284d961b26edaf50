"""FoolsGold and FLAME: rules that compare the directions of updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.aggregation.gram import about
from credenza.training.aggregation.rule import Plan
from credenza.training.aggregation.updates import zeros

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats
    from credenza.training.aggregation.blocks import Row
    from credenza.training.aggregation.rule import Crowd


@dataclass(frozen=True, slots=True)
class FoolsGold:
    """Clients that point the same way as another count less.

    Made for many sybils of one attacker among honest clients whose data differ. Blind
    to a lone attacker, and harsh on honest clients with like data: when all agree, all
    weights vanish and the result is zero.

    Source:
        Fung et al., arXiv:1808.04866, on the round's updates; a server that wants the
        paper's memory passes the sums of past updates. Weights are normalised to 1.
    """

    measures: bool = True

    def least(self, faulty: int) -> int:
        """Two, one of them honest, however many are sybils."""
        return max(2, faulty + 1)

    def anchors(self, dimension: int) -> tuple[Row, ...]:
        """The origin that directions start from."""
        return (zeros(dimension),)

    def plan(self, crowd: Crowd) -> Plan:
        """Weights that fall with the likeness to the most alike."""
        cosine, _ = _directions(crowd)
        np.fill_diagonal(cosine, -np.inf)
        most = cosine.max(axis=1)
        # Pardon: whoever is less alike than its partner is judged by that ratio.
        larger = most[None, :] > np.maximum(most[:, None], 0)
        pardon = np.where(larger, np.maximum(most[:, None], 0) / np.where(larger, most, 1), 1.0)
        off_diagonal = ~np.eye(crowd.size, dtype=np.bool_)
        alike = np.where(off_diagonal, cosine, 0.0) * pardon
        alike[~off_diagonal] = -np.inf
        trust = np.clip(1 - alike.max(axis=1), 0.0, 1.0)
        if trust.max() > 1e-6:
            trust = np.clip(trust / trust.max(), 1e-12, 0.99)
            trust = np.clip(np.log(trust / (1 - trust)) + 0.5, 0.0, 1.0)
        else:
            trust = np.zeros(crowd.size)
        weights = np.append(trust / max(trust.sum(), 1e-300), 0.0)
        return Plan(weights[None, :])


@dataclass(frozen=True, slots=True)
class Flame:
    """Average the majority cluster of directions, clipped to the median length.

    Single linkage on cosine distance, cut where a cluster first holds more than half the
    clients; whoever is within ``slack`` times that height of a member belongs too. The
    paper clusters with HDBSCAN, which leaves honest clients out as noise of a single
    cluster, and adds noise, which is left to the privacy part: it is no part of the
    clustering. Blind to colluders within the honest cone.

    Args:
        slack: how far beyond the cut, as a multiple of its height, clients still belong.

    Source:
        Nguyen et al., arXiv:2101.02281, steps 1 and 2.
    """

    slack: float = 2.0
    measures: bool = True

    def least(self, faulty: int) -> int:
        """An honest majority, and enough to cluster."""
        return max(3, 2 * faulty + 1)

    def anchors(self, dimension: int) -> tuple[Row, ...]:
        """The origin that directions start from."""
        return (zeros(dimension),)

    def plan(self, crowd: Crowd) -> Plan:
        """Equal weights in the majority cluster, long updates scaled down."""
        if not self.slack >= 1:
            raise UsageError("bad-parameter", f"flame with a slack of {self.slack}")
        cosine, length = _directions(crowd)
        distance = 1 - np.clip(cosine, -1, 1)
        np.fill_diagonal(distance, 0.0)  # by rounding a client may seem apart from itself
        kept = _majority(distance, self.slack)
        scale = np.minimum(1.0, np.median(length) / np.maximum(length, 1e-300))
        weights = np.append(np.where(kept, scale, 0.0) / kept.sum(), 0.0)
        return Plan(weights[None, :])


def _directions(crowd: Crowd) -> tuple[Floats, Floats]:
    """``(n, n)`` cosines between the clients and ``(n,)`` lengths, from the last anchor."""
    gram = crowd.measure()
    origin = np.zeros(len(gram))
    origin[-1] = 1.0
    inner = about(gram, origin)[: crowd.size, : crowd.size]
    length = np.sqrt(np.maximum(np.diag(inner), 0.0))
    scale = np.maximum(length, 1e-300)
    return np.asarray(inner / scale[:, None] / scale[None, :]), np.asarray(length)


def _majority(distance: Floats, slack: float) -> Bools:
    """``(n,)`` True for the first single-linkage cluster of more than half the rows."""
    heights = np.unique(distance)
    low, high = 0, len(heights) - 1
    while low < high:
        half = (low + high) // 2
        if 2 * _largest(distance <= heights[half]).sum() > len(distance):
            high = half
        else:
            low = half + 1
    members = _largest(distance <= heights[low])
    return np.asarray((distance[:, members] <= slack * heights[low]).any(axis=1))


def _largest(linked: Bools) -> Bools:
    """``(n,)`` True for the largest connected component."""
    component = np.arange(len(linked))
    while True:
        lowest = np.where(linked, component[None, :], len(linked)).min(axis=1)
        if np.array_equal(lowest, component):
            break
        component = lowest
    return np.asarray(component == np.bincount(component).argmax())
