"""Guessed triggers put on verified rows, whose labels they must not change any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from credenza.training.audit.transplant import guess_trigger
from credenza.training.torch_network import as_inputs, torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.training.audit.case import Rows
    from credenza.training.repair.tuning import Extra

    Stamp: TypeAlias = Callable[[Any], Any]

STRONGEST = 2.0
"""A guess from suspects is diluted by their neighbours and by honest suspects."""
FAINTEST = 0.2


def from_suspects(suspects: Any, clean: Rows, strongest: float = STRONGEST) -> Stamp:  # noqa: ANN401 - arrays of any kind
    """Adds what suspects have and their verified neighbours lack, at any strength.

    Args:
        suspects: ``(k, …)`` rows that carry the trigger, some of them rightly.
        clean: verified rows.
        strongest: up to this multiple of the guess.
    """
    pattern = as_inputs(guess_trigger(suspects, clean))
    low, high = float(clean.X.min()), float(clean.X.max())

    def stamp(inputs: Any) -> Any:  # noqa: ANN401 - tensors
        strength = strongest * torch.rand(len(inputs), *[1] * (inputs.ndim - 1))
        return (inputs + strength * pattern).clamp(low, high)

    return stamp


def from_mask(mask: Any, pattern: Any) -> Stamp:  # noqa: ANN401 - arrays of any kind
    """Replaces what a mask covers by a pattern, at any strength.

    Args:
        mask: ``(height, width)`` in [0, 1].
        pattern: ``(channels, height, width)``.
    """
    cover, shown = as_inputs(mask), as_inputs(pattern)

    def stamp(inputs: Any) -> Any:  # noqa: ANN401 - tensors
        part = cover * (FAINTEST + (1 - FAINTEST) * torch.rand(len(inputs), 1, 1, 1))
        return (1 - part) * inputs + part * shown

    return stamp


def unlearning(draw: Callable[[], Stamp]) -> Extra:
    """The loss of marked rows under their right labels.

    Args:
        draw: the stamp of the next batch.
    """

    def loss(copy: Any, inputs: Any, labels: Any) -> Any:  # noqa: ANN401 - tensors
        return torch.nn.functional.cross_entropy(copy(draw()(inputs)), labels)

    return loss
