"""A window is judged as a whole: screened, scanned for campaigns, decided, published."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from credenza.core.types import Outcome, Unit
from credenza.gate.assessment import Assessment, Window, assess
from credenza.gate.beside import guests
from credenza.gate.decide import CHANGED, Evidence, decide
from credenza.gate.fitting import reference_for
from credenza.gate.fold_response import EXCISED
from credenza.gate.journal import Event
from credenza.gate.probation import known_for
from credenza.gate.publication import finish_pending
from credenza.gate.records import evidence_document, to_json
from credenza.gate.review import REVIEWABLE
from credenza.gate.stages import Judged, Screened
from credenza.gate.windows import dated_from, day_of, settled_before
from credenza.store.rows import BatchRow, WatchRow, WindowRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.campaigns.panel import PanelScanner
    from credenza.core.canonical import Json
    from credenza.core.types import Campaign, Finding, Silence, Verdict
    from credenza.gate.policy import Policy
    from credenza.gate.stores import Stores


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one window.

    Attributes:
        alarms: what the lanes of single sources and of common causes say, each once.
        version: the dataset version it made, or None when nothing was admitted.
    """

    dataset: str
    window: str
    verdicts: tuple[Verdict, ...]
    campaigns: tuple[Campaign, ...]
    alarms: tuple[str, ...]
    version: int | None
    silences: tuple[Silence, ...]


def settle(stores: Stores, policy: Policy, dataset: str, until: dt.date) -> Iterator[Settlement]:
    """Judge every window with waiting batches that ended by ``until``, oldest first."""
    stores.journal.lock()
    with stores.journal.catalog.snapshot() as index:
        waiting = index.find(BatchRow, dataset=dataset, status="waiting")
    days = policy.window.days
    order = sorted(waiting, key=lambda row: (row.window, row.source, row.sequence))
    if not days:
        order = sorted(waiting, key=lambda row: row.submitted_index)
    for name, rows in groupby(order, key=lambda row: row.window):
        if not days or dt.date.fromisoformat(name) + dt.timedelta(days=days) <= until:
            yield _settle(stores, policy, _open_window(stores, dataset, name, tuple(rows), days))


def _open_window(
    stores: Stores, dataset: str, name: str, rows: tuple[BatchRow, ...], days: int
) -> Window:
    tables = [stores.table(row) for row in rows]
    with stores.journal.catalog.snapshot() as index:
        settled = index.count(WindowRow, dataset=dataset)
        late = bool(days) and index.count(WindowRow, dataset=dataset, window=dated_from(name)) > 0
        before = settled_before(index, dataset, name)
        known = index.find(BatchRow, dataset=dataset, window=name) if late else []
    starts = tuple(int(s) for s in np.cumsum([0, *(table.num_rows for table in tables)]))
    company = _company(known, {row.source for row in rows})
    table = pa.concat_tables(tables)
    return Window(dataset, name, rows, table, starts, late, settled, before, company)


def _company(known: Sequence[BatchRow], senders: set[str]) -> tuple[BatchRow, ...]:
    """What was judged of a window already; whose batch was rejected may send a better one."""
    judged = [
        row
        for row in known
        if row.verdict_index is not None
        and not (row.source in senders and row.status in ("rejected", EXCISED))
    ]
    return tuple(sorted(judged, key=lambda row: (row.source, row.sequence)))


def _settle(stores: Stores, policy: Policy, window: Window) -> Settlement:
    screened = _screen(stores, policy, window)
    judged = Judged(screened, tuple(decide(one, policy) for one in screened.evidence))
    document = _settlement_document(policy, window, judged, _to_publish(judged))
    document |= _states(stores, window, judged)
    stores.journal.record(
        [
            *(
                Event("verdict", _verdict_document(one, verdict))
                for one, verdict in zip(screened.evidence, judged.verdicts, strict=True)
            ),
            Event("settlement", document | {"guests": guests(stores, policy)}),
        ]
    )
    versions = finish_pending(stores)
    return Settlement(
        window.dataset,
        window.name,
        judged.verdicts,
        screened.campaigns,
        _said_once(screened.evidence, policy),
        versions[-1].number if versions else None,
        screened.silences,
    )


def _states(stores: Stores, window: Window, judged: Judged) -> dict[str, Json]:
    """Digests of what the next window is judged from; who comes late teaches nothing."""
    screened = judged.screened
    if screened.panel is None:  # nothing was scanned: the scan goes on from where it was
        panel = "" if window.before is None else window.before.state
    else:
        panel = stores.journal.blobs.put(_accepted(screened.panel, judged).to_bytes())
    if window.late:
        return {"panel": panel}
    return {
        "panel": panel,
        "charts": stores.journal.blobs.put(screened.lookback.to_bytes()),
        "payloads": stores.journal.blobs.put(screened.across.memory.to_bytes()),
    }


def _said_once(evidence: Sequence[Evidence], policy: Policy) -> tuple[str, ...]:
    alarms = (alarm for one in evidence for alarm in one.alarms if alarm.speaks(policy.lanes))
    return tuple(dict.fromkeys(alarm.sentence for alarm in alarms))


