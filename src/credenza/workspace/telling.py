"""A file of OpenLineage events beside the ledger, and the same events for whoever asks."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from credenza.core.errors import CredenzaError
from credenza.gate.told import told

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.gate.stores import Stores

TOLD_FILE = "openlineage.jsonl"
_BLOCK_BYTES = 2**16


def keep_told(stores: Stores, path: Path) -> None:
    """Append the events of what happened since the file was last written.

    Never in the way of the gate: a disk that is full, a file that is locked or content that
    was altered leaves the file behind, and the next call catches up, since events are
    derived from the ledger.
    """
    with suppress(OSError, CredenzaError), path.open("a+b") as file:
        end, last = _last_line(file)
        file.truncate(end)  # what a crash left half-written
        for _, event in told(stores, _after(last)):
            file.write(event)


def _after(line: bytes) -> int:
    """The first entry that the file does not tell of; 0 when its last line is not ours."""
    try:
        return int(json.loads(line)["run"]["facets"]["credenza_ledger"]["entry"]) + 1
    except (ValueError, KeyError, TypeError):
        return 0


def _last_line(file: BinaryIO) -> tuple[int, bytes]:
    """Where the last whole line ends, and that line; (0, b"") when there is none."""
    at = file.seek(0, 2)
    tail = b""
    while at and tail.count(b"\n") < 2:
        start = max(0, at - _BLOCK_BYTES)
        file.seek(start)
        tail = file.read(at - start) + tail
        at = start
    whole = tail[: tail.rfind(b"\n") + 1]
    return at + len(whole), whole.splitlines()[-1] if whole else b""
