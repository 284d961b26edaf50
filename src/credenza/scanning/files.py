"""Several files that appear together, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def write_together(directory: str | Path, writers: Mapping[str, Callable[[Path], object]]) -> None:
    """Write all files beside their places, then move them there.

    Interrupted before the last is written, it leaves the folder as it was; every file is
    whole or absent.

    Args:
        directory: made when it does not exist.
        writers: by a file's name, what writes it to the path that it is given.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    try:
        for name, write in writers.items():
            write(part / name)
        for name in writers:
            os.replace(part / name, folder / name)  # noqa: PTH105 - atomic on every platform
    finally:
        shutil.rmtree(part, ignore_errors=True)
