"""A scan's result as files, each whole or absent."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from credenza.scanning.document import document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.scanning.result import ScanResult


def save(
    result: ScanResult,
    directory: str | Path,
    *,
    more: Mapping[str, Callable[[Path], object]] | None = None,
) -> Path:
    """Write all files of a result beside their places, then move them there.

    Interrupted before the end, it leaves the folder as it was.

    Args:
        result: of a scan.
        directory: made when it does not exist.
        more: further files by name, each written by a function of its path.

    Returns:
        The folder.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    try:
        writers: dict[str, Callable[[Path], object]] = {
            "rows.parquet": lambda path: pq.write_table(result.rows, path),
            "findings.json": lambda path: _write_json(document(result), path),
            "clean.parquet": lambda path: pq.write_table(result.clean(), path),
            "suspect.parquet": lambda path: pq.write_table(result.suspect(), path),
            **(more or {}),
        }
        for name, write in writers.items():
            write(part / name)
        for name in writers:
            os.replace(part / name, folder / name)  # noqa: PTH105 - atomic on every platform
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _write_json(value: object, path: Path) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
