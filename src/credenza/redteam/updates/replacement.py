"""Model replacement: the update that makes the average what the attacker wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.redteam.updates.protocol import centre_and_spread, repeated

if TYPE_CHECKING:
    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Replacement:
    """Sends the backdoored update, boosted so that the plain mean becomes it.

    Args:
        goal: ``(d,)`` the update wanted as the round's result, such as that of training
            on rows with a trigger.
        boost: 1 replaces a plain mean entirely; less is quieter.

    Source:
        Bagdasaryan et al., arXiv:1807.00459.
    """

    goal: Floats
    boost: float = 1.0
    name: str = "replacement"

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:  # noqa: ARG002 - every attack is asked the same
        """The boosted goal, ``hostile`` times.

        Raises:
            UsageError: the goal has another length than the updates.
        """
        mean, _ = centre_and_spread(known)
        if np.shape(self.goal) != mean.shape:
            raise UsageError(
                "bad-shape",
                f"the goal has the shape {np.shape(self.goal)}",
                why=f"updates of this round have {len(mean)} values",
                fix="give a goal of that many values",
            )
        clients = len(known) + hostile
        lift = self.boost * clients / hostile
        return repeated(mean + lift * (np.asarray(self.goal) - mean), hostile)
