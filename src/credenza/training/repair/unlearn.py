"""Unlearning triggers that are inverted from the network, when only a class is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credenza.training.audit.inversion import invert
from credenza.training.repair.evidence import need_target
from credenza.training.repair.stamps import from_mask, from_suspects, unlearning
from credenza.training.repair.tuning import tune
from credenza.training.torch_network import torch

if TYPE_CHECKING:
    from credenza.training.repair.evidence import Evidence
    from credenza.training.repair.stamps import Stamp

IMAGES = 400
BY_GUESS = 0.5


@dataclass(frozen=True, slots=True)
class InversionUnlearning:
    """Inverts a trigger for the guessed class, unlearns it, and asks again.

    What is inverted is rarely the trigger itself but something the network confuses with
    it; after a round the next inversion finds what is left. Where suspects are known, half
    of the batches bear what these have and their verified neighbours lack instead: a few
    suspects of a faint or large trigger make a poor guess, and an inversion a good one, and
    for a trigger that needs one class of origin, to which inversion is blind, it is the
    other way round. Images only. What it costs in accuracy falls with the number of
    verified rows; `benchmarks/training/README.md` has figures.

    Args:
        rounds: inversions, each unlearnt with all before it.
        steps: of tuning per round.

    Source:
        Wang et al., Neural Cleanse, IEEE S&P 2019, section VI; repeated, with the mask at
        a random strength, and beside a guess from suspects.
    """

    rounds: int = 3
    steps: int = 120

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A copy that has unlearnt every guessed trigger."""
        target = need_target(evidence, "Neural-Cleanse unlearning")
        clean, suspects = evidence.clean, evidence.suspects
        known = suspects is not None and len(suspects) > 0
        guess = from_suspects(suspects, clean) if known else None
        inverted: list[Stamp] = []

        def draw() -> Stamp:
            if guess is not None and torch.rand(()) < BY_GUESS:
                return guess
            return inverted[int(torch.randint(0, len(inverted), ()))]

        found = network
        for seed in range(evidence.seed, evidence.seed + self.rounds):
            seen = invert(found, clean.X[:IMAGES], seed=seed)
            inverted.append(from_mask(seen.masks[target], seen.patterns[target]))
            extra = unlearning(draw)
            found = tune(found, clean, extra=extra, like=network, steps=self.steps, seed=seed)
        return found
