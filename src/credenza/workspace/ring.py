"""The key ring: what its keepers do with their directory, and a workspace that follows it."""

from __future__ import annotations

import datetime as dt
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

from credenza.core.errors import NotFoundError, UsageError
from credenza.gate import registry
from credenza.gate.windows import instant_of
from credenza.provenance import ring_keeping
from credenza.provenance.ring_directory import published
from credenza.provenance.ring_keeping import ONLINE, Holders
from credenza.provenance.ring_outlook import Outlook, outlook, outlook_of
from credenza.provenance.roster import Mandate
from credenza.workspace.keys import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from credenza.gate.stores import Stores
    from credenza.workspace.warrants import Warrants

MANDATE_DAYS = 365


class Followed:
    """The ring that a workspace follows.

    Args:
        stores: of the workspace.
        warrants: that following a ring takes; what its keepers publish later does not.
    """

    def __init__(self, stores: Stores, warrants: Warrants) -> None:
        self._stores = stores
        self._warrants = warrants

    def take(self, directory: Path) -> Outlook:
        """Take what the keepers published there, by TUF's client rules, into the ledger.

        Raises:
            UntrustedError: it is not theirs, not the newest, not whole, or has expired.
            ConflictError: it is followed already.
        """
        trusted = registry.ring(self._stores)
        after = 0 if trusted is None else trusted.versions["root"]
        event, content = registry.ring_event(self._stores, published(directory, after))
        is_first = registry.ring(self._stores) is None
        terms = event.document
        with self._warrants.allow("follow-ring", terms) if is_first else nullcontext():
            self._stores.journal.record([event], content)
        return self.outlook()

    def outlook(self) -> Outlook:
        """Versions, expiries and delegations of the ring.

        Raises:
            NotFoundError: the workspace follows none.
        """
        now = registry.ring(self._stores)
        if now is None:
            raise NotFoundError(
                "no-ring",
                "this workspace follows no key ring",
                why="its sources sign with the keys they were registered with",
                fix="run `credenza ring import DIR`, or name a directory",
            )
        return outlook_of(now)


class Keepers:
    """The directory in which the keepers of a ring draft, sign and publish it.

    Args:
        directory: of the ring.
        clock: seconds since the epoch.
    """

    def __init__(self, directory: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._clock = clock

    def begin(self, root: Holders, targets: Holders, online: Sequence[str]) -> Outlook:
        """Draft a new ring; ``online`` keys sign snapshot and timestamp, any one of them."""
        ring_keeping.begin(self._directory, root, targets, Holders(tuple(online), 1), self._now_s)
        return self.outlook()

    def delegate(
        self, source: str, holders: Holders, datasets: Sequence[str], until: str = ""
    ) -> Outlook:
        """Draft a source's role; ``until`` an ISO date, in a year by default."""
        until_s = (
            int(dt.datetime.fromisoformat(instant_of(until)).timestamp())
            if until
            else self._now_s + MANDATE_DAYS * ring_keeping.DAY_S
        )
        mandate = Mandate(holders.keys, holders.threshold, tuple(datasets), until_s)
        ring_keeping.delegate(self._directory, source, mandate, self._now_s)
        return self.outlook()

    def revoke(self, source: str) -> Outlook:
        """Draft the end of a source's role."""
        ring_keeping.revoke(self._directory, source, self._now_s)
        return self.outlook()

    def rotate(self, role: str, holders: Holders) -> Outlook:
        """Draft a root that gives root, targets or online to other keys."""
        if role == ONLINE and holders.threshold != 1:
            raise UsageError(
                "bad-threshold",
                "the online role is signed by one key at a time",
                why="it signs by itself, at every change",
                fix="give one key",
            )
        ring_keeping.rotate(self._directory, role, holders, self._now_s)
        return self.outlook()

    def renew(self, role: str) -> Outlook:
        """Draft root or targets again as it is, with a new expiry."""
        ring_keeping.renew(self._directory, role, self._now_s)
        return self.outlook()

    def sign(self, key: str) -> list[str]:
        """Sign every draft that waits for that key; the drafts' roles."""
        return ring_keeping.sign_drafts(self._directory, key_of(key))

    def publish(self, key: str) -> Outlook:
        """Sign snapshot and timestamp of what is there, for readers to take up."""
        ring_keeping.publish(self._directory, key_of(key), self._now_s)
        return self.outlook()

    def outlook(self) -> Outlook:
        """How the drafts and what is published stand."""
        return outlook(self._directory)

    @property
    def _now_s(self) -> int:
        return int(self._clock())
