"""The response, as a workspace offers it: how far something got, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import ConflictError, NotFoundError
from credenza.datasets.verify_release import verify_release
from credenza.gate.governance.reading import charter
from credenza.response import channels, recover
from credenza.response.blast import blast_radius
from credenza.response.declaration import check_member, signed
from credenza.response.plan import draw_up, read_plan
from credenza.response.steps.declare import DeclareClean
from credenza.response.steps.step import Hands, Wishes
from credenza.response.training_runs import TrainingRun, tags_of, train_run, training_runs
from credenza.workspace.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from credenza.core.types import Release
    from credenza.gate.journal import Event
    from credenza.gate.stores import Stores
    from credenza.provenance.keys import SigningKey
    from credenza.response.blast import BlastRadius
    from credenza.response.channels import Channel
    from credenza.response.plan import Plan
    from credenza.response.recover import Recovery, Taken
    from credenza.response.rehearse import Scorecard
    from credenza.response.rescreen import Rescreened
    from credenza.response.suspicion import Suspicion
    from credenza.workspace.gate import Gate

DESK = "recoveries"
"""Directory of a workspace in which recoveries put releases and models."""


class Response:
    """What can be done once something got through.

    Args:
        gate: whose use-cases freeze, recall and release, under its governance.
        stores: the gate's.
    """

    def __init__(self, gate: Gate, stores: Stores) -> None:
        self._gate = gate
        self._stores = stores

    # -- looking

    def blast_radius(self, suspicion: Suspicion) -> BlastRadius:
        """Which versions, releases, channels and models suspicious rows reached."""
        return blast_radius(self._stores, suspicion)

    def rescreen(self, dataset: str, *, most_rows: int) -> list[Rescreened]:
        """Screen what was admitted before by today's policy, newest window first."""
        from credenza.response.rescreen import rescreen  # noqa: PLC0415 - the models: seconds to load

        policy = self._gate.policies.recorded()
        return [*rescreen(self._stores, policy, dataset, most_rows=most_rows)]

    # -- channels

    def channels(self, dataset: str | None = None) -> list[Channel]:
        """Every channel where it points now."""
        return channels.channels(self._stores, dataset)

    def channel(self, dataset: str, name: str) -> Channel:
        """One channel."""
        return channels.channel(self._stores, dataset, name)

    def channel_history(self, dataset: str, name: str) -> list[Channel]:
        """Where a channel pointed, oldest move first."""
        return channels.history(self._stores, dataset, name)

    def move_channel(
        self,
        dataset: str,
        name: str,
        *,
        version: int | None = None,
        release: str = "",
        reason: str,
    ) -> Channel:
        """Point a channel to a version, or to a release by the first digits of its digest."""
        self._stores.journal.lock()
        event = channels.moved(self._stores, dataset, name, version, release, reason)
        return self._move("move-channel", event)

    def roll_back_channel(self, dataset: str, name: str, reason: str) -> Channel:
        """Point a channel to where it pointed before."""
        self._stores.journal.lock()
        return self._move("roll-back-channel", channels.back(self._stores, dataset, name, reason))

    def _move(self, action: str, event: Event) -> Channel:
        with self._gate.warrants.allow(action, event.document):
            self._stores.journal.record([event])
        return self.channel(str(event.document["dataset"]), str(event.document["channel"]))

    # -- training runs

    def train_run(
        self,
        run: str,
        model: str,
        *,
        releases: Sequence[str] = (),
        bases: Sequence[str] = (),
        directory: Path | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> TrainingRun:
        """Record a training run.

        Args:
            run: its name.
            model: SHA-256 of what came out, in hex.
            releases: digests, or first digits, of what it was trained on.
            bases: digests of the models it started from.
            directory: a release it was trained on, verified here and now.
            tags: whatever else.

        Raises:
            UntrustedError: the directory is not what was released, or was recalled.
        """
        names = [*releases]
        if directory is not None:
            found = verify_release(
                directory, trust=[self._gate.public_key], recalls=self._gate.releases.recalled()
            )
            names.append(found.digest)
        claimed = TrainingRun(
            run,
            model,
            tuple(names),
            tuple(bases),
            verified=directory is not None and not releases,
            tags=dict(tags or {}),
        )
        return train_run(self._stores, claimed)

    def training_runs(self) -> list[TrainingRun]:
        """Every recorded run, in the order of the ledger."""
        return training_runs(self._stores)

    def tags(self, run: str) -> dict[str, str]:
        """A run as flat text tags, for a tracker: ``mlflow.set_tags(...)``."""
        known = {one.run: one for one in self.training_runs()}
        if run not in known:
            raise NotFoundError(
                "no-such-run",
                f"no run is called {run[:128]!r}",
                why=f"the newest are: {', '.join([*known][-5:]) or 'none'}",
                fix="record it with `credenza train-run`",
            )
        return tags_of(known[run])

    # -- recovery

    def plan(self, suspicion: Suspicion, wishes: Wishes | None = None) -> Plan:
        """Draw up the way back; nothing is changed."""
        return draw_up(self._stores, suspicion, wishes or Wishes())

    def read_plan(self, data: bytes) -> Plan:
        """The plan of a file."""
        return read_plan(data)

    def apply(self, plan: Plan, progress: Callable[[Taken], None] | None = None) -> list[Taken]:
        """Take every step of a plan that was not taken yet.

        Raises:
            PendingError: people must sign or approve first; apply it again then.
        """
        taken = []
        for step in recover.apply(self._stores, self._hands(plan.digest), plan):
            taken.append(step)
            if progress is not None:
                progress(step)
        return taken

    def sign(self, prefix: str, key: SigningKey) -> str:
        """Put one's name to the declaration of a recovery whose other steps are done; the name.

        Raises:
            ForbiddenError: the key is no member's.
            ConflictError: the declaration cannot be written yet, or is none of the plan's.
        """
        known = recover.recovery(self._stores, prefix)
        hands = self._hands(known.digest)
        name = check_member(key, hands.members)
        place, step = next(
            (
                (place, step)
                for place, step in enumerate(known.plan.steps)
                if isinstance(step, DeclareClean)
            ),
            (0, None),
        )
        if step is None or any(one.index is None for one in known.steps[:place]):
            raise ConflictError(
                "nothing-to-sign",
                f"recovery {known.digest[:12]} has no declaration to sign yet",
                why="it is written when every step before it is done",
                fix="apply the plan, then sign",
            )
        terms = step.terms(recover.job_of(self._stores, hands, known))
        self._stores.journal.record([signed(terms, key)])
        return name

    def recoveries(self) -> list[Recovery]:
        """Every recovery that was begun, oldest first."""
        return recover.recoveries(self._stores)

    def recovery(self, prefix: str) -> Recovery:
        """One recovery by the first digits of its plan's digest."""
        return recover.recovery(self._stores, prefix)

    def rehearse(
        self,
        dataset: str,
        *,
        suspicion: Suspicion | None = None,
        wishes: Wishes | None = None,
        seed: int = 0,
    ) -> Scorecard:
        """Recover a copy of the workspace; the scorecard goes into the ledger."""
        return rehearse(
            self._gate.home,
            self._stores,
            dataset,
            suspicion=suspicion,
            wishes=wishes,
            seed=seed,
        )

    def _hands(self, plan: str) -> Hands:
        gate = self._gate
        known = charter(self._stores)

        def release(dataset: str, directory: Path, version: int) -> Release:
            return gate.releases.create(dataset, directory, version)

        return Hands(
            freeze=gate.freeze_source,
            recall=gate.releases.recall,
            release=release,
            warrant=gate.warrants.allow,
            members={key: one.name for one in known.active.values() for key in one.keys},
            is_governed=known.is_governed,
            key=gate.public_key,
            desk=gate.home / DESK / plan[:16],
        )
