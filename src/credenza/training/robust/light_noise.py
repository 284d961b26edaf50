"""Clipped and noisy gradients, without the accounting of differential privacy."""

from __future__ import annotations

from typing import Any

from credenza.core.errors import UsageError
from credenza.training.robust.defence import Idle
from credenza.training.torch_network import torch


class ClippedNoise(Idle):
    """Clips each batch's gradient and adds Gaussian noise to it.

    The light mode: a batch, not a row, is bounded, so **nothing follows for single rows
    and there is no epsilon**; for a bound use the privacy part. What it does is to slow
    down learning from rare rows.

    Args:
        length: most length of a batch's gradient.
        noise: standard deviation of the noise, as a share of ``length``, over all weights.

    Source:
        Hong et al., arXiv:2002.11497, with clipping by batch.
    """

    def __init__(self, *, length: float = 1.0, noise: float = 0.1) -> None:
        if length <= 0 or noise < 0:
            raise UsageError("bad-parameter", "length must be positive, noise not negative")
        self.length = length
        self.noise = noise

    def temper(self, network: Any, rows: int) -> None:  # noqa: ANN401, ARG002 - the protocol's signature
        """Clip, then add noise."""
        weights = [one for one in network.parameters() if one.grad is not None]
        torch.nn.utils.clip_grad_norm_(weights, self.length)
        count = sum(one.numel() for one in weights)
        deviation = self.noise * self.length / count**0.5
        for one in weights:
            one.grad.add_(deviation * torch.randn_like(one))
