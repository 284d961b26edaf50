"""Activations of a scikit-learn pipeline: what reaches its last step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from credenza.core.types import Floats


class PipelineActivations:
    """The inputs of a fitted pipeline's last step, densified.

    For a linear last step they are exactly what the model knows of a row.

    Args:
        pipeline: a fitted ``sklearn.pipeline.Pipeline`` of at least two steps.
        columns: most columns that are made dense; text can have millions.
    """

    def __init__(self, pipeline: Any, *, columns: int = 20_000) -> None:  # noqa: ANN401 - untyped library
        self.pipeline = pipeline
        self.columns = columns

    def activations(self, X: Any) -> Floats:  # noqa: ANN401 - arrays, frames, texts
        """``(n, d)`` inputs of the last step.

        Raises:
            UsageError: the inputs are wider than ``columns``.
        """
        found = self.pipeline[:-1].transform(X)
        if found.shape[1] > self.columns:
            raise UsageError(
                "too-wide",
                f"the last step has {found.shape[1]:,} inputs",
                why=f"at most {self.columns:,} are made dense",
                fix="end the pipeline's features in a TruncatedSVD, or raise `columns`",
            )
        dense = found.toarray() if hasattr(found, "toarray") else found
        return np.asarray(dense, dtype=np.float64)
