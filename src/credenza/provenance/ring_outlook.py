"""A key ring as a person looks at it: versions, signatures, expiries, delegations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from credenza.provenance.ring import mandates_of
from credenza.provenance.ring_directory import (
    DRAFT_ROOT,
    DRAFT_TARGETS,
    SNAPSHOT_FILE,
    TARGETS_FILE,
    TIMESTAMP_FILE,
    load,
    load_any,
    load_roots,
    no_ring,
)
from credenza.provenance.ring_form import expiry_s

if TYPE_CHECKING:
    from pathlib import Path

    from tuf.api.metadata import Metadata

    from credenza.provenance.ring import Ring
    from credenza.provenance.ring_form import Part
    from credenza.provenance.roster import Mandate


class Page(NamedTuple):
    """How one metadata file stands.

    Attributes:
        signed: keys of its role that have signed it, of those the newest root names.
        expires_s: in seconds since the epoch.
        is_draft: readers do not see it yet.
    """

    role: str
    version: int
    expires_s: int
    signed: int
    threshold: int
    keys: int
    is_draft: bool = False

    @property
    def complete(self) -> bool:
        """Enough keys have signed."""
        return self.signed >= self.threshold


class Outlook(NamedTuple):
    """A ring as a person looks at it."""

    pages: tuple[Page, ...]
    mandates: dict[str, Mandate]


def outlook(directory: Path) -> Outlook:
    """How drafts stand, and what is published where nothing is drafted.

    Raises:
        NotFoundError: there is no ring.
    """
    roots = load_roots(directory)
    draft = load_any(directory, Root, DRAFT_ROOT)
    targets = load_any(directory, Targets, DRAFT_TARGETS, TARGETS_FILE)
    newest = draft or (roots[-1] if roots else None)
    if newest is None or targets is None:
        raise no_ring(directory)
    # A draft of the root is judged by the one before it as well as by itself.
    judges = [newest.signed, *(one.signed for one in roots[-1:] if draft is not None)]
    root = min((page_of(newest, judge) for judge in judges), key=_open)
    pages = [
        root._replace(is_draft=draft is not None),
        page_of(targets, newest.signed)._replace(is_draft=(directory / DRAFT_TARGETS).exists()),
    ]
    if roots:
        online = roots[-1].signed
        pages.append(page_of(load(directory, Snapshot, SNAPSHOT_FILE), online))
        pages.append(page_of(load(directory, Timestamp, TIMESTAMP_FILE), online))
    ends_s = min(page.expires_s for page in pages)
    return Outlook(tuple(pages), mandates_of(targets.signed, ends_s))


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
