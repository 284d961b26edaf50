"""Fine-tuning alone, plain or sharpness-aware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credenza.training.repair.tuning import EPOCHS, tune

if TYPE_CHECKING:
    from credenza.training.repair.evidence import Evidence


@dataclass(frozen=True, slots=True)
class FineTune:
    """Learns on from verified rows. The yardstick: it hardly touches a backdoor.

    With a ``radius`` each step is taken where the loss is worst nearby, which pushes large
    weights of backdoor units down; stronger, at some loss of accuracy.

    Args:
        radius: of the sharpness-aware step; 0: plain.
        epochs: passes over the verified rows.

    Source:
        FT-SAM: Zhu et al., arXiv:2304.11823, with one radius for all weights.
    """

    radius: float = 0.0
    epochs: int = EPOCHS

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A tuned copy."""
        return tune(
            network, evidence.clean, radius=self.radius, epochs=self.epochs, seed=evidence.seed
        )
