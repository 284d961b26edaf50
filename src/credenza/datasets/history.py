"""Which publication made which version, kept beside the dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from credenza.core.canonical import sha256_hex

if TYPE_CHECKING:
    from collections.abc import Callable


class History:
    """A line for each version: its number, and SHA-256 of its publication's id.

    Only a shortcut, so that looking an id up does not read every manifest: what it lacks
    (after a crash, or when it was deleted) it reads from the transactions themselves.
    Blind to lines that someone altered, which is why a version that is found here is
    checked against its transaction before it is believed.

    Args:
        file: opened for reading and appending, and locked by the caller.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._versions: dict[str, int] = {}
        self._known = 0
        file.seek(0)
        whole = 0
        for line in file:
            fields = line.split()
            if not line.endswith(b"\n") or len(fields) != 2 or not fields[0].isdigit():
                break
            self._note(int(fields[0]), fields[1].decode("ascii", "replace"))
            whole += len(line)
        file.truncate(whole)

    def find(self, name: str, newest: int, id_of: Callable[[int], str]) -> int | None:
        """The version that publication ``name`` made, or None.

        Args:
            name: the publication's id.
            newest: number of the newest version; 0 when there is none.
            id_of: reads a version's id from its transaction; called for versions that
                have no line yet.
        """
        if self._known > newest:  # the lines are about an earlier dataset of this name
            self._file.truncate(0)
            self._versions.clear()
            self._known = 0
        for number in range(self._known + 1, newest + 1):
            self.add(number, id_of(number))
        return self._versions.get(sha256_hex(name.encode()))

    def add(self, number: int, name: str) -> None:
        """Note that publication ``name`` made version ``number``."""
        digest = sha256_hex(name.encode())
        self._note(number, digest)
        self._file.write(f"{number} {digest}\n".encode("ascii"))
        self._file.flush()

    def _note(self, number: int, digest: str) -> None:
        self._versions.setdefault(digest, number)
        self._known = max(self._known, number)
