"""Releases of a version, and their recall."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from credenza.core.errors import UsageError
from credenza.core.prefix import beginning
from credenza.datasets.attestation import Recalls, sign_recalls
from credenza.datasets.release import Claim, write_release
from credenza.gate.excision import refuse_excised
from credenza.gate.journal import Event
from credenza.store.rows import EntryRow, ReleaseRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from credenza.core.types import Release, Version
    from credenza.gate.stores import Stores
    from credenza.provenance.keys import SigningKey


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """A release that was made, and whether it may still be used.

    Attributes:
        released: when, ISO 8601 UTC.
        standing: "good" or "recalled".
        reason: why it was recalled; "" while it is good.
    """

    digest: str
    dataset: str
    version: int
    rows: int
    released: str
    standing: str
    reason: str


def released(stores: Stores, dataset: str | None = None) -> list[ReleaseRecord]:
    """Releases in the order of the ledger; of one dataset, or of all.

    Blind to expiry, which stands in the release itself: whoever verifies it learns of that.
    """
    stores.journal.lock()
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind="release")
        known = {row.digest: row for row in index.find(ReleaseRow)}
    documents = [(stores.journal.document(entry.digest), entry.time_s) for entry in entries]
    found = [(known[str(said["release"])], said, time_s) for said, time_s in documents]
    return [
        ReleaseRecord(
            row.digest,
            row.dataset,
            row.version,
            cast("int", said["rows"]),
            _instant(time_s),
            row.standing,
            row.reason,
        )
        for row, said, time_s in found
        if dataset in (None, row.dataset)
    ]


def create(
    stores: Stores,
    version: Version,
    out: Path,
    *,
    policy: str,
    key: SigningKey,
    time_s: int,
    expires: str = "",
) -> Release:
    """Write a version as a signed, exact file set, and record that it was released.

    The statement carries the ledger's newest checkpoint, so a verifier can later ask for
    proof that the verdicts behind it were logged before. From ``expires`` on, ISO 8601
    UTC, verifiers refuse it; "" for never.

    Raises:
        ConflictError: the version holds rows that were excised since.
    """
    stores.journal.lock()
    refuse_excised(stores, version.dataset, version.number)
    claim = Claim(
        dataset=version.dataset,
        version=version.number,
        policy=policy,
        checkpoint=stores.journal.ledger.checkpoint().decode("utf-8"),
        created=_instant(time_s),
        expires=expires,
    )
    rows = stores.datasets.read(version.dataset, version.number)
    made = write_release(out, rows, claim, key.private)
    stores.journal.record(
        [
            Event(
                "release",
                {
                    "release": made.digest,
                    "dataset": made.dataset,
                    "version": made.version,
                    "rows": made.rows,
                    "policy": policy,
                },
            )
        ]
    )
    return made


def recall(stores: Stores, digest: str, reason: str) -> None:
    """Say that a release must not be used any more; loaders that know will refuse it.

    Raises:
        NotFoundError: no such release.
        UsageError: no reason.
    """
    if not reason.strip():
        raise UsageError(
            "no-reason",
            "a recall needs a reason",
            why="whoever trained on it will ask",
            fix="add --reason",
        )
    found = release_named(stores, digest)
    stores.journal.record([Event("recall", {"release": found.digest, "reason": reason})])


def release_digest(prefix: str, known: Iterable[str]) -> str:
    """The one of these releases that begins so.

    Raises:
        NotFoundError: none does, or several.
    """
    fix = "`credenza release list` has them all"
    return beginning(prefix, known, "release", fix=fix)


def release_named(stores: Stores, digest: str) -> ReleaseRow:
    """The release whose digest begins so.

    Raises:
        NotFoundError: none does, or several.
    """
    stores.journal.lock()
    with stores.journal.catalog.snapshot() as index:
        by_digest = {row.digest: row for row in index.find(ReleaseRow)}
    return by_digest[release_digest(digest, by_digest)]


def recalls(stores: Stores) -> dict[str, str]:
    """Recalled releases by digest, with the reason."""
    with stores.journal.catalog.snapshot() as index:
        return {row.digest: row.reason for row in index.find(ReleaseRow, standing="recalled")}


def recall_list(stores: Stores, key: SigningKey, time_s: int) -> bytes:
    """The signed list of recalled releases, for verifiers that cannot ask the gate."""
    return sign_recalls(Recalls(recalls(stores), _instant(time_s)), key.private)


def _instant(time_s: int) -> str:
    return dt.datetime.fromtimestamp(time_s, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
