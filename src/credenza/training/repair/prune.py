"""Pruning inputs of the last layer, by two orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.training.activations.layers import LayerActivations
from credenza.training.audit.case import guesses
from credenza.training.repair.evidence import need_suspects
from credenza.training.repair.tuning import STEPS, tune
from credenza.training.torch_classifier import TrainedNetwork
from credenza.training.torch_network import last_linear, torch, twin

if TYPE_CHECKING:
    from credenza.core.types import Ints
    from credenza.training.audit.case import Rows
    from credenza.training.repair.evidence import Evidence


@dataclass(frozen=True, slots=True)
class ActivationDifference:
    """Prunes the units that suspects excite more than verified rows do, then fine-tunes.

    Compared within what the network calls the same class, so that units of the class
    itself stay. Blind to a backdoor that shares its units with the class.

    Args:
        lost: accuracy on verified rows that pruning may cost before tuning.
        steps: of tuning.

    Source:
        After Liu et al., Fine-Pruning, arXiv:1805.12185, ordered by suspects.
    """

    lost: float = 0.02
    steps: int = STEPS

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A pruned and tuned copy."""
        suspects = need_suspects(evidence, "activation-difference pruning")
        seen, model = LayerActivations(network), TrainedNetwork(network)
        called = np.bincount(guesses(model, suspects)).argmax()
        alike = guesses(model, evidence.clean.X) == called
        clean = seen.activations(evidence.clean.X)
        usual = clean[alike].mean(axis=0) if alike.any() else clean.mean(axis=0)
        apart = seen.activations(suspects).mean(axis=0) - usual
        order = np.argsort(-apart, kind="stable")[: int((apart > 0).sum())]
        return _prune_and_tune(network, evidence, order, self.lost, self.steps)


@dataclass(frozen=True, slots=True)
class FinePruning:
    """Prunes the units that verified rows use least, then fine-tunes.

    Needs no suspects, and does little against a backdoor that lives in busy units, as
    most do: the yardstick for pruning.

    Args:
        lost: accuracy on verified rows that pruning may cost before tuning.
        steps: of tuning.

    Source:
        Liu et al., arXiv:1805.12185.
    """

    lost: float = 0.02
    steps: int = STEPS

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A pruned and tuned copy."""
        used = np.abs(LayerActivations(network).activations(evidence.clean.X)).mean(axis=0)
        order = np.argsort(used, kind="stable")
        return _prune_and_tune(network, evidence, order, self.lost, self.steps)


def _prune_and_tune(
    network: Any,  # noqa: ANN401 - torch is untyped
    evidence: Evidence,
    order: Ints,
    lost: float,
    steps: int,
) -> Any:  # noqa: ANN401 - torch is untyped
    found = twin(network)
    least = _accuracy(network, evidence.clean) - lost
    pruned: list[int] = []
    for unit in order[: len(order) - 1]:
        column = last_linear(found).weight.detach()[:, unit].clone()
        _silence(found, [int(unit)])
        if _accuracy(found, evidence.clean) < least:
            with torch.no_grad():
                last_linear(found).weight[:, unit] = column
            break
        pruned.append(int(unit))
    return tune(
        found,
        evidence.clean,
        after=lambda copy: _silence(copy, pruned),
        steps=steps,
        seed=evidence.seed,
    )


def _silence(network: Any, units: list[int]) -> None:  # noqa: ANN401 - torch is untyped
    with torch.no_grad():
        last_linear(network).weight[:, units] = 0.0


def _accuracy(network: Any, rows: Rows) -> float:  # noqa: ANN401 - torch is untyped
    return float((guesses(TrainedNetwork(network), rows.X) == rows.y).mean())
