"""Adversarial training against poisons: learn what small changes cannot alter."""

from __future__ import annotations

from typing import Any

from credenza.core.errors import UsageError
from credenza.training.robust.defence import Idle
from credenza.training.torch_network import torch, watching


class PoisonAdversary(Idle):
    """Half of each batch is perturbed against its label, half gets a random patch.

    Perturbed rows make faint patterns useless as features; random patches with true
    labels teach that a small square means nothing. Costs a second pass and some accuracy.
    Blind to triggers larger than the patches and stronger than the perturbation.

    Args:
        reach: largest change of an input.
        patch: most pixels on a side of a patch; 0: no patches.

    Source:
        Geiping et al., arXiv:2102.13624, with one gradient-sign step in place of crafted
        poisons, and random patches in place of optimised ones.
    """

    def __init__(self, *, reach: float = 0.1, patch: int = 6) -> None:
        if reach < 0 or patch < 0:
            raise UsageError("bad-parameter", "reach and patch must not be negative")
        self.reach = reach
        self.patch = patch

    def alter(self, network: Any, inputs: Any, labels: Any) -> Any:  # noqa: ANN401 - torch is untyped
        """The batch, half of it perturbed and half patched, by chance."""
        found = inputs.clone()
        first = torch.rand(len(inputs)) < 0.5
        if self.reach and first.any():
            found[first] = self._perturbed(network, inputs[first], labels[first])
        if self.patch and inputs.ndim == 4:
            _patch(found, torch.nonzero(~first)[:, 0], self.patch)
        return found

    def _perturbed(self, network: Any, inputs: Any, labels: Any) -> Any:  # noqa: ANN401 - tensors
        with watching(network, gradients=True):
            given = inputs.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy(network(given), labels)
            (slope,) = torch.autograd.grad(loss, [given])
        return (inputs + self.reach * slope.sign()).clamp(float(inputs.min()), float(inputs.max()))


def _patch(images: Any, rows: Any, most: int) -> None:  # noqa: ANN401 - tensors
    """A random square of random pixels on each of ``rows``, in place."""
    _, channels, height, width = images.shape
    for row in rows.tolist():
        size = int(torch.randint(1, min(most, height, width) + 1, (1,)))
        top = int(torch.randint(0, height - size + 1, (1,)))
        left = int(torch.randint(0, width - size + 1, (1,)))
        square = torch.rand(channels, size, size).round()
        images[row, :, top : top + size, left : left + size] = square
