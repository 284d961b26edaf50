"""The year as it is sent: each feed signs and submits once a week, some of it poisoned."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from credenza.core.errors import UntrustedError
from credenza.core.types import Outcome
from credenza.interfaces.demo.books import Books, Sent
from credenza.interfaces.demo.tale import Clue
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import load_key
from credenza.redteam import feeds as flights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from credenza.core.types import Bools, Campaign
    from credenza.gate.settlement import Settlement
    from credenza.interfaces.demo.narrate import Narrator
    from credenza.interfaces.demo.tale import Week
    from credenza.redteam.probe import ProbedAttack
    from credenza.workspace import Workspace

DATASET = "flights"
LICENCE = "CC0-1.0"
HELD_OUT_WEEKS = 4
"""The year's last weeks are never submitted: the models are tested on them."""


LEAST_ROWS_OF_A_CLUE = 5
MOST_CLUES = 3


class Watch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the time of the block to ``name``."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started


@dataclass(frozen=True, slots=True)
class Script:
    """Who does what in this demo, drawn before it begins.

    Attributes:
        weekly: feed to week to untouched rows.
        attack: None when nobody attacks.
        first_week: the first poisoned week, 0 for the year's first.
    """

    weekly: Mapping[str, Mapping[int, pa.Table]]
    attack: ProbedAttack | None
    attackers: tuple[str, ...]
    first_week: int
    seed: int

    @property
    def weeks(self) -> range:
        """The weeks that are submitted."""
        return range(flights.WEEKS - HELD_OUT_WEEKS)

    def rows(self, feed: str, week: int) -> tuple[pa.Table, Bools, bool]:
        """What a feed sends in a week, which rows are poison, and whether it acts."""
        clean = self.weekly[feed][week]
        if self.attack is None or feed not in self.attackers or week < self.first_week:
            return clean, np.zeros(clean.num_rows, dtype=np.bool_), False
        poisoned, mask = self.attack.poison(clean, flights.poison_rng(self.seed, feed, week))
        return poisoned, mask, True

    def untouched(self) -> Iterator[pa.Table]:
        """What honest feeds would have sent in the submitted weeks."""
        for weekly in self.weekly.values():
            yield from (rows for week, rows in weekly.items() if week in self.weeks)

    def future(self) -> Iterator[pa.Table]:
        """The held-out weeks."""
        for weekly in self.weekly.values():
            yield from (rows for week, rows in weekly.items() if week not in self.weeks)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays.

    Attributes:
        desk: directory for each feed's private key and the files it submits.
    """

    workspace: Workspace
    script: Script
    desk: Path
    narrator: Narrator
    watch: Watch


@dataclass(frozen=True, slots=True)
class Season:
    """The submitted year.

    Attributes:
        campaigns: (week, campaign) of every alarm, in order.
        everything: all rows as they were sent, poison and all.
        versions: newest dataset version after each week.
    """

    books: Books
    weeks: tuple[Week, ...]
    campaigns: tuple[tuple[int, Campaign], ...]
    everything: tuple[pa.Table, ...]
    versions: Mapping[int, int]
    clues: tuple[Clue, ...]

    def catch(self, script: Script) -> tuple[int, Campaign] | None:
        """The first campaign since the attack began that names an attacker."""
        for week, campaign in self.campaigns:
            if week >= script.first_week and set(campaign.sources) & set(script.attackers):
                return week, campaign
        return None

    def alarm(self, script: Script) -> tuple[int, Campaign] | None:
        """The catch, or else the first campaign there was: the one to tell of."""
        return self.catch(script) or (self.campaigns[0] if self.campaigns else None)

    def version_before(self, week: int | None) -> int:
        """The newest version from before a week (the last, by default)."""
        limit = max(self.versions) if week is None else week
        earlier = [number for judged, number in self.versions.items() if judged < limit]
        return max(earlier) if earlier else min(self.versions.values())


def register(stage: Stage) -> None:
    """A key pair per feed, and the feed as a source that may sign with it."""
    for feed in stage.script.weekly:
        public = stage.workspace.new_key(stage.desk / f"{feed}.key")
        stage.workspace.add_source(feed, [public], flights.group_of(feed))


def play(stage: Stage) -> Season:
    """Submit and settle week by week."""
    books = Books()
    weeks: list[Week] = []
    campaigns: list[tuple[int, Campaign]] = []
    everything: list[pa.Table] = []
    versions: dict[int, int] = {}
    clues: list[Clue] = []
    for week in stage.script.weeks:
        with stage.watch.time("submit"):
            everything += _submit_week(stage, week, books)
        with stage.watch.time("settle"):
            until = flights.week_start(week + 1).isoformat()
            settled = stage.workspace.settle(DATASET, until=until)
        for window in settled:
            judged = books.judged(window.verdicts)
            weeks.append(books.week(judged, window.window))
            stage.narrator.week(weeks[-1])
            for clue in _clues(stage.workspace, window, judged):
                if len(clues) < MOST_CLUES:
                    stage.narrator.clue(clue)
                    clues.append(clue)
            for campaign in window.campaigns:
                stage.narrator.campaign(campaign, judged + 1)
                campaigns.append((judged, campaign))
            if window.version is not None:
                versions[judged] = window.version
    return Season(books, tuple(weeks), tuple(campaigns), tuple(everything), versions, tuple(clues))


def _clues(workspace: Workspace, window: Settlement, week: int) -> Iterator[Clue]:
    """The batch of a window that lost most rows, if it lost some, and why."""
    admitted = [verdict for verdict in window.verdicts if verdict.outcome is Outcome.ADMIT]
    most = max(admitted, key=lambda verdict: len(verdict.quarantined_rows), default=None)
    if most is None or len(most.quarantined_rows) < LEAST_ROWS_OF_A_CLUE:
        return
    told = workspace.explain(most.batch)
    findings = sorted(told.findings, key=lambda finding: -len(finding.rows))
    if findings:
        rows = len(most.quarantined_rows)
        yield Clue(week + 1, told.record.source, rows, findings[0].sentence)


def _submit_week(stage: Stage, week: int, books: Books) -> list[pa.Table]:
    """Each feed that flew signs its file; all are handed in together. What was sent comes out."""
    sent: list[tuple[Sent, pa.Table]] = []
    signed: list[tuple[bytes, Sequence[Path]]] = []
    for feed in (feed for feed, weekly in stage.script.weekly.items() if week in weekly):
        rows, poison, hostile = stage.script.rows(feed, week)
        path = stage.desk / f"{feed}-{week:02}.parquet"
        pq.write_table(rows, path)
        sent.append((Sent(feed, week, poison, hostile), rows))
        signed.append((_signed(stage, feed, week, path), [path]))
    for (batch, _), (_, files), answer in zip(
        sent, signed, stage.workspace.receive_together(signed), strict=True
    ):
        if isinstance(answer, UntrustedError):
            raise answer
        books.sent(answer.batch, batch)
        files[0].unlink()
    return [rows for _, rows in sent]


def _signed(stage: Stage, feed: str, week: int, path: Path) -> bytes:
    """A feed's envelope over a file of its own, which it reads without the sandbox."""
    return stage.workspace.sign(
        [path],
        source=feed,
        key=load_key(stage.desk / f"{feed}.key"),
        dataset=DATASET,
        label=flights.LABEL,
        collected=(flights.week_start(week).isoformat(), flights.week_start(week + 1).isoformat()),
        licence=LICENCE,
        read=read_own,
    )
