"""The encoders that credenza ships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from credenza.core.catalog import Catalog
from credenza.training.encoders.efficientnet_lite import EfficientNetLite
from credenza.training.encoders.minilm import MiniLM

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Floats, Role


class Encoder(Protocol):
    """A pretrained network that reads one column."""

    @property
    def role(self) -> Role:
        """Of the columns it reads."""
        ...

    def __call__(self, rows: pa.Table) -> Floats:
        """``(n, d)`` finite float32, one vector a row."""
        ...


ENCODERS: Catalog[Encoder] = Catalog(
    "encoder", {"efficientnet-lite0": EfficientNetLite, "minilm": MiniLM}
)
"""Each is made for a column: ``ENCODERS.make("minilm", column="text")``."""
