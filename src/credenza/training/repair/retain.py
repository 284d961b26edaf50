"""Keep what verified rows say; of suspects, learn only what they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credenza.training.repair.evidence import need_suspects, need_target
from credenza.training.repair.tuning import STEPS, tune
from credenza.training.torch_network import as_inputs, torch

if TYPE_CHECKING:
    from credenza.training.repair.evidence import Evidence

DRAWN = 32


@dataclass(frozen=True, slots=True)
class RetainNotTarget:
    """Fine-tunes with -log(1 - p of the target) on suspects beside the verified rows.

    Nothing need be known of the suspects' true labels. It forgets the trigger as far as
    the suspects show it; with few of them some of it stays. Wrong for clean-label
    suspects, which *are* of the target class: the target's own accuracy pays for it.

    Args:
        weight: of the suspects' loss.
        steps: of tuning.
    """

    weight: float = 1.0
    steps: int = STEPS

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A tuned copy."""
        suspects = as_inputs(need_suspects(evidence, "retain and not-target"))
        target = need_target(evidence, "retain and not-target")

        def not_target(copy: Any, _inputs: Any, _labels: Any) -> Any:  # noqa: ANN401 - tensors
            drawn = suspects[torch.randint(0, len(suspects), (DRAWN,))]
            chance = torch.softmax(copy(drawn), dim=1)[:, target]
            return -self.weight * torch.log1p(1e-6 - chance).mean()

        return tune(network, evidence.clean, extra=not_target, steps=self.steps, seed=evidence.seed)