def _screen(stores: Stores, policy: Policy, window: Window) -> Screened:
    """All evidence on the window's batches."""
    reference = reference_for(stores, window.dataset, policy.window)
    vouched = window.settled < policy.window.reference + policy.window.calibration
    found = Assessment()
    if reference is not None:
        found = assess(stores, policy, reference, window, vouched=vouched)
    evidence = tuple(
        _evidence(stores, policy, window, position, vouched=vouched, found=found)
        for position in range(len(window.rows))
    )
    return Screened(
        window.dataset,
        window.name,
        evidence,
        () if vouched else found.campaigns(),
        found.silences,
        found.panel.scanner,
        found.panel.lookback,
        found.across,
    )


def _evidence(
    stores: Stores,
    policy: Policy,
    window: Window,
    position: int,
    *,
    vouched: bool,
    found: Assessment,
) -> Evidence:
    """All that is known of a batch: of its source so far, and of its rows in the window."""
    row = window.rows[position]
    known = replace(_known(stores, window, row), vouched=vouched, silences=found.silences)
    if vouched:
        return known
    start, stop = window.span(position)
    accepted, changed = known_for(stores, policy.sources, row)
    flagged = {place - start for place in found.across.rows if start <= place < stop}
    findings = found.across.findings
    if found.screening is not None:
        flagged |= set(np.flatnonzero(found.screening.flagged[start:stop]).tolist())
        findings = (*findings, *found.screening.findings)
    return replace(
        known,
        flagged_rows=tuple(sorted(flagged)),
        findings=tuple(_about(findings, row.source, start, stop)),
        silences=(
            *found.silences,
            *found.panel.silences.get(row.source, ()),
            *found.across.silences.get(row.source, ()),
        ),
        campaigns=found.campaigns(),
        alarms=found.panel.alarms.get(row.source, ()),
        accepted=accepted,
        changed=changed,
    )


def _known(stores: Stores, window: Window, row: BatchRow) -> Evidence:
    """What the ledger says of a batch's source before its window is looked at."""
    with stores.journal.catalog.snapshot() as index:
        watch = index.get(WatchRow, window.dataset, row.source)
        waiting = index.count(
            BatchRow, dataset=window.dataset, source=row.source, status=list(REVIEWABLE)
        )
    day = day_of(window.name, stores.journal.now_s())
    return Evidence(
        row.digest,
        row.source,
        row.records,
        watched_since=watch.since if watch and day <= (watch.until or day) else "",
        watched_until=watch.until if watch else "",
        held_for=watch.incident if watch and watch.since else "",
        held_by=watch.recovery if watch and watch.since else "",
        same_source=waiting,
        late=window.late,
    )


def _about(findings: Sequence[Finding], source: str, start: int, stop: int) -> Iterator[Finding]:
    """Findings that concern a batch, their rows counted from its first row."""
    for finding in findings:
        rows = tuple(r - start for r in finding.rows if start <= r < stop)
        named = finding.unit in (Unit.SOURCE, Unit.BATCH) and source in finding.subjects
        if rows or named:
            yield replace(finding, rows=rows)


def _accepted(scanner: PanelScanner, judged: Judged) -> PanelScanner:
    """Let the scan learn from admitted sources only.

    It also learns from those that are held only because they changed together: a new
    timetable is shown to a person in the weeks in which it is new, not for ever. And a
    newcomer that is held for being unknown teaches what is usual of itself, which nobody
    else is held against, or it would stay unknown for ever.
    """
    held = {
        one.source
        for one, verdict in zip(judged.screened.evidence, judged.verdicts, strict=True)
        if any(
            r.outcome is not Outcome.ADMIT
            and r.rule != CHANGED
            and not (r.rule == "silence" and one.source in scanner.newcomers)
            for r in verdict.reasons
        )
    }
    scanner.accept(np.array([name not in held for name in scanner.state.sources]))
    return scanner


def _to_publish(judged: Judged) -> list[Json]:
    """What each admitted batch gives to the dataset: all of it but its flagged rows."""
    return [
        {"batch": verdict.batch, "only": None, "without": list(verdict.quarantined_rows)}
        for one, verdict in zip(judged.screened.evidence, judged.verdicts, strict=True)
        if verdict.outcome is Outcome.ADMIT and len(verdict.quarantined_rows) < one.records
    ]


def _verdict_document(evidence: Evidence, verdict: Verdict) -> dict[str, Json]:
    document = cast("dict[str, Json]", to_json(verdict))
    return document | evidence_document(evidence)


def _settlement_document(
    policy: Policy, window: Window, judged: Judged, publish: list[Json]
) -> dict[str, Json]:
    lasts = dt.timedelta(days=policy.window.days * policy.window.probation)
    until = (dt.date.fromisoformat(window.name) + lasts).isoformat() if policy.window.days else ""
    campaigns = judged.screened.campaigns
    watch = {name for one in campaigns for name in one.sources}
    # Beside sources that are named, a suspected one may be the one that moved least.
    beside = {name for one in campaigns if one.sources for name in one.suspected} - watch
    admitted = sum(one.outcome is Outcome.ADMIT for one in judged.verdicts)
    return {
        "dataset": window.dataset,
        "window": window.name,
        "late": window.late,
        "batches": [row.digest for row in window.rows],
        "campaigns": to_json(campaigns),
        "watch": [*sorted(watch)],
        "probation": [*sorted(beside)],
        "until": until,
        "influence": to_json(judged.screened.across.influence),
        "dominance": list(judged.screened.across.dominance),
        "publish": publish,
        "rationale": f"window {window.name}: {admitted} of {len(window.rows)} batches admitted",
    }
