"""Neural Cleanse: the smallest mask that turns every row into a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Outcome, Silence
from credenza.training.audit.case import Check
from credenza.training.audit.triggers import spread_rows

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.audit.case import Case

STEPS = 80
BATCH = 48
RATE = 0.15
SPARSITY = 0.02


@dataclass(frozen=True, slots=True)
class Inverted:
    """A mask and a pattern for each class.

    Attributes:
        masks: ``(C, height, width)`` how far each pixel is replaced.
        patterns: ``(C, channels, height, width)`` by what.
        sizes: ``(C,)`` sums of the masks.
    """

    masks: Floats
    patterns: Floats
    sizes: Floats

    def stamp(self, X: Any, target: int) -> Any:  # noqa: ANN401 - arrays of any kind
        """Images with one class's trigger on them."""
        mask = self.masks[target]
        return ((1 - mask) * X + mask * self.patterns[target]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class TriggerInversion:
    """Mask sizes of the model, class by class, as shares of the baseline's.

    A backdoor is a shortcut to its class, so a small mask suffices. Classes differ by
    nature in how easy they are to reach; the baseline's masks take that out, which the
    original compares among classes. Finds triggers that work from every class; blind to
    those that need one class, and weak when the trigger is large and faint to the network.

    Args:
        below: share of the baseline's mask, relative to the median class, that rejects.
        rows: verified images the masks are made on.

    Source:
        Wang et al., Neural Cleanse, IEEE S&P 2019.
    """

    below: float = 0.5
    rows: int = 200
    name: str = "inversion"

    def check(self, case: Case) -> Check | Silence:
        """The class whose mask shrank most against the baseline's."""
        networks = [getattr(one, "network_", None) for one in (case.model, case.baseline)]
        X = np.asarray(case.clean.X)
        if None in networks or X.ndim != 4:
            return Silence(self.name, "it needs torch networks and images")
        chosen = spread_rows(case.clean.y, self.rows, case.seed)
        ours, theirs = (invert(network, X[chosen], seed=case.seed) for network in networks)
        ratio = ours.sizes / np.maximum(theirs.sizes, 1e-9)
        relative = ratio / np.median(ratio)
        target = int(relative.argmin())
        caught = float(relative[target]) < self.below
        exhibits: dict[str, object] = {
            "class": target,
            "relative": round(float(relative[target]), 3),
            "pixels": round(float(ours.sizes[target]), 1),
            "baseline_pixels": round(float(theirs.sizes[target]), 1),
            "below": self.below,
            "relatives": [round(float(one), 3) for one in relative],
        }
        sentence = (
            "a mask of {pixels} pixels turns any image into class {class}, the baseline "
            "needs {baseline_pixels}: {relative} of what is usual; below {below} is rejected"
        ).format_map(exhibits)
        pictures = {
            f"mask for class {target}": ours.masks[target][None],
            f"pattern for class {target}": ours.masks[target] * ours.patterns[target],
        }
        outcome = Outcome.REJECT if caught else Outcome.ADMIT
        return Check(
            self.name, outcome, sentence, exhibits, target if caught else -1, pictures=pictures
        )


def invert(network: Any, X: Any, *, seed: int = 0, steps: int = STEPS) -> Inverted:  # noqa: ANN401 - torch is untyped
    """Masks and patterns for all classes at once.

    Args:
        network: a classifier of images; not changed.
        X: ``(n, channels, height, width)`` verified images in [0, 1].
        seed: of the batches.
        steps: of the optimiser.
    """
    from credenza.training.torch_network import (  # noqa: PLC0415 - torch is an extra
        as_inputs,
        torch,
        watching,
    )

    images = as_inputs(X)
    draw = torch.Generator().manual_seed(seed)
    with watching(network, gradients=True):
        classes = network(images[:1]).shape[1]
        mask = torch.full((classes, 1, *images.shape[2:]), -2.0, requires_grad=True)
        pattern = torch.zeros((classes, *images.shape[1:]), requires_grad=True)
        optimiser = torch.optim.Adam([mask, pattern], RATE)
        wanted = torch.arange(classes).repeat_interleave(BATCH)
        for _ in range(steps):
            batch = images[torch.randint(0, len(images), (BATCH,), generator=draw)]
            part = torch.sigmoid(mask)[:, None]
            mixed = (1 - part) * batch[None] + part * torch.sigmoid(pattern)[:, None]
            reached = torch.nn.functional.cross_entropy(
                network(mixed.flatten(0, 1)), wanted, reduction="sum"
            )
            loss = reached / BATCH + SPARSITY * part.sum()
            # Gradients for the trigger only, never into the network's own.
            mask.grad, pattern.grad = torch.autograd.grad(loss, [mask, pattern])
            optimiser.step()
    masks = torch.sigmoid(mask).detach()[:, 0].numpy().astype(np.float64)
    patterns = torch.sigmoid(pattern).detach().numpy().astype(np.float64)
    return Inverted(masks, patterns, masks.sum(axis=(1, 2)))
