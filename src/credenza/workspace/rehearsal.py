"""A copy of a workspace to rehearse on, signed with a key that is thrown away.

The copy's ledger says the same and is another ledger, so nothing that happens there could
ever be shown as something that happened here. Content and data files are linked, not
copied: they never change. Whatever may be written to is copied.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.gate import registry, releases
from credenza.gate.proofs import origin_of
from credenza.gate.questions import version as version_of
from credenza.response.blast import blast_radius
from credenza.response.rehearse import draw_suspicion, drill, scored
from credenza.response.steps.step import Hands, Wishes
from credenza.store.ledger.ledger import Ledger
from credenza.workspace import home as homes
from credenza.workspace.opened import Opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from credenza.core.types import Release
    from credenza.gate.stores import Stores
    from credenza.response.rehearse import Scorecard
    from credenza.response.suspicion import Suspicion


def rehearse(
    home: Path,
    stores: Stores,
    dataset: str,
    *,
    suspicion: Suspicion | None = None,
    wishes: Wishes | None = None,
    seed: int = 0,
) -> Scorecard:
    """Recover a copy of the workspace, and record the scorecard in the true ledger.

    Args:
        home: the workspace's directory; the copy lies beside it while it lasts.
        stores: the workspace's.
        dataset: of which.
        suspicion: by default one sender from some window on, drawn by the seed.
        wishes: for the plan.
        seed: of what is drawn.

    Raises:
        NotFoundError: what is suspected does not exist.
        UsageError: nothing was admitted yet.
    """
    stores.journal.lock()
    suspicion = suspicion or draw_suspicion(stores, dataset, seed)
    unknown = {one.kind: "rehearsal" for one in blast_radius(stores, suspicion).unknown}
    told = wishes or Wishes(waivers=unknown)
    began = time.perf_counter()
    with _copy_of(home, stores) as copy:
        card = drill(
            copy.stores,
            copy.hands,
            suspicion,
            told,
            copied_s=time.perf_counter() - began,
            timer=time.perf_counter,
        )
    stores.journal.record([scored(card)])
    return card


class _Copy(Opened):
    """The copy, opened, with what the steps of a recovery may do there."""

    @property
    def stores(self) -> Stores:
        """Its journal and datasets."""
        return self._stores

    def hands(self, plan: str, members: Mapping[str, str]) -> Hands:
        """Nobody governs a copy: two made-up members sign."""

        def release(dataset: str, directory: Path, number: int) -> Release:
            return releases.create(
                self._stores,
                version_of(self._stores, dataset, number),
                directory,
                policy="",
                key=self._operator,
                time_s=int(self._clock()),
            )

        return Hands(
            freeze=lambda name, why: registry.freeze_source(self._stores, name, why),
            recall=lambda digest, why: releases.recall(self._stores, digest, why),
            release=release,
            warrant=lambda action, terms: nullcontext(),  # noqa: ARG005 - one signature
            members=members,
            is_governed=False,
            key=self.public_key,
            desk=self.home / "recoveries" / plan[:16],
        )


@contextmanager
def _copy_of(home: Path, stores: Stores) -> Iterator[_Copy]:
    with tempfile.TemporaryDirectory(prefix=".rehearsal.", dir=home.parent) as desk:
        place = Path(desk) / "home"
        key = homes.make_home(place, "")
        shutil.rmtree(place / "ledger")
        with Ledger.create(place / "ledger", origin_of(key.public), key.private) as ledger:
            for time_s, same in groupby(stores.journal.ledger.entries(), lambda one: one.time_s):
                ledger.append_many([(one.kind, one.digest) for one in same], time_s)
        for name in ("blobs", "datasets"):
            if (home / name).exists():
                shutil.copytree(home / name, place / name, copy_function=_link_or_copy)
        with _Copy(place) as copy:
            yield copy


def _link_or_copy(source: str, target: str) -> None:
    """Content by its digest and data files never change; everything else is copied."""
    path = Path(source)
    if path.parent.name in ("data", "_deletions") or "blobs" in path.parts:
        try:
            Path(target).hardlink_to(path)
        except OSError:  # another file system, or one without links
            shutil.copy2(source, target)
    else:
        shutil.copy2(source, target)
