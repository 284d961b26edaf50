"""A folder of pictures: one subfolder per class, or all in one place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa

from credenza.core.types import Role
from credenza.provenance.intake.limits import (
    check_decoded,
    check_rows,
    open_regular,
    refused,
)
from credenza.scanning.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from credenza.core.types import Limits

ENDINGS = (".png", ".jpg", ".jpeg")
MAX_DEPTH = 6


class ImageFolder:
    """Reads PNG and JPEG files; the first subfolder a file lies in is its label.

    Links are not followed, so no file outside the folder can be shown in a report.
    Pixels are decoded later, under limits of their own.
    """

    reads = "a folder of PNG or JPEG images (subfolders are the labels)"

    def fits(self, path: Path) -> bool:
        """A folder with at least one image in it."""
        return path.is_dir() and any(True for _ in _files(path))

    def read(self, path: Path, limits: Limits) -> Reading:
        """The encoded files, unopened.

        Raises:
            UntrustedError: too many files, too many bytes, or a file that is none.
        """
        files = sorted(_files(path))
        check_rows(len(files), limits)
        names = [_relative(file, path) for file in files]
        labels = [name.split("/")[0] if "/" in name else None for name in names]
        encoded, size = [], 0
        for file in files:
            with open(open_regular(file, limits), "rb") as stream:  # noqa: PTH123 - a descriptor
                encoded.append(stream.read())
            size += len(encoded[-1])
            check_decoded(size, limits)
        columns = {"file": pa.array(names, pa.string()), "image": pa.array(encoded, pa.binary())}
        hints = {"file": Role.ID, "image": Role.IMAGE}
        notices = _left_out(path, len(files))
        if any(labels):
            columns["label"] = pa.array(labels, pa.string())
            hints["label"] = Role.LABEL
            notices += ("the label is the name of the subfolder",)
        return Reading(pa.table(columns), hints, notices)


def _files(folder: Path) -> Iterator[Path]:
    for found, folders, names in os.walk(folder, followlinks=False):
        here = folder.__class__(found)
        if len(here.relative_to(folder).parts) >= MAX_DEPTH:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                file = here / name
                if not file.is_symlink():
                    yield file


def _relative(file: Path, folder: Path) -> str:
    name = file.relative_to(folder).as_posix()
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as wrong:
        raise refused(
            "unreadable-file", "a file's name is not UTF-8", why=ascii(name), fix="rename it"
        ) from wrong
    return name


def _left_out(folder: Path, images: int) -> tuple[str, ...]:
    others = sum(len(names) for _, _, names in os.walk(folder)) - images
    return (
        (f"{others} files that are no PNG or JPEG images, or links, were left",) if others else ()
    )
