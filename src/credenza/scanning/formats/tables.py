"""Parquet, CSV and JSON Lines: one file, or a folder of files of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.provenance.intake.builtin import INTAKES
from credenza.provenance.intake.sandbox import read_sandboxed
from credenza.scanning.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Limits


class TableFiles:
    """Reads what the gate's intakes read, in the gate's sandbox.

    Parsing happens in another process under limits on memory and time, so a file that
    crashes its parser costs one error message. Files of a folder are read in the order
    of their names. Blind to numbers that are codes and to texts that look like numbers.
    """

    reads = "Parquet, CSV or JSON Lines (a file, or a folder of them)"

    def fits(self, path: Path) -> bool:
        """A file with an intake's ending, or a folder that has nothing else in it."""
        endings = tuple(ending for name in INTAKES for ending in INTAKES.make(name).suffixes)
        if path.is_file():
            return path.name.lower().endswith(endings)
        names = [inner.name.lower() for inner in _visible(path)]
        return bool(names) and all(name.endswith(endings) for name in names)

    def read(self, path: Path, limits: Limits) -> Reading:
        """Parse, or refuse with what the intakes refuse."""
        if path.is_file():
            return Reading(read_sandboxed({path.name: path}, limits))
        files = {inner.name: inner.resolve() for inner in _visible(path)}
        said = f"{len(files)} files were read as one table, in the order of their names"
        return Reading(read_sandboxed(files, limits), notices=(said,))


def _visible(folder: Path) -> list[Path]:
    return sorted(inner for inner in folder.iterdir() if not inner.name.startswith((".", "_")))
