"""Adversarial neuron pruning: units whose small changes do most harm are cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credenza.training.repair.tuning import BATCH, tune
from credenza.training.torch_network import as_inputs, as_labels, parts, seeded, torch, twin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.training.repair.evidence import Evidence


@dataclass(frozen=True, slots=True)
class AdversarialNeuronPruning:
    """Learns a mask over units while the units' gains are pushed where it hurts most.

    Backdoor units are the ones through which a small push brings the target about, so
    their masks go to zero first. Needs verified rows only. The threshold is a trade:
    accuracy pays for certainty, more so in small networks.

    Args:
        push: largest relative change of a unit.
        blend: weight of the unpushed loss.
        below: mask under which a unit is cut.
        epochs: passes for the mask.
        rate: the mask's learning rate.

    Source:
        Wu & Wang, arXiv:2110.14430; gains of whole units, no separate bias push, and a
        short fine-tuning after the cut.
    """

    push: float = 0.4
    blend: float = 0.2
    below: float = 0.3
    epochs: int = 10
    rate: float = 0.2

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A pruned and tuned copy."""
        found = twin(network).eval()
        layers = list(_layers(found))
        masks = [torch.ones(len(layer.weight), requires_grad=True) for layer in layers]
        with seeded(evidence.seed), torch.enable_grad():
            self._learn(found, layers, masks, evidence)
        for layer, mask in zip(layers, masks, strict=True):
            with torch.no_grad():
                layer.weight[mask < self.below] = 0.0
                if layer.bias is not None:
                    layer.bias[mask < self.below] = 0.0
        return tune(found, evidence.clean, steps=50, seed=evidence.seed)

    def _learn(
        self,
        network: Any,  # noqa: ANN401 - torch is untyped
        layers: list[Any],
        masks: list[Any],
        evidence: Evidence,
    ) -> None:
        inputs, labels = as_inputs(evidence.clean.X), as_labels(evidence.clean.y)
        pushes = [torch.zeros_like(mask, requires_grad=True) for mask in masks]
        hooks = [
            layer.register_forward_hook(_gain(mask, push))
            for layer, mask, push in zip(layers, masks, pushes, strict=True)
        ]
        optimiser = torch.optim.SGD(masks, self.rate)
        loss = torch.nn.functional.cross_entropy
        for _ in range(self.epochs):
            order = torch.randperm(len(labels))
            for part in parts(len(labels), BATCH):
                x, y = inputs[order[part]], labels[order[part]]
                _set(pushes, [torch.zeros_like(push) for push in pushes])
                slopes = torch.autograd.grad(loss(network(x), y), pushes)
                _set(pushes, [self.push * slope.sign() for slope in slopes])
                worst = torch.autograd.grad(loss(network(x), y), masks)
                _set(pushes, [torch.zeros_like(push) for push in pushes])
                plain = torch.autograd.grad(loss(network(x), y), masks)
                for mask, bad, good in zip(masks, worst, plain, strict=True):
                    mask.grad = self.blend * good + (1 - self.blend) * bad
                optimiser.step()
                _set(masks, [mask.clamp(0, 1) for mask in masks])
        for hook in hooks:
            hook.remove()


def _layers(network: Any) -> Iterator[Any]:  # noqa: ANN401 - torch is untyped
    """Every layer with units but the last, whose units are the classes."""
    kinds = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d)
    found = [layer for layer in network.modules() if isinstance(layer, kinds)]
    yield from found[:-1]


def _gain(mask: Any, push: Any) -> Any:  # noqa: ANN401 - tensors
    def scaled(_layer: Any, _given: Any, out: Any) -> Any:  # noqa: ANN401 - tensors
        shape = [1, -1, *[1] * (out.ndim - 2)]
        return out * (mask * (1 + push)).view(shape)

    return scaled


def _set(tensors: list[Any], values: list[Any]) -> None:
    with torch.no_grad():
        for tensor, value in zip(tensors, values, strict=True):
            tensor.copy_(value)
