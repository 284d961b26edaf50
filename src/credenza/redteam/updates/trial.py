"""One round under attack: how far the result was moved, and who was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.training.aggregation.verdicts import Side

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.redteam.updates.protocol import UpdateAttack
    from credenza.training.aggregation.aggregator import RobustAggregator


@dataclass(frozen=True, slots=True)
class Trial:
    """A rule against an attack, in one round.

    Attributes:
        shift: distance of the result from the honest mean, in median distances of honest
            clients from it; the plain mean's is ``undefended``.
        undefended: the same for the plain mean of all finite updates.
        seen: hostile clients named by a verdict.
        accused: honest clients named by a verdict.
        hostile: how many attacked.
        honest: how many did not.
    """

    shift: float
    undefended: float
    seen: int
    accused: int
    hostile: int
    honest: int


def try_attack(
    rule: RobustAggregator,
    attack: UpdateAttack,
    honest: Floats,
    hostile: int,
    rng: np.random.Generator,
) -> Trial:
    """Run one round in which the attackers know every honest update.

    Args:
        rule: the aggregator under test, told of at least ``hostile`` faulty clients.
        attack: what the colluders do.
        honest: ``(m, d)`` honest updates.
        hostile: colluders, placed at random among the others.
        rng: where randomness comes from.
    """
    crafted = attack.craft(honest, hostile, rng)
    order = rng.permutation(len(honest) + hostile)
    updates = np.concatenate([np.asarray(honest, dtype=np.float64), crafted])[order]
    settled = rule.settle(updates)
    mean = np.asarray(honest, dtype=np.float64).mean(axis=0)
    typical = float(np.median(np.linalg.norm(honest - mean, axis=1))) or 1.0
    finite = updates[np.isfinite(updates).all(axis=1)]
    bad = order >= len(honest)
    named = np.asarray([v.side not in (Side.USUAL, Side.UNKNOWN) for v in settled.verdicts])
    return Trial(
        shift=float(np.linalg.norm(settled.update - mean)) / typical,
        undefended=float(np.linalg.norm(finite.mean(axis=0) - mean)) / typical,
        seen=int((named & bad).sum()),
        accused=int((named & ~bad).sum()),
        hostile=hostile,
        honest=len(honest),
    )
