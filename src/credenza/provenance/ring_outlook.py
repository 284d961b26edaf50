"""A key ring as a person looks at it: versions, signatures, expiries, delegations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tuf.api.metadata import Snapshot, Targets, Timestamp

from credenza.provenance.ring import mandates_of
from credenza.provenance.ring_directory import (
    SNAPSHOT_FILE,
    TARGETS_FILE,
    TIMESTAMP_FILE,
    load,
    load_roots,
)
from credenza.provenance.ring_form import expiry_s

if TYPE_CHECKING:
    from pathlib import Path

    from tuf.api.metadata import Metadata, Root

    from credenza.provenance.ring import Ring
    from credenza.provenance.ring_form import Part
    from credenza.provenance.roster import Mandate


class Page(NamedTuple):
    """How one metadata file stands.

    Attributes:
        signed: keys of its role that have signed it, of those the newest root names.
        expires_s: in seconds since the epoch.
    """

    role: str
    version: int
    expires_s: int
    signed: int
    threshold: int
    keys: int

    @property
    def complete(self) -> bool:
        """Enough keys have signed."""
        return self.signed >= self.threshold


class Outlook(NamedTuple):
    """A ring as a person looks at it."""

    pages: tuple[Page, ...]
    mandates: dict[str, Mandate]


def outlook(directory: Path) -> Outlook:
    """How the drafts and what is published stand.

    Raises:
        NotFoundError: there is no ring.
    """
    roots = load_roots(directory)
    targets = load(directory, Targets, TARGETS_FILE)
    before = roots[-2:][0].signed  # a root is judged by the one before it, and by itself
    root = min(page_of(roots[-1], before), page_of(roots[-1], roots[-1].signed), key=_open)
    pages = [root, page_of(targets, roots[-1].signed)]
    if (directory / TIMESTAMP_FILE).exists():
        pages.append(page_of(load(directory, Snapshot, SNAPSHOT_FILE), roots[-1].signed))
        pages.append(page_of(load(directory, Timestamp, TIMESTAMP_FILE), roots[-1].signed))
    return Outlook(tuple(pages), mandates_of(targets.signed, min(p.expires_s for p in pages)))


def outlook_of(ring: Ring) -> Outlook:
    """The same of a ring that is followed."""
    root = ring.root.signed
    pages = (
        page_of(ring.root, root),
        page_of(ring.targets, root),
        page_of(ring.snapshot, root),
        page_of(ring.timestamp, root),
    )
    return Outlook(pages, dict(ring.mandates))


def page_of(found: Metadata[Part], root: Root) -> Page:
    """How one file stands with the keys that a root names."""
    result = root.get_verification_result(found.signed.type, found.signed_bytes, found.signatures)
    return Page(
        found.signed.type,
        found.signed.version,
        expiry_s(found.signed),
        len(result.signed),
        result.threshold,
        len(root.roles[found.signed.type].keyids),
    )


def _open(page: Page) -> int:
    """Signatures beyond the threshold; below zero, how many are missing."""
    return page.signed - page.threshold
