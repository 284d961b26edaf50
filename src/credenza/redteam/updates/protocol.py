"""What an attack on a round must offer, and what it may know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from credenza.core.types import Floats


class UpdateAttack(Protocol):
    """Crafts the updates of colluding clients."""

    @property
    def name(self) -> str:
        """Hyphenated, unique among attacks on updates."""
        ...

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:
        """``(hostile, d)`` updates.

        Args:
            known: ``(m, d)`` honest updates that the attackers know: in the worst case
                those of all honest clients, in the usual one what their own clean data
                would have given.
            hostile: colluding clients.
            rng: where randomness comes from.

        Raises:
            UsageError: nothing is known.
        """
        ...


def centre_and_spread(known: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every coordinate of the updates that are known.

    Raises:
        UsageError: nothing is known.
    """
    if known.ndim != 2 or not len(known):
        raise UsageError(
            "nothing-known",
            "the attack needs honest updates to start from",
            why=f"it was given an array of shape {known.shape}",
            fix="give (m, d) updates, those of the attackers' own clean data for instance",
        )
    wide = np.asarray(known, dtype=np.float64)
    return wide.mean(axis=0), wide.std(axis=0)


def repeated(update: Floats, hostile: int) -> Floats:
    """``(hostile, d)`` copies of one update."""
    return np.repeat(np.asarray(update, dtype=np.float64)[None, :], hostile, axis=0)
