"""Leaving out the rows with the largest loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_softmax

from credenza.core.errors import UsageError
from credenza.training.robust.defence import Idle
from credenza.training.torch_network import logits

if TYPE_CHECKING:
    from credenza.core.types import Floats


class TrimmedLoss(Idle):
    """Learns each epoch from the rows that the network finds least surprising.

    Flipped labels are learnt last, so their loss is large early on. A backdoor is the
    opposite, easily learnt and soon of small loss: against triggers this does nothing,
    or keeps the poison and drops hard honest rows. For label noise only.

    Args:
        share: of all rows left out.
        start: epoch from 0 before which nothing is left out.

    Source:
        Shen & Sanghavi, arXiv:1810.11874.
    """

    def __init__(self, *, share: float = 0.1, start: int = 1) -> None:
        if not 0 < share < 1:
            raise UsageError("bad-parameter", f"the share is {share}; give more than 0, below 1")
        self.share = share
        self.start = start

    def weigh(self, network: Any, X: Any, y: Any, epoch: int) -> Floats:  # noqa: ANN401 - torch is untyped
        """Zero for the rows with the largest loss."""
        weights = np.ones(len(y))
        if epoch >= self.start:
            loss = -log_softmax(logits(network, X), axis=1)[np.arange(len(y)), y]
            weights[np.argsort(-loss, kind="stable")[: int(self.share * len(y))]] = 0.0
        return weights
