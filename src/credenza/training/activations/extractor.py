"""The seam: whatever the model is, rows go in and a matrix comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from credenza.core.types import Floats


class Extractor(Protocol):
    """Turns rows into activations, which serve the detectors as an embedding column too.

    An embedding learnt from poisoned rows is itself poisoned: it may bring the carriers of
    a trigger close together (which helps to find them) or hide them among their target.
    """

    def activations(self, X: Any) -> Floats:  # noqa: ANN401 - arrays, frames, texts
        """``(n, d)`` finite float64, row by row: no row depends on another."""
        ...
