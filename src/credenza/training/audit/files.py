"""Rows from ``.npz`` files, under limits and without pickle."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UntrustedError, UsageError
from credenza.training.audit.case import Rows
from credenza.training.audit.drills import Overlay

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

BYTES_MAX = 8 * 2**30
SUBGROUP = "subgroup_"


def read_rows(path: Path) -> Rows:
    """Arrays ``X`` and ``y``, if present ``source``, and masks named ``subgroup_NAME``.

    Images are (n, channels, height, width) in [0, 1]; labels are class positions.

    Raises:
        UsageError: an array is missing, or they do not belong together.
        UntrustedError: the file is no such archive, too large, or holds objects.
    """
    arrays = _arrays(path)
    lacking = [name for name in ("X", "y") if name not in arrays]
    if lacking or not np.issubdtype(arrays["y"].dtype, np.integer):
        raise UsageError(
            "bad-rows",
            f"{path.name} needs the array X, and y of class positions as integers",
            why=f"it has: {', '.join(sorted(arrays)) or 'nothing'}",
            fix='numpy.savez(path, X=inputs.astype("float32"), y=positions)',
        )
    source = arrays.get("source")
    return Rows(
        arrays["X"],
        arrays["y"].astype(np.int64),
        {
            name.removeprefix(SUBGROUP): mask.astype(np.bool_)
            for name, mask in arrays.items()
            if name.startswith(SUBGROUP)
        },
        None if source is None else source.astype(np.object_),
    )


def read_drill(path: Path) -> Overlay:
    """The array ``pattern``, of one row's shape, that is added to rows.

    Raises:
        UsageError: there is no such array.
        UntrustedError: as for ``read_rows``.
    """
    arrays = _arrays(path)
    if "pattern" not in arrays:
        raise UsageError("bad-drill", f"{path.name} needs the array `pattern`")
    return Overlay(path.stem, arrays["pattern"])


def _arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(one.file_size for one in archive.infolist())
        if size > BYTES_MAX:
            raise UntrustedError("too-large", f"{path.name} unpacks to {size:,} bytes")
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as wrong:
        raise UntrustedError(
            "no-arrays",
            f"{path.name} is not an archive of plain arrays",
            why=f"{type(wrong).__name__}: {wrong}",
            fix="numpy.savez(path, X=…, y=…), without object arrays",
        ) from wrong
