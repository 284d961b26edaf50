"""Bytes that survive a power cut, on a local file system."""

from __future__ import annotations

import contextlib
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from credenza.core.errors import ConflictError, CredenzaError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SYNCS_AT_ONCE = 8
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_durably(root: Path, files: Mapping[str, bytes]) -> None:
    """Write every file and sync all of them and their directories, or leave none.

    All writes come before the first sync, so that the file system's journal commits
    them together. Readers may see a file before it is complete: name only files that
    nothing refers to yet.

    Args:
        root: an existing directory.
        files: content by path relative to ``root``.

    Raises:
        OSError: the files of this call were removed again, as far as possible.
    """
    written: list[Path] = []
    touched: set[Path] = set()
    try:
        for name, data in files.items():
            path = root / name
            touched |= _make_parents(path.parent)
            written.append(path)
            _write(path, data)
        sync([*written, *touched])
    except OSError:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def sync(paths: Iterable[Path], *, mode: int | None = None) -> None:
    """Force files or directories to the disk; optionally set their mode first.

    Several are forced at once: the file system's journal then commits them together,
    which on a busy disk is some four times faster than one after another.
    """
    several = list(paths)
    if len(several) < 2:
        for path in several:
            _sync(path, mode)
        return
    with ThreadPoolExecutor(min(SYNCS_AT_ONCE, len(several))) as threads:
        for _ in threads.map(lambda path: _sync(path, mode), several):
            pass


def explained(wrong: OSError, what: str) -> CredenzaError:
    """The same failure in the reader's terms.

    Args:
        wrong: what the system said.
        what: the sentence that names the operation, in the past tense.
    """
    why = wrong.strerror or str(wrong)
    if wrong.errno in NO_ROOM:
        return ConflictError(
            "disk-full",
            f"{what}: there is no room on the disk",
            why=why,
            fix="free space, then run the same command again; nothing was left half written",
        )
    return UsageError(
        "cannot-write", what, why=why, fix="check the permissions and the health of the disk"
    )


def _make_parents(directory: Path) -> set[Path]:
    """Create ``directory``; the directories whose listings changed or will change."""
    touched = {directory}
    missing = directory
    while not missing.exists():
        missing = missing.parent
        touched.add(missing)
    if missing != directory:
        directory.mkdir(parents=True, exist_ok=True)
    return touched


def _sync(path: Path, mode: int | None) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)
