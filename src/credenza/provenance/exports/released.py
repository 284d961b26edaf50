"""What every export tells: one release, its files, its batches and who stands behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from credenza.core.types import Manifest, Release


@dataclass(frozen=True, slots=True)
class Released:
    """The facts of one release.

    Attributes:
        release: as attested.
        created: when, ISO 8601 UTC.
        gate: the operator's public key, 64 hex digits.
        origin: name of the gate's ledger.
        checkpoint: the ledger's signed note that covers every verdict.
        label: the column that a model predicts, "" for none.
        columns: name and kind ("integer", "number", "boolean", "text", "date", "instant",
            "other") of each column, in order.
        batches: what the sender of each batch signed, by the batch's digest.
    """

    release: Release
    created: str
    gate: str
    origin: str
    checkpoint: str
    label: str
    columns: tuple[tuple[str, str], ...]
    batches: tuple[tuple[str, Manifest], ...]


def sources(released: Released) -> tuple[str, ...]:
    """The senders, sorted."""
    return tuple(sorted({manifest.source for _, manifest in released.batches}))


def licences(released: Released) -> tuple[str, ...]:
    """The licences that senders stated, sorted."""
    return tuple(sorted({one.licence for _, one in released.batches if one.licence}))


def span(released: Released) -> tuple[str, str]:
    """From the first to the last moment of collection; empty without batches."""
    starts = [manifest.collected[0] for _, manifest in released.batches]
    ends = [manifest.collected[1] for _, manifest in released.batches]
    return (min(starts), max(ends)) if starts else ("", "")


def urn(released: Released) -> str:
    """A name for the release that is the same everywhere."""
    return f"urn:credenza:release:{released.release.digest}"


def sentence(released: Released) -> str:
    """What it is, for people."""
    release = released.release
    return (
        f"Version {release.version} of {release.dataset}: {release.rows} rows from "
        f"{len(release.batches)} signed batches of {len(sources(released))} sources, each "
        f"screened before it was admitted, under policy {release.policy[:16]}"
    )
