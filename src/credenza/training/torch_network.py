"""The one door to torch, and what every part here does with a network.

Modules that need torch take it from here, so that a missing extra is said once and well.
Nothing here touches torch's global random state: what is drawn is drawn from a seed.
"""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from credenza.core.errors import UsageError
from credenza.core.extras import needs_extra

with needs_extra("torch", "this part"):
    import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Floats

ROWS_AT_ONCE = 1_000

__all__ = [
    "as_inputs",
    "as_labels",
    "last_linear",
    "logits",
    "parts",
    "probabilities",
    "seeded",
    "torch",
    "twin",
    "watching",
]


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, torch draws from ``seed``; afterwards its state is what it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def watching(network: Any, *, gradients: bool = False) -> Iterator[None]:  # noqa: ANN401 - torch is untyped
    """Within it, the network answers as in use: no dropout, no moving statistics."""
    was = network.training
    network.eval()
    try:
        with torch.set_grad_enabled(gradients):
            yield
    finally:
        network.train(was)


def twin(network: Any) -> Any:  # noqa: ANN401 - torch is untyped
    """A copy that shares no weights."""
    return copy.deepcopy(network)


def as_inputs(X: Any) -> Any:  # noqa: ANN401 - arrays and tensors
    """Rows as a float32 tensor."""
    return torch.as_tensor(np.ascontiguousarray(X, dtype=np.float32))


def as_labels(y: Any) -> Any:  # noqa: ANN401 - arrays and tensors
    """Class positions as an int64 tensor."""
    return torch.as_tensor(np.ascontiguousarray(y, dtype=np.int64))


def parts(rows: int, size: int = ROWS_AT_ONCE) -> Iterator[slice]:
    """Consecutive slices over ``rows``."""
    for start in range(0, rows, size):
        yield slice(start, start + size)


def logits(network: Any, X: Any) -> Floats:  # noqa: ANN401 - torch is untyped
    """``(n, C)`` outputs for ``(n, …)`` rows.

    Raises:
        UsageError: there is no row, or the outputs are not finite and so mean nothing.
    """
    if len(X) == 0:
        raise UsageError("no-rows", "a network was asked about no rows at all")
    with watching(network):
        found = [network(as_inputs(X[part])).numpy() for part in parts(len(X))]
    out = np.concatenate(found).astype(np.float64)
    if out.ndim != 2 or not np.isfinite(out).all():
        raise UsageError(
            "bad-outputs",
            "the network does not answer with finite (rows, classes) logits",
            why=f"the outputs have the shape {out.shape}",
            fix="give a classifier that returns one logit per class",
        )
    return out


def probabilities(network: Any, X: Any) -> Floats:  # noqa: ANN401 - torch is untyped
    """``(n, C)`` softmax of the outputs."""
    return np.asarray(softmax(logits(network, X), axis=1), dtype=np.float64)


def last_linear(network: Any) -> Any:  # noqa: ANN401 - torch is untyped
    """The last ``torch.nn.Linear`` in the order in which layers were registered.

    Raises:
        UsageError: there is none.
    """
    found = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    if not found:
        raise UsageError(
            "no-linear-layer",
            "the network has no torch.nn.Linear to look at",
            fix="name the layer, or wrap the network so that it ends in a linear layer",
        )
    return found[-1]
