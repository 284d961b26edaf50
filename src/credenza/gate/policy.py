"""A policy is a TOML file with a schema and a digest; unknown keys raise."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from credenza.core.canonical import sha256_hex
from credenza.core.errors import UsageError
from credenza.core.types import Outcome
from credenza.provenance.manifest import PROVENANCE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "credenza.policy/1"

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
    """

    days: int = 7
    anchor: dt.date = dt.date(1970, 1, 5)
    reference: int = 10
    calibration: int = 16
    probation: int = 4


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
        common_cause: the shift that all sources share.
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
    """How much may rest on one source.

    Attributes:
        window_share: of the rows of a window.
        dataset_share: of the rows of the dataset.
        slice_columns: columns whose values are slices.
        slice_share: of the rows of a slice.
        dominant: from which share of a slice on it is warned of.
    """

    window_share: float = 1.0
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
        findings: reasons for which its batches wait for a person.
    """

    batches: int = 200
    rows: int = 50_000_000
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


DEFAULT_POLICY = """\
# What credenza does with what it finds. Outcomes: admit, hold, quarantine, reject.
schema = "credenza.policy/1"
detectors = [
  "association", "column-drift", "confident-disagreement",
  "duplicates", "knn-disagreement", "subgroup-labels",
]
campaigns = true            # look for sources that move together (needs days > 0)

[window]
days = 7                    # judge a week at a time; 0 judges each batch as it arrives
anchor = 1970-01-05         # a day on which a window starts
reference = 10              # first windows, vouched for by you, that teach the reference
calibration = 16            # windows after those, vouched for too, that set the baselines
probation = 4               # windows for which a suspected source stays held after a campaign

[budget]
rows = 0.001                # share of clean rows that may be quarantined
fdr = 0.05                  # false discoveries among what is flagged
campaign_rate = 0.01        # false campaigns per window
batch_rows = 0.10           # a batch with more flagged rows than this is held whole

[lanes]                     # in standard units, from where on a lane speaks
source = 4.5
common_cause = 6.0

[reconcile]                 # rows of several sources about one thing must agree
key = []                    # columns that name the thing, such as ["symbol", "day"]
values = []                 # number columns that are compared
spreads = 8.0               # usual spreads between a row and the others from which on it disagrees

[diversity]                 # how much may rest on one source; 1.0 is no cap
window_share = 1.0
dataset_share = 1.0
slice_columns = []          # columns whose values are slices
slice_share = 1.0
dominant = 0.8              # share of a slice from which on it is warned of

[quota]                     # most that one source may have waiting, held or quarantined
batches = 200
rows = 50_000_000
findings = 2_000            # reasons for which batches of it wait for a person

[sources]
probation = 0               # accepted windows before a new source needs no reviewer; 0 is off
review_again = ["data-issuer", "method", "source"]  # declared otherwise: it begins anew

[quarantine]                # what happens to what is held
queues = {}                 # who looks at it, by rule: { campaign-named = "security" }
validators = ["recompute", "rescreen"]  # by `credenza validate pending`
expire_days = 0             # undecided for so long, it is rejected; 0 is never
backlog_batches = 0         # a longer queue is over its limit; 0 is no limit
backlog_days = 0            # a queue whose oldest batch waits longer is, too

[release]
certified_against = 0       # colluding sources that must not sway a model of it; 0 asks nothing
certified_accuracy = 0.5    # share of its predictions that stay right whatever they sent

[outcomes]
campaign_named = "quarantine"
campaign_suspected = "hold"
campaign_changed = "hold"   # several changed what they send together; nobody is accused
payload = "hold"            # a few sources share what nobody else sends: a person decides
source = "admit"            # one source's own alarm is noted: honest feeds drift
structure = "admit"         # volume, missing values, pairs never seen are noted
common_cause = "admit"      # what moved most sources is noted, and removed from the scan
watched = "hold"            # named or suspected earlier and not cleared since
rows = "admit"              # admit the batch without its flagged rows
drift = "admit"             # column drift is noted
disagreement = "admit"      # admit the batch without rows that other sources contradict
diversity = "hold"          # a source sends more than [diversity] allows
same_source = "admit"       # "hold" pauses a source while a batch of it is held
silence = "hold"            # what could not be assessed does not pass
late = "hold"               # came after its window was judged
probation = "hold"          # a source that is new, or changed how it collects
"""


_SECTIONS: Mapping[str, type[Any]] = {
    "window": WindowRule,
    "budget": Budget,
    "outcomes": Outcomes,
    "lanes": Lanes,
    "reconcile": ReconcileRule,
    "diversity": DiversityRule,
    "quota": Quota,
    "sources": SourcesRule,
    "quarantine": QuarantineRule,
    "release": ReleaseRule,
}


def load_policy(data: bytes) -> Policy:
    """Read a policy and check every key, type and range.

    Raises:
        UsageError: with the key, its value, and what was expected.
    """
    try:
        tree = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise _bad("the file is not TOML", str(wrong)) from wrong
    if tree.pop("schema", None) != SCHEMA:
        raise _bad("the schema is missing or unknown", f"expected schema = {SCHEMA!r}")
    known = {*_SECTIONS, "detectors", "campaigns"}
    if unknown := sorted(set(tree) - known):
        raise _bad(f"unknown key {unknown[0]!r}", f"the known keys are: {', '.join(sorted(known))}")
    detectors = tree.get("detectors", list(DEFAULT_DETECTORS))
    if not isinstance(detectors, list) or not all(isinstance(name, str) for name in detectors):
        raise _bad("'detectors' must be a list of names", f"it is {detectors!r}")
    campaigns = tree.get("campaigns", True)
    if not isinstance(campaigns, bool):
        raise _bad("'campaigns' must be true or false", f"it is {campaigns!r}")
    policy = Policy(
        digest=sha256_hex(data),
        **{name: _section(kind, tree.get(name, {}), name) for name, kind in _SECTIONS.items()},
        detectors=tuple(detectors),
        campaigns=campaigns,
    )
    _check_ranges(policy)
    return policy


def _section(kind: type[Any], found: object, name: str) -> Any:  # noqa: ANN401  # one of the sections
    """Fill a section's dataclass from a table, field by field and typed by the defaults."""
    if not isinstance(found, dict):
        raise _bad(f"[{name}] must be a table", f"it is {found!r}")
    known = {entry.name: getattr(kind(), entry.name) for entry in fields(kind)}
    if unknown := sorted(set(found) - set(known)):
        raise _bad(
            f"unknown key {unknown[0]!r} in [{name}]", f"the known keys are: {', '.join(known)}"
        )
    return kind(**{key: _typed(value, known[key], f"{name}.{key}") for key, value in found.items()})


