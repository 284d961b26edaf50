"""Unlearning triggers that are inverted from the network, when only a class is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credenza.training.audit.inversion import invert
from credenza.training.repair.evidence import need_target
from credenza.training.repair.tuning import tune
from credenza.training.torch_network import as_inputs, torch

if TYPE_CHECKING:
    from credenza.training.repair.evidence import Evidence

IMAGES = 400


@dataclass(frozen=True, slots=True)
class InversionUnlearning:
    """Inverts a trigger for the guessed class, unlearns it, and asks again.

    What is inverted is rarely the trigger itself but something the network confuses with
    it; after a round the next inversion finds what is left. Images only. Blind to
    triggers that need one class of origin. What it costs in accuracy falls with the number
    of verified rows; `benchmarks/training/README.md` has figures.

    Args:
        rounds: inversions, each unlearnt with all before it.
        steps: of tuning per round.

    Source:
        Wang et al., Neural Cleanse, IEEE S&P 2019, section VI; repeated, and with the
        mask at a random strength.
    """

    rounds: int = 3
    steps: int = 120

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A copy that has unlearnt every inverted trigger."""
        target = need_target(evidence, "Neural-Cleanse unlearning")
        triggers: list[tuple[Any, Any]] = []
        found = network

        def stamped(copy: Any, inputs: Any, labels: Any) -> Any:  # noqa: ANN401 - tensors
            mask, pattern = triggers[int(torch.randint(0, len(triggers), (1,)))]
            mask = mask * (0.2 + 0.8 * torch.rand(len(inputs), 1, 1, 1))
            marked = (1 - mask) * inputs + mask * pattern
            return torch.nn.functional.cross_entropy(copy(marked), labels)

        for round_ in range(self.rounds):
            seed = evidence.seed + round_
            seen = invert(found, evidence.clean.X[:IMAGES], seed=seed)
            triggers.append((as_inputs(seen.masks[target]), as_inputs(seen.patterns[target])))
            found = tune(
                found, evidence.clean, extra=stamped, like=network, steps=self.steps, seed=seed
            )
        return found
