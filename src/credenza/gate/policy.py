"""The rules that turn evidence into verdicts, section by section; ``policy_file`` reads them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from credenza.core.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_DETECTORS = (
    "association",
    "column-drift",
    "confident-disagreement",
    "duplicates",
    "knn-disagreement",
    "subgroup-labels",
)


@dataclass(frozen=True, slots=True)
class WindowRule:
    """When batches are judged together.

    Attributes:
        days: length of a window; 0 judges every batch alone, as it arrives.
        anchor: a date on which a window starts.
        reference: first windows, vouched for by a steward, that teach the reference.
        calibration: windows after those, vouched for too, that set the baselines.
        probation: windows for which a source stays held that was suspected beside named
            ones; attackers of whom some are named seldom make a second claim.
        cycles: in windows, after which every source does alike: 7 is the days of a week.
    """

    days: int = 7
    anchor: dt.date = dt.date(1970, 1, 5)
    reference: int = 10
    calibration: int = 16
    probation: int = 4
    cycles: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """How many false alarms the user is ready to pay for.

    Attributes:
        rows: share of clean rows that may be quarantined.
        fdr: false discovery rate among flagged rows and sources.
        campaign_rate: false campaigns per window.
        batch_rows: a batch with a larger share of flagged rows is held whole.
    """

    rows: float = 0.001
    fdr: float = 0.05
    campaign_rate: float = 0.01
    batch_rows: float = 0.10


@dataclass(frozen=True, slots=True)
class Lanes:
    """From where on a lane speaks, in standard units.

    Attributes:
        source: a source's distance from its own past; the scan itself begins at 4.5.
        common_cause: the shift that all sources share; likewise.
    """

    source: float = 4.5
    common_cause: float = 6.0


@dataclass(frozen=True, slots=True)
class ReconcileRule:
    """Which rows of different sources are about the same thing.

    Attributes:
        key: columns that name it, such as a symbol and a day; none: nothing is compared.
        values: number columns to compare.
        spreads: a row disagrees when it is so many usual spreads from the others.
    """

    key: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    spreads: float = 8.0


@dataclass(frozen=True, slots=True)
class DiversityRule:
    """How much may rest on one source, or on those of one declared group.

    Attributes:
        window_share: of the rows of a window.
        leverage_share: of what a linear model of all columns can learn from a window: few
            rows that are unlike all others bend a fit as far as many that are usual.
        dataset_share: of the rows of the dataset.
        slice_columns: columns whose values are slices.
        slice_share: of the rows of a slice.
        dominant: from which share of a slice, or of a label's value, on it is warned of.
    """

    window_share: float = 1.0
    leverage_share: float = 1.0
    dataset_share: float = 1.0
    slice_columns: tuple[str, ...] = ()
    slice_share: float = 1.0
    dominant: float = 0.8


@dataclass(frozen=True, slots=True)
class Quota:
    """Most that one source may have open at once in a dataset: waiting, held or quarantined.

    What is beyond is refused until something is settled or decided on, so that a flood
    fills neither the disk nor a reviewer's day, and delays nobody but its sender.

    Attributes:
        batches: open batches.
        rows: rows of open batches.
        bytes: bytes of their files.
        findings: reasons for which its batches wait for a person.
    """

    batches: int = 200
    rows: int = 50_000_000
    bytes: int = 64_000_000_000
    findings: int = 2_000


@dataclass(frozen=True, slots=True)
class QuarantineRule:
    """What happens to what is held, quarantined or kept out.

    Attributes:
        queues: who looks at a batch, by the rule that weighed most in its verdict;
            "review" for rules that are not named.
        validators: that look at every batch that is held, when `credenza validate` is run.
        expire_days: undecided for so long, it is rejected; 0 for never. Its bytes stay, and
            `credenza review reopen` takes the rejection back.
        backlog_batches: a queue that is longer is over its limit; 0 for no limit.
        backlog_days: a queue whose oldest batch waits longer is over its limit; 0 for none.
    """

    queues: Mapping[str, str] = field(default_factory=dict)
    validators: tuple[str, ...] = ("recompute", "rescreen")
    expire_days: int = 0
    backlog_batches: int = 0
    backlog_days: int = 0


@dataclass(frozen=True, slots=True)
class SourcesRule:
    """From when on a source is known well enough to be let in without a person.

    Attributes:
        probation: windows in which its batches must have been accepted before; 0 asks for
            none. Windows that a steward vouches for count.
        review_again: fields of the signed manifest that say how data is collected, and by
            whom; whoever declares another value begins anew.
    """

    probation: int = 0
    review_again: tuple[str, ...] = ("data-issuer", "method", "source")


@dataclass(frozen=True, slots=True)
class ReleaseRule:
    """What a version must prove before it is released.

    Attributes:
        certified_against: colluding sources, whatever they sent, that must not sway an
            ensemble by source learnt from it; 0 demands nothing.
        certified_accuracy: share of predictions that must be right and stay so.
    """

    certified_against: int = 0
    certified_accuracy: float = 0.5


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each kind of evidence does to a batch.

    Attributes:
        campaign_named: the batch's source is named in a campaign of this window.
        campaign_suspected: it moved the same way, short of being named.
        campaign_changed: it changed what it sends together with others, accused of nothing.
        payload: it sends what a few independent sources send too, and nobody else.
        source: its own control chart alarms.
        structure: its volume, missing values or value pairs are unlike its past.
        common_cause: most sources moved together; removed from the scan, and noted.
        watched: a campaign named or suspected it earlier, and nobody cleared it.
        rows: it has flagged rows; ADMIT lets the batch pass without them.
        together: too many of its source's rows in the window are unlike trusted ones, or
            carry labels that nobody else's rows like them do, and most of them are not
            flagged one by one, which would keep them out.
        drift: its columns drift from trusted data.
        disagreement: rows say something else than other sources of the same key; ADMIT
            lets the batch pass without them.
        diversity: it sends more than the policy's caps allow.
        same_source: other batches of its source are held or quarantined; ADMIT lets
            clean ones go on and says nothing.
        silence: a configured detector could not assess it.
        late: it came after its window was judged.
        probation: its source is new, or changed how it collects; see ``SourcesRule``.
    """

    campaign_named: Outcome = Outcome.QUARANTINE
    campaign_suspected: Outcome = Outcome.HOLD
    campaign_changed: Outcome = Outcome.HOLD
    payload: Outcome = Outcome.HOLD
    source: Outcome = Outcome.ADMIT
    structure: Outcome = Outcome.ADMIT
    common_cause: Outcome = Outcome.ADMIT
    watched: Outcome = Outcome.HOLD
    rows: Outcome = Outcome.ADMIT
    together: Outcome = Outcome.HOLD
    drift: Outcome = Outcome.ADMIT
    disagreement: Outcome = Outcome.ADMIT
    diversity: Outcome = Outcome.HOLD
    same_source: Outcome = Outcome.ADMIT
    silence: Outcome = Outcome.HOLD
    late: Outcome = Outcome.HOLD
    probation: Outcome = Outcome.HOLD


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that turn evidence into verdicts.

    Attributes:
        digest: SHA-256 of the file's exact bytes.
    """

    digest: str
    window: WindowRule = field(default_factory=WindowRule)
    budget: Budget = field(default_factory=Budget)
    outcomes: Outcomes = field(default_factory=Outcomes)
    lanes: Lanes = field(default_factory=Lanes)
    reconcile: ReconcileRule = field(default_factory=ReconcileRule)
    diversity: DiversityRule = field(default_factory=DiversityRule)
    quota: Quota = field(default_factory=Quota)
    sources: SourcesRule = field(default_factory=SourcesRule)
    quarantine: QuarantineRule = field(default_factory=QuarantineRule)
    release: ReleaseRule = field(default_factory=ReleaseRule)
    detectors: tuple[str, ...] = DEFAULT_DETECTORS
    campaigns: bool = True
