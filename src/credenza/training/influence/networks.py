"""Moments of a network's training, for the influence methods."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from credenza.training.activations.layers import LayerActivations
from credenza.training.influence.head import Moment, head_rows
from credenza.training.torch_network import logits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Ints


def moments_of(
    networks: Sequence[Any],
    train: tuple[Any, Ints],
    probes: Any,  # noqa: ANN401 - arrays of any kind
    blamed: Ints | None = None,
) -> tuple[Moment, ...]:
    """The last layer's view at each checkpoint.

    Args:
        networks: checkpoints in order, the trained network last; they end in a linear layer.
        train: ``(X, y)`` rows that were learnt from, labels as class positions.
        probes: inputs whose predictions are to be explained.
        blamed: ``(m,)`` class positions; None: what the last network predicts.
    """
    if blamed is None:
        blamed = logits(networks[-1], probes).argmax(axis=1)
    return tuple(
        Moment(
            head_rows(LayerActivations(network), partial(logits, network), *train),
            head_rows(LayerActivations(network), partial(logits, network), probes, blamed),
        )
        for network in networks
    )
