"""One writer at a time."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from credenza.core.errors import ConflictError

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "lock"


def lock_for_writing(directory: Path) -> int:
    """Take the ledger's exclusive lock; the descriptor that holds it.

    The kernel drops the lock when the process ends, however it ends, so a crash never
    leaves a stale one. Blind across hosts where the file system ignores ``flock``.

    Raises:
        ConflictError: another writer holds it; the message names its process.
    """
    path = directory / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as wrong:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise ConflictError(
            "ledger-busy",
            "another process is writing to this ledger",
            why=f"process {holder} holds {path}",
            fix=f"wait for process {holder} to finish, or stop it, then try again",
        ) from wrong
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
