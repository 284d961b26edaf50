"""Unlearning the trigger that suspect rows have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credenza.training.repair.evidence import need_suspects
from credenza.training.repair.stamps import STRONGEST, from_suspects, unlearning
from credenza.training.repair.tuning import STEPS, tune

if TYPE_CHECKING:
    from credenza.training.repair.evidence import Evidence


@dataclass(frozen=True, slots=True)
class TransplantUnlearning:
    """Puts what suspects have and their verified neighbours lack on verified rows.

    Fine-tuned with their right labels, the network learns that the trigger means nothing.
    A few suspects suffice when they share one fixed trigger; blind to triggers that move
    or differ from row to row, and misled by suspects that are mostly honest.

    Args:
        strongest: the guess is added with a strength drawn between 0 and this.
        steps: of tuning.
    """

    strongest: float = STRONGEST
    steps: int = STEPS

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A copy that has unlearnt the guess."""
        suspects = need_suspects(evidence, "transplant unlearning")
        stamp = from_suspects(suspects, evidence.clean, self.strongest)
        extra = unlearning(lambda: stamp)
        return tune(network, evidence.clean, extra=extra, steps=self.steps, seed=evidence.seed)
