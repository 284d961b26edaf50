"""Activations inside a network, taken where a layer receives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.torch_network import as_inputs, last_linear, parts, watching

if TYPE_CHECKING:
    from credenza.core.types import Floats


class LayerActivations:
    """What a layer of a network is given, flattened; by default the last linear one.

    The input of the last layer is where classes are apart, so that what was learnt as a
    shortcut to a class shows there. It is blind to what earlier layers have already
    thrown away.

    Args:
        network: a ``torch.nn.Module``; it is neither changed nor trained.
        layer: name as in ``network.named_modules()``; "": the last linear layer.
    """

    def __init__(self, network: Any, layer: str = "") -> None:  # noqa: ANN401 - torch is untyped
        self.network = network
        self.layer = _layer(network, layer)

    def activations(self, X: Any) -> Floats:  # noqa: ANN401 - arrays of any kind
        """``(n, d)`` inputs of the layer.

        Raises:
            UsageError: the layer is not passed once for every part of the rows.
        """
        found: list[Any] = []
        hook = self.layer.register_forward_hook(
            lambda _, given, __: found.append(given[0].detach().flatten(1).numpy())
        )
        try:
            with watching(self.network):
                for part in parts(len(X)):
                    self.network(as_inputs(X[part]))
        finally:
            hook.remove()
        if sum(map(len, found)) != len(X) or not found:
            raise UsageError(
                "layer-not-passed",
                "the layer does not see every row exactly once",
                why=f"{len(X)} rows went in, the layer saw {sum(map(len, found))}",
                fix="name another layer",
            )
        return np.concatenate(found).astype(np.float64)


def _layer(network: Any, name: str) -> Any:  # noqa: ANN401 - torch is untyped
    if not name:
        return last_linear(network)
    known = dict(network.named_modules())
    if name not in known:
        raise UsageError(
            "no-such-layer",
            f"the network has no layer {name!r}",
            why=f"it has: {', '.join(filter(None, known))}",
        )
    return known[name]
