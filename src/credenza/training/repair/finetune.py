"""Fine-tuning alone, plain or sharpness-aware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credenza.training.repair.tuning import STEPS, tune

if TYPE_CHECKING:
    from credenza.training.repair.evidence import Evidence


@dataclass(frozen=True, slots=True)
class FineTune:
    """Learns on from verified rows. The yardstick: it hardly touches a backdoor.

    With a ``radius`` each step is taken where the loss is worst nearby, which pushes large
    weights of backdoor units down; stronger, at some loss of accuracy.

    Args:
        radius: of the sharpness-aware step; 0: plain.
        steps: of tuning.

    Source:
        FT-SAM: Zhu et al., arXiv:2304.11823, with one radius for all weights.
    """

    radius: float = 0.0
    steps: int = STEPS

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A tuned copy."""
        return tune(
            network, evidence.clean, radius=self.radius, steps=self.steps, seed=evidence.seed
        )
