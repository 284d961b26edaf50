"""Strong augmentation: what is small and fixed in place does not survive it."""

from __future__ import annotations

from typing import Any

from credenza.core.errors import UsageError
from credenza.training.robust.defence import Idle
from credenza.training.torch_network import torch


class StrongAugmentation(Idle):
    """Shifts images by a few pixels and blanks a random rectangle of each (cutout).

    A patch that is blanked half of the time teaches half as much, and honest shapes are
    seen from more sides. Weak against triggers spread over the whole image, and against
    patches once there are many carriers: a convolution finds them at any place. Images
    (n, channels, height, width) only.

    Args:
        shift: most pixels in each direction.
        blank: most share of each side that is blanked.

    Source:
        Borgnia et al., arXiv:2011.09527, of whose augmentations these are two.
    """

    def __init__(self, *, shift: int = 3, blank: float = 0.5) -> None:
        if shift < 0 or not 0 <= blank <= 1:
            raise UsageError("bad-parameter", f"shift {shift} and blank {blank} are not possible")
        self.shift = shift
        self.blank = blank

    def alter(self, network: Any, inputs: Any, labels: Any) -> Any:  # noqa: ANN401, ARG002 - the protocol's signature
        """A batch moved and blanked, every image differently.

        Raises:
            UsageError: the rows are no images.
        """
        if inputs.ndim != 4:
            raise UsageError("no-images", f"rows of shape {tuple(inputs.shape[1:])} are no images")
        rows, _, height, width = inputs.shape
        pad = self.shift
        padded = torch.nn.functional.pad(inputs, [pad] * 4)
        down, right = (torch.randint(0, 2 * pad + 1, (rows, 1)) for _ in range(2))
        y, x = down + torch.arange(height), right + torch.arange(width)
        at = torch.arange(rows)[:, None, None]
        moved = padded.permute(0, 2, 3, 1)[at, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)
        covered = self._span(rows, height)[:, :, None] & self._span(rows, width)[:, None, :]
        return moved.masked_fill(covered[:, None], 0.0)

    def _span(self, rows: int, size: int) -> Any:  # noqa: ANN401 - tensors
        """``(rows, size)`` True within a random interval."""
        length = torch.rand(rows, 1) * self.blank * size
        start = torch.rand(rows, 1) * (size - length)
        place = torch.arange(size)[None, :]
        return (place >= start) & (place < start + length)
