"""Which model came from which releases: what a training job says of itself, in the ledger.

Blind to a job that says nothing, or something untrue about its model: a run is a claim of
whoever may write to the workspace. What the gate can check is that the release exists and
that its files, if they are shown, are the released ones.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.core.prefix import beginning
from credenza.gate.journal import Event
from credenza.gate.releases import release_digest
from credenza.store.rows import EntryRow, ReleaseRow, TrainingRunRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
TAG = "credenza."
MODELS = "record the run that made it first, with `credenza train-run`"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A run and what it says of itself.

    Attributes:
        run: its name, unique in the workspace.
        model: SHA-256 of what came out, in hex.
        releases: digests of the releases it trained on.
        bases: digests of the models it started from; their exposure is inherited.
        verified: the releases' files were checked when the run was recorded.
        tags: whatever else, as text.
    """

    run: str
    model: str
    releases: tuple[str, ...]
    bases: tuple[str, ...] = ()
    verified: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


def train_run(stores: Stores, claimed: TrainingRun) -> TrainingRun:
    """Record a training run; the same words a second time change nothing.

    Args:
        stores: the workspace.
        claimed: with releases and base models by at least the first four digits.

    Raises:
        UsageError: an unfit name or digest.
        NotFoundError: no such release, or no such base model.
        ConflictError: another run has that name.
    """
    stores.journal.lock()
    run, recorded = run_event(stores, claimed)
    with stores.journal.catalog.snapshot() as index:
        known = index.get(TrainingRunRow, run.run)
    if known is None:
        stores.journal.record([recorded])
    elif (known.model, known.releases, known.bases) != (run.model, run.releases, run.bases):
        raise ConflictError(
            "run-exists",
            f"a run called {run.run!r} is recorded already, and it was another one",
            why=f"it made model {known.model[:16]}",
            fix="give each run its own name",
        )
    return run


def run_event(stores: Stores, claimed: TrainingRun) -> tuple[TrainingRun, Event]:
    """The run with whole digests, and the event that records it; see ``train_run``."""
    _check(claimed)
    with stores.journal.catalog.snapshot() as index:
        releases = tuple(row.digest for row in index.find(ReleaseRow))
        models = tuple(row.model for row in index.find(TrainingRunRow))
    run = TrainingRun(
        claimed.run,
        claimed.model,
        tuple(sorted(release_digest(name, releases) for name in claimed.releases)),
        tuple(sorted(beginning(name, models, "model", fix=MODELS) for name in claimed.bases)),
        claimed.verified,
        claimed.tags,
    )
    document: dict[str, Json] = {
        "run": run.run,
        "model": run.model,
        "releases": list(run.releases),
        "bases": list(run.bases),
        "verified": run.verified,
        "tags": {str(key): str(value) for key, value in run.tags.items()},
    }
    return run, Event("train-run", document)


def _check(claimed: TrainingRun) -> None:
    """Whether the claim can be recorded.

    Raises:
        UsageError: its name, its model or what it came from is not said as it must be.
    """
    if not _NAME.match(claimed.run):
        raise UsageError(
            "bad-run-name",
            f"{claimed.run[:80]!a} cannot name a run",
            why="a name has up to 128 letters, digits and . _ : / -",
            fix="name it in plain characters, at most 128",
        )
    if not _DIGEST.match(claimed.model):
        raise UsageError(
            "bad-model-digest",
            f"{claimed.model[:70]!a} is no SHA-256",
            why="a model is known by the SHA-256 of its file",
            fix="give the model's file, or 64 lower-case hex digits",
        )
    if not claimed.releases and not claimed.bases:
        raise UsageError(
            "no-release",
            "a run was trained on a release or started from a model",
            why="lineage runs from rows to models through one of them",
            fix="add --release, --on or --base",
        )


def training_runs(stores: Stores) -> list[TrainingRun]:
    """Every recorded run, in the order of the ledger."""
    with stores.journal.catalog.snapshot() as index:
        rows = sorted(index.find(TrainingRunRow), key=lambda row: row.index)
        entries = {row.index: index.get(EntryRow, row.index) for row in rows}
    found = []
    for row in rows:
        entry = entries[row.index]
        told = {} if entry is None else stores.journal.document(entry.digest)
        tags = cast("Mapping[str, str]", told.get("tags", {}))
        verified = bool(told.get("verified"))
        found.append(TrainingRun(row.run, row.model, row.releases, row.bases, verified, tags))
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a model's file, in hex.

    Raises:
        NotFoundError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as wrong:
        raise NotFoundError(
            "unreadable-file",
            f"{path.name} cannot be read",
            why=str(wrong.strerror),
            fix="check the path, or give the SHA-256 of the model",
        ) from wrong


def tags_of(run: TrainingRun) -> dict[str, str]:
    """A run as flat text tags, for a tracker: ``mlflow.set_tags(tags_of(run))``."""
    return {
        f"{TAG}run": run.run,
        f"{TAG}model": run.model,
        f"{TAG}releases": ",".join(run.releases),
        f"{TAG}bases": ",".join(run.bases),
        **{f"{TAG}tag.{key}": value for key, value in run.tags.items()},
    }
