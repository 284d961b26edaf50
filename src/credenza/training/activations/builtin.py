"""The extractors of this package; torch is loaded when a layer is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from credenza.core.catalog import Catalog
from credenza.training.activations.leaves import LeafActivations
from credenza.training.activations.pipelines import PipelineActivations

if TYPE_CHECKING:
    from credenza.training.activations.extractor import Extractor


def _layer(network: Any, layer: str = "") -> Extractor:  # noqa: ANN401 - torch is untyped
    from credenza.training.activations.layers import (  # noqa: PLC0415 - torch is an extra
        LayerActivations,
    )

    return LayerActivations(network, layer)


EXTRACTORS: Catalog[Extractor] = Catalog(
    "extractor",
    {"layer": _layer, "leaves": LeafActivations, "pipeline": PipelineActivations},
)