def _typed(value: object, default: object, key: str) -> object:
    if isinstance(default, Outcome):
        names = {outcome.name.lower(): outcome for outcome in Outcome}
        if value not in names:
            raise _bad(f"{key} = {value!r} is no outcome", f"outcomes are: {', '.join(names)}")
        return names[str(value)]
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, dict) and isinstance(value, dict):
        if all(isinstance(item, str) for item in value.values()):
            return value
        raise _bad(f"{key} = {value!r} has the wrong type", "expected names by rule")
    if isinstance(default, tuple) and isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return tuple(value)
        raise _bad(f"{key} = {value!r} has the wrong type", "expected a list of names")
    if type(value) is not type(default):
        raise _bad(f"{key} = {value!r} has the wrong type", f"expected {type(default).__name__}")
    return value


def _check_ranges(policy: Policy) -> None:
    """Bounds beyond which a setting has no meaning."""
    bounds: Mapping[str, tuple[float, float, float]] = {
        "window.days": (policy.window.days, 0, 366),
        "window.reference": (policy.window.reference, 1, 10_000),
        "window.calibration": (policy.window.calibration, 1, 10_000),
        "window.probation": (policy.window.probation, 0, 1_000),
        "budget.rows": (policy.budget.rows, 0.0, 0.5),
        "budget.fdr": (policy.budget.fdr, 1e-6, 0.5),
        "budget.campaign_rate": (policy.budget.campaign_rate, 1e-4, 0.5),
        "budget.batch_rows": (policy.budget.batch_rows, 0.0, 1.0),
        "lanes.source": (policy.lanes.source, 4.5, 100.0),
        "lanes.common_cause": (policy.lanes.common_cause, 1.0, 100.0),
        "reconcile.spreads": (policy.reconcile.spreads, 1.0, 1000.0),
        "diversity.window_share": (policy.diversity.window_share, 0.01, 1.0),
        "diversity.dataset_share": (policy.diversity.dataset_share, 0.01, 1.0),
        "diversity.slice_share": (policy.diversity.slice_share, 0.01, 1.0),
        "diversity.dominant": (policy.diversity.dominant, 0.01, 1.0),
        "quota.batches": (policy.quota.batches, 1, 10**9),
        "quota.rows": (policy.quota.rows, 1, 10**15),
        "quota.findings": (policy.quota.findings, 1, 10**9),
        "sources.probation": (policy.sources.probation, 0, 10_000),
        "quarantine.expire_days": (policy.quarantine.expire_days, 0, 10_000),
        "quarantine.backlog_batches": (policy.quarantine.backlog_batches, 0, 10**9),
        "quarantine.backlog_days": (policy.quarantine.backlog_days, 0, 10_000),
        "release.certified_against": (policy.release.certified_against, 0, 10_000),
        "release.certified_accuracy": (policy.release.certified_accuracy, 0.0, 1.0),
    }
    for key, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise _bad(f"{key} = {value} is out of range", f"expected {low} to {high}")
    if bool(policy.reconcile.key) != bool(policy.reconcile.values):
        raise _bad("[reconcile] needs both 'key' and 'values'", "one of them is empty")
    if strangers := sorted(set(policy.sources.review_again) - PROVENANCE_FIELDS):
        raise _bad(
            f"sources.review_again names {strangers[0]!r}, which no manifest declares",
            f"the fields are: {', '.join(sorted(PROVENANCE_FIELDS))}",
        )


def _bad(what: str, why: str) -> UsageError:
    return UsageError("bad-policy", what, why=why, fix="see `credenza policy show` for a whole one")
