"""An open workspace: made, found, opened and closed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from credenza.core.keys import check_public_key
from credenza.datasets.versions import LanceDatasets
from credenza.gate import proofs
from credenza.gate.journal import Event, Journal
from credenza.gate.stores import Stores
from credenza.store.blobs import BlobStore
from credenza.store.catalog import Catalog
from credenza.store.ledger.ledger import Ledger
from credenza.workspace import guests
from credenza.workspace import home as homes
from credenza.workspace.policies import Policies
from credenza.workspace.telling import TOLD_FILE, keep_told
from credenza.workspace.warrants import Acting, Warrants

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from credenza.provenance.keys import SigningKey


class Opened:
    """A directory with a gate in it.

    Open it, use it, close it; or use it in a ``with`` block. Any number of processes may
    read; one at a time writes, from its first write until it is closed.

    Args:
        home: the directory, made by ``init``.
        clock: seconds since the epoch.

    Attributes:
        public_key: 64 hex digits of the operator's key, which signs checkpoints and releases.
        warrants: on whose word things are done, where the workspace is governed.
        policies: what judges, and what might.
    """

    def __init__(
        self,
        home: Path,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.home = home
        self._clock = clock
        config = homes.read_config(home)
        self.public_key = check_public_key(str(config["key"]))
        origin = proofs.origin_of(self.public_key)
        public = proofs.key_of(self.public_key)
        self._key: SigningKey | None = None
        ledger_directory = home / "ledger"
        catalog = Catalog(homes.catalog_url(home, config))
        journal = Journal(
            reader=Ledger.open(ledger_directory, origin, public),
            open_writer=lambda: Ledger.open(ledger_directory, origin, self._operator.private),
            blobs=BlobStore(home / "blobs"),
            catalog=catalog,
            clock=self._now,
        )
        self._stores = Stores(journal, LanceDatasets(home / "datasets"), guests.detectors)
        self.warrants = Warrants(self._stores, self._now)
        self.policies = Policies(self._stores, home, self.warrants)
        journal.catch_up()

    # -- opening and closing

    @classmethod
    def init(
        cls,
        home: Path | None = None,
        *,
        catalog_url: str = "",
        signer: str = "",
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Make a workspace: its key, its ledger, and a policy file to edit.

        Args:
            home: a directory that does not exist or is empty; by default at
                ``$CREDENZA_HOME``, or ``.credenza`` here.
            catalog_url: SQLAlchemy URL of a PostgreSQL database; SQLite by default.
            signer: the operator's key, a reference as ``keys.key_of`` takes it; a new key
                in a file by default.
            clock: seconds since the epoch.

        Raises:
            ConflictError: something lies there already.
        """
        home = homes.new_home(home)
        key = homes.make_home(home, catalog_url, signer)
        origin = proofs.origin_of(key.public)
        workspace = cls(home, clock=clock)
        workspace._stores.journal.record(
            [
                Event(
                    "workspace",
                    {"schema": homes.SCHEMA, "origin": origin, "key": key.public},
                )
            ]
        )
        return workspace

    @classmethod
    def open(
        cls,
        home: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        acting: Acting | None = None,
    ) -> Self:
        """Open the workspace at ``home``, at ``$CREDENZA_HOME``, or nearest upward.

        Args:
            home: the directory.
            clock: seconds since the epoch.
            acting: on whose word things are done, where it is governed.

        Raises:
            NotFoundError: there is none.
        """
        workspace = cls(homes.find_home(home), clock=clock)
        workspace.warrants.acting = acting or Acting()
        return workspace

    def at_one_moment(self) -> AbstractContextManager[None]:
        """What is read inside the block is all of one moment, whatever others write meanwhile.

        An answer that takes several looks at the index is otherwise of several moments. Only
        read inside.
        """
        return self._stores.journal.catalog.hold()

    def close(self) -> None:
        """Tell lineage tools what happened, and let other processes write."""
        if self._stores.journal.is_writing:
            keep_told(self._stores, self.home / TOLD_FILE)
        self._stores.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _now(self) -> int:
        return int(self._clock())

    @property
    def _operator(self) -> SigningKey:
        if self._key is None:
            self._key = homes.operator_key(self.home)
        return self._key
