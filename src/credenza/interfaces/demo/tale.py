"""What happened in a demo: plain figures, for the report, the console and ``--json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Campaign, Release

SCHEMA = "credenza.demo/1"


@dataclass(frozen=True, slots=True)
class Week:
    """One window: what came and what became of it.

    Attributes:
        number: 1 for the first window of the year.
        start: the window's first day, ISO date.
        vouched: a steward answers for it; the gate learns from it and judges nothing.
        batches: how many batches ended with each outcome, by the outcome's name.
        rows: rows that came.
        rows_out: rows that stayed outside the dataset.
        hostile: batches that the demo had poisoned; the gate never saw this.
    """

    number: int
    start: str
    vouched: bool
    batches: Mapping[str, int]
    rows: int
    rows_out: int
    hostile: int


@dataclass(frozen=True, slots=True)
class Clue:
    """What the gate says of rows that it kept out of an admitted batch."""

    week: int
    source: str
    rows: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The control chart of one statistic.

    Attributes:
        windows: first days of the windows.
        values: ``(len(windows),)`` standard units by source; NaN where it has none.
    """

    statistic: str
    windows: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Trio:
    """One measure of the model trained on three sets of rows; None: not measured."""

    clean: float | None = None
    undefended: float | None = None
    gated: float | None = None


@dataclass(frozen=True, slots=True)
class Tale:
    """A whole demo, ready to be told.

    Attributes:
        attackers: feeds that were poisoned, known to the demo only.
        named: feeds that the gate named in any campaign.
        suspected: feeds it suspected and never named.
        first_attack_week: number of the first poisoned week, None without attack.
        caught_week: number of the first week with a campaign, None without one.
        honest_rows_held_share: of honest feeds' judged rows, those kept outside.
        poison_rows_admitted_share: of poison rows from the catch on (of all poison
            rows when nothing was caught), those in the dataset; None without any.
        seconds: by stage.
        home: the workspace.
    """

    attack: str
    seed: int
    feeds: tuple[str, ...]
    batches: int
    rows: int
    attackers: tuple[str, ...]
    named: tuple[str, ...]
    suspected: tuple[str, ...]
    first_attack_week: int | None
    caught_week: int | None
    honest_rows_held_share: float
    poison_rows_admitted_share: float | None
    accuracy: Trio
    attack_success: Trio
    release: Release
    verified: bool
    tampered_refused: bool
    refusal: str
    rolled_back_to: int
    entries: int
    audited: bool
    seconds: Mapping[str, float]
    home: str
    weeks: tuple[Week, ...] = ()
    campaign: Campaign | None = None
    chart: Chart | None = None
    clues: tuple[Clue, ...] = ()

    def summary(self) -> dict[str, object]:
        """The one object that ``credenza demo --json`` ends with."""
        return {
            "schema": SCHEMA,
            "feeds": len(self.feeds),
            "batches": self.batches,
            "rows": self.rows,
            "attackers": list(self.attackers),
            "named": list(self.named),
            "suspected": list(self.suspected),
            "first_attack_week": self.first_attack_week,
            "caught_week": self.caught_week,
            "honest_rows_held_share": self.honest_rows_held_share,
            "poison_rows_admitted_share": self.poison_rows_admitted_share,
            "accuracy": _trio(self.accuracy),
            "attack_success": _trio(self.attack_success),
            "release": {
                "digest": self.release.digest,
                "verified": self.verified,
                "tampered_refused": self.tampered_refused,
            },
            "ledger": {"entries": self.entries, "audited": self.audited},
            "seconds": dict(self.seconds),
        }


def _trio(of: Trio) -> dict[str, float | None]:
    return {"clean": of.clean, "undefended": of.undefended, "gated": of.gated}
