"""The directory of a key ring: its files, read within bounds and written whole or not at all.

Readers take ``N.root.json``, ``targets.json``, ``snapshot.json`` and ``timestamp.json``; what
waits for signatures lies beside as a draft that they never look at.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tuf.api.metadata import Metadata, Root

from credenza.core.errors import NotFoundError
from credenza.core.types import Limits
from credenza.provenance.intake.limits import open_regular
from credenza.provenance.ring import RingFiles
from credenza.provenance.ring_form import MAX_FILE_BYTES, read, write

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.provenance.ring_form import Part

TIMESTAMP_FILE, SNAPSHOT_FILE, TARGETS_FILE = "timestamp.json", "snapshot.json", "targets.json"
DRAFT_ROOT, DRAFT_TARGETS = "draft.root.json", "draft.targets.json"

_ROOT_FILE = re.compile(r"([1-9][0-9]{0,5})\.root\.json\Z")


def published(directory: Path, after: int) -> RingFiles:
    """What a reader fetches who trusts version ``after`` of the root (0: none yet).

    Raises:
        NotFoundError: a file is missing.
        UntrustedError: one is not a regular file, or too large.
    """
    numbers = _root_numbers(directory)
    if not numbers:
        raise no_ring(directory)
    return RingFiles(
        tuple(file_bytes(directory / root_file(one)) for one in numbers if one > after),
        *(file_bytes(directory / name) for name in (TIMESTAMP_FILE, SNAPSHOT_FILE, TARGETS_FILE)),
    )


def load_roots(directory: Path) -> list[Metadata[Root]]:
    """Every version of the root that was published, in order."""
    return [load(directory, Root, root_file(number)) for number in _root_numbers(directory)]


def load(directory: Path, kind: type[Part], name: str) -> Metadata[Part]:
    """One file, its form checked and its signatures not.

    Raises:
        NotFoundError: it is missing.
        UntrustedError: it is malformed, too large or no regular file.
    """
    return read(kind, file_bytes(directory / name))


def load_any(directory: Path, kind: type[Part], *names: str) -> Metadata[Part] | None:
    """The first of these files that is there, or None."""
    found = next((name for name in names if (directory / name).exists()), None)
    return None if found is None else load(directory, kind, found)


def root_file(version: int) -> str:
    """What a version of the root is called."""
    return f"{version}.root.json"


def file_bytes(path: Path) -> bytes:
    """What a file of the ring holds, read within the bounds of one.

    Raises:
        NotFoundError: it is missing.
        UntrustedError: it is too large or no regular file.
    """
    if not path.exists():
        raise NotFoundError(
            "no-ring",
            f"the key ring has no {path.name}",
            why="it was not published yet",
            fix="have its keepers sign, then run `credenza ring publish`",
        )
    with os.fdopen(open_regular(path, Limits(file_bytes=MAX_FILE_BYTES)), "rb") as file:
        return file.read(MAX_FILE_BYTES)


def save(directory: Path, name: str, found: Metadata[Part]) -> None:
    """Write a file whole or not at all: a keeper's machine may stop at any moment."""
    page = write(found)
    waiting = directory / f".{name}"
    with waiting.open("wb") as file:
        file.write(page)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(directory / name)


def _root_numbers(directory: Path) -> list[int]:
    names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    return sorted(int(found[1]) for name in names if (found := _ROOT_FILE.match(name)))


def no_ring(directory: Path) -> NotFoundError:
    """Say that nobody published a ring there."""
    return NotFoundError(
        "no-ring",
        f"there is no key ring in {directory.name!r}",
        why="it holds no N.root.json",
        fix="make one with `credenza ring init`, have it signed, and publish it",
    )
