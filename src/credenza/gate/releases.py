"""Releases of a version, and their recall."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from credenza.core.errors import UsageError
from credenza.core.prefix import beginning
from credenza.datasets.attestation import Recalls, sign_recalls
from credenza.datasets.release import Claim, write_release
from credenza.gate.excision import refuse_excised
from credenza.gate.journal import Event
from credenza.store.rows import ReleaseRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from credenza.core.types import Release, Version
    from credenza.gate.stores import Stores
    from credenza.provenance.keys import SigningKey


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
        raise UsageError("no-reason", "a recall needs a reason", fix="add --reason")
    found = release_named(stores, digest)
    stores.journal.record([Event("recall", {"release": found.digest, "reason": reason})])


def release_digest(prefix: str, known: Iterable[str]) -> str:
    """The one of these releases that begins so.

    Raises:
        NotFoundError: none does, or several.
    """
    fix = "`credenza release create` printed its digest, and `credenza release verify` does"
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
