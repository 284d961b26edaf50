"""How the demo ends: a release that verifies, a copy that does not, a rollback, an audit."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from credenza import verify_release
from credenza.core.errors import UntrustedError
from credenza.interfaces.demo.season import DATASET

if TYPE_CHECKING:
    from credenza.core.types import Release
    from credenza.interfaces.demo.season import Stage

RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Published:
    """A release, and what became of it and of a copy with one byte changed.

    Attributes:
        refusal: why the copy was refused; "" when it was accepted.
    """

    directory: Path
    release: Release
    verified: bool
    refusal: str


@dataclass(frozen=True, slots=True)
class Closing:
    """The last entries of the ledger, and its audit."""

    rolled_back_to: int
    entries: int
    problems: tuple[str, ...]


def publish(stage: Stage) -> Published:
    """Release the newest version, verify it as a training job would, tamper with a copy."""
    directory, key = stage.workspace.home / RELEASE, stage.workspace.public_key
    with stage.watch.time("release"):
        release = stage.workspace.releases.create(DATASET, directory)
        verified = verify_release(directory, trust=[key]).digest == release.digest
        refusal = refusal_of_tampered(directory, key)
    published = Published(directory, release, verified, refusal)
    stage.narrator.published(release, verified=verified, refusal=refusal)
    return published


def refusal_of_tampered(directory: Path, key: str) -> str:
    """Change one byte in the middle of a copy; the refusal's text, "" if it was accepted."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(directory, copy)
        victim = max(copy.rglob("*.parquet"), key=lambda path: path.stat().st_size)
        victim.chmod(0o600)
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
        try:
            verify_release(copy, trust=[key])
        except UntrustedError as refused:
            return refused.what
    return ""


def roll_back_and_audit(stage: Stage, target: int) -> Closing:
    """Go back to a version, which makes a new one; then recount the whole ledger."""
    with stage.watch.time("audit"):
        version = stage.workspace.datasets.rollback(
            DATASET, target, "demo: the state before the alarm"
        )
        audit = stage.workspace.log.audit()
    stage.narrator.rolled_back(version, target)
    stage.narrator.audited(audit.entries, audit.problems)
    return Closing(target, audit.entries, audit.problems)
