"""NumPy archives: headers first, no pickles."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from credenza.core.text import quote
from credenza.provenance.intake.limits import check_decoded, open_regular, parsing, refused
from credenza.scanning.arrays import from_arrays

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from credenza.core.types import Limits
    from credenza.scanning.reading import Reading

_HEADERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_STORED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class NpzFile:
    """Reads an archive of arrays whose first axis is the rows.

    Each header is believed only as far as the archive's directory bears it out, and the
    sum of both is bounded before anything is allocated, so neither a deflate bomb nor a
    header of 10^18 items costs memory. Arrays of Python objects are refused: they are
    pickles, and a pickle is a program.
    """

    reads = "NumPy archives (.npz)"

    def fits(self, path: Path) -> bool:
        """A file that ends in .npz."""
        return path.is_file() and path.name.lower().endswith(".npz")

    def read(self, path: Path, limits: Limits) -> Reading:
        """Parse, or refuse.

        Raises:
            UntrustedError: ``holds-pickles``, ``decoded-too-large`` or ``unreadable-file``.
            UsageError: the arrays do not make rows.
        """
        os.close(open_regular(path, limits))
        try:
            with parsing("a NumPy archive"), zipfile.ZipFile(path) as archive:
                members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
                check_decoded(sum(one.file_size for one in members), limits)
                arrays = {
                    one.filename.removesuffix(".npy"): _array(archive, one) for one in members
                }
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as wrong:
            raise refused(
                "unreadable-file",
                "a file cannot be read as a NumPy archive",
                why=str(wrong) or type(wrong).__name__,
                fix="write it again with `numpy.savez_compressed`",
            ) from wrong
        return from_arrays(arrays)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    if member.compress_type not in _STORED:
        raise ValueError(f"{quote(member.filename)} is compressed in an unusual way")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        header = _HEADERS.get(version)
        if header is None:
            raise ValueError(f"{quote(member.filename)} has format version {version}")
        shape, _, kind = header(stream)
    if kind.hasobject:
        raise refused(
            "holds-pickles",
            "an archive holds Python objects, which are never unpickled",
            why=f"{quote(member.filename)} has dtype {kind}",
            fix="save texts as a string array (`array.astype(str)`) and numbers as numbers",
        )
    size = int(np.prod(shape, dtype=object)) * kind.itemsize
    if size > member.file_size:
        raise ValueError(
            f"{quote(member.filename)} claims {size} bytes and holds {member.file_size}"
        )
    with archive.open(member) as stream:
        found = np.lib.format.read_array(stream, allow_pickle=False)
    return cast("np.ndarray[Any, Any]", found)
