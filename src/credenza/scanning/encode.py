"""Texts and pictures read by a pretrained network, as vectors beside what they were."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from credenza.core.errors import UsageError
from credenza.screening.features.embedding import with_embedding
from credenza.training.encoders.builtin import ENCODERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from credenza.core.types import Floats, View
    from credenza.screening.features.embedding import Extractor


def encoded(
    view: View, names: Sequence[str], folder: Path | None, tell: Callable[[str], None]
) -> View:
    """The view with a column of vectors for each encoder and column that it reads.

    Detectors that compare rows then compare these vectors; detectors that read words or
    pixels read them as before.

    Args:
        view: any view.
        names: encoders to ask.
        folder: where vectors are kept, and found again; None keeps none.
        tell: called with the encoder's name before it is asked.

    Raises:
        NotFoundError: no such encoder.
        UsageError: no column is of its kind, or its package is not installed.
    """
    for name in names:
        role = ENCODERS.make(name, column="").role
        columns = [column for column, own in view.facets.items() if own is role]
        if not columns:
            raise UsageError(
                "nothing-to-encode",
                f"the encoder {name!r} reads {role} columns, and there is none",
                why="roles are what the options say, or what types and names suggest",
                fix=f"name one with --{role}, or leave the encoder out",
            )
        for column in columns:
            tell(f"{name}({column})")
            read = ENCODERS.make(name, column=column)
            view = with_embedding(view, f"{name}({column})", _kept(read, name, column, folder))
    return view


def _kept(read: Extractor, name: str, column: str, folder: Path | None) -> Extractor:
    """The encoder, which finds its vectors of the same rows again."""

    def extract(rows: pa.Table) -> Floats:
        if folder is None:
            return read(rows)
        path = folder / f"{name}-{_digest(rows.select([column]))}.npy"
        try:
            return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
        except (OSError, ValueError, EOFError):
            found = read(rows)
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, found)
        os.replace(part, path)  # noqa: PTH105 - atomic on every platform
        return found

    return extract


def _digest(rows: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()[:32]
