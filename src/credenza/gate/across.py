"""What the sources of a window say beside one another: payloads, contradictions, dominance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from credenza.campaigns.diversity import (
    Influence,
    Party,
    in_words,
    influence,
    leaning,
    over_cap,
    parties,
    slices,
)
from credenza.campaigns.payload import Expectation, Senders, find_payloads, unit_of
from credenza.campaigns.reconcile import reconcile
from credenza.core.canonical import canonical_json, strict_json
from credenza.gate.registry import roster
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from credenza.campaigns.payload import Payload, PayloadScan
    from credenza.core.canonical import Json
    from credenza.core.types import Campaign, Finding, Floats, Silence, Strings
    from credenza.gate.policy import Policy
    from credenza.gate.reference import Reference
    from credenza.gate.stores import Stores
    from credenza.store.catalog import Transaction
    from credenza.store.rows import WindowRow

MOST_TOPS = 400
MOST_MARKS = 200


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier windows shared.

    Attributes:
        tops: largest score of each accepted window, oldest first.
        found: mark of each payload to the batches that bore it.
    """

    tops: tuple[float, ...] = ()
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def after(self, scan: PayloadScan, batches: Mapping[str, str], *, vouched: bool) -> Memory:
        """With one more window: its largest score, if nothing was found, or what was."""
        if vouched or not scan.payloads:
            return replace(self, tops=(*self.tops, scan.top)[-MOST_TOPS:])
        new = {
            one.mark: tuple(
                batches[name] for name in (*one.campaign.sources, *one.campaign.suspected)
            )
            for one in scan.payloads
        }
        return replace(self, found=dict([*self.found.items(), *new.items()][-MOST_MARKS:]))

    def to_bytes(self) -> bytes:
        """Canonical JSON; scores are strings, as everywhere in the ledger."""
        found = {mark: list(batches) for mark, batches in self.found.items()}
        tops = [f"{top:.6g}" for top in self.tops]
        return canonical_json(cast("Json", {"tops": tops, "found": found}))

    @classmethod
    def from_bytes(cls, data: bytes) -> Memory:
        """The memory that ``to_bytes`` wrote."""
        read = cast("dict[str, Json]", strict_json(data))
        found = cast("dict[str, list[str]]", read["found"])
        return cls(
            tuple(float(str(top)) for top in cast("list[Json]", read["tops"])),
            {mark: tuple(batches) for mark, batches in found.items()},
        )


@dataclass(frozen=True, slots=True)
class AcrossWindow:
    """What the comparison of a window's sources gave.

    Attributes:
        campaigns: shared payloads, named or suspected.
        rows: positions in the window that bear a payload or disagree with other sources.
        findings: disagreements and parties beyond their cap; rows counted in the window.
        silences: by source, why it could not be compared.
        memory: for later windows.
        influence: of each source.
        dominance: slices that one party dominates, in words.
    """

    campaigns: tuple[Campaign, ...] = ()
    rows: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    silences: Mapping[str, list[Silence]] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    influence: tuple[Influence, ...] = ()
    dominance: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """The rows of a window and who sent them.

    Attributes:
        source: ``(n,)`` source id of each row.
        batches: digest of each source's newest batch.
        expected: ``(n, classes)`` label probabilities, or None.
        before: the settled window before this one.
    """

    dataset: str
    window: str
    table: pa.Table
    source: Strings
    batches: Mapping[str, str]
    expected: Floats | None
    before: WindowRow | None


def judge_across(
    stores: Stores, policy: Policy, reference: Reference, sent: Sent, *, vouched: bool
) -> AcrossWindow:
    """Payloads, contradictions and dominance in one window.

    Familiar are the rows that the reference trusts, and those admitted in the window before:
    what a source has sent for a week is no abrupt shift any more.
    """
    groups = {name: one.group for name, one in roster(stores).sources.items()}
    memory = memory_of(stores, sent.before)
    scan = _payloads(stores, policy, reference, sent, groups, memory)
    found = AcrossWindow(
        campaigns=tuple(_with_batches(one, sent.batches) for one in scan.payloads),
        rows=tuple(sorted({row for one in scan.payloads for row in one.rows})),
        memory=memory.after(scan, sent.batches, vouched=vouched),
        influence=influence(
            sent.table, sent.source, facets=reference.facets, label=reference.label
        ),
    )
    compared = _with_contradictions(policy, sent, groups, found)
    return _with_caps(stores, policy, sent, groups, compared, label=reference.label)


def memory_of(stores: Stores, before: WindowRow | None) -> Memory:
    """The memory that a settled window left behind."""
    digest = "" if before is None else str(stores.event(before.settled_index).get("payloads", ""))
    return Memory.from_bytes(stores.journal.blobs.get(digest)) if digest else Memory()


def joined(panel: tuple[Campaign, ...], payloads: Sequence[Campaign]) -> tuple[Campaign, ...]:
    """One campaign where statistics and payload speak of the same sources.

    The two are separate evidence. A payload of which at least half of the senders are named
    by the statistics belongs to that campaign: whom it names too is named, though the scan
    alone may have missed it, and its other senders are suspected.
    """
    alone = list(payloads)
    found = []
    for campaign in panel:
        kin = [one for one in alone if _is_kin(one, campaign)]
        alone = [one for one in alone if one not in kin]
        for one in kin:
            sources = tuple(sorted({*campaign.sources, *one.sources}))
            payload = [*cast("list[object]", campaign.evidence.get("payloads", [])), one.evidence]
            campaign = replace(  # noqa: PLW2901 - it grows by each payload
                campaign,
                sources=sources,
                suspected=tuple(sorted({*campaign.suspected, *one.suspected} - set(sources))),
                batches=tuple(sorted({*campaign.batches, *one.batches})),
                evidence={**campaign.evidence, "payloads": payload},
            )
        found.append(campaign)
    return (*found, *alone)


def _is_kin(payload: Campaign, campaign: Campaign) -> bool:
    senders = {*payload.sources, *payload.suspected}
    return bool(campaign.sources) and 2 * len(senders & set(campaign.sources)) >= len(senders)


def _payloads(  # noqa: PLR0917 - one call's arguments, named where it is made
    stores: Stores,
    policy: Policy,
    reference: Reference,
    sent: Sent,
    groups: Mapping[str, str],
    memory: Memory,
) -> PayloadScan:
    recent, recent_source = _window_before(stores, sent)
    familiar = pa.concat_tables([reference.trusted, recent], promote_options="default")
    epoch = np.repeat([0, 1], [reference.trusted.num_rows, recent.num_rows])
    return find_payloads(
        sent.table,
        familiar,
        Senders(sent.source, np.concatenate([reference.source, recent_source]), epoch, groups),
        facets=reference.facets,
        label=reference.label,
        expectation=None
        if sent.expected is None
        else Expectation(reference.classes, sent.expected),
        known=_admitted_since(stores, memory),
        history=memory.tops,
        rate=policy.budget.campaign_rate,
        name=sent.window,
    )


def _window_before(stores: Stores, sent: Sent) -> tuple[pa.Table, Strings]:
    """Rows of the settled window before that went into the dataset, and their sources."""
    rows = []
    if sent.before is not None:
        admitted = {"dataset": sent.dataset, "window": sent.before.window, "status": "admitted"}
        with stores.journal.catalog.snapshot() as index:
            rows = index.find(BatchRow, **admitted)
    tables, source = [sent.table.slice(0, 0)], []
    for row in sorted(rows, key=lambda row: (row.source, row.sequence)):
        table = stores.table(row)
        if row.quarantined_rows and row.verdict_index is not None:
            out = cast("list[int]", stores.event(row.verdict_index)["quarantined_rows"])
            table = table.take(np.setdiff1d(np.arange(table.num_rows), out))
        tables.append(table)
        source += [row.source] * table.num_rows
    return pa.concat_tables(tables, promote_options="default"), np.array(source, dtype=object)


def _admitted_since(stores: Stores, memory: Memory) -> frozenset[str]:
    """Marks of payloads whose batches a person has let in whole."""
    with stores.journal.catalog.snapshot() as index:
        rows = {d: index.get(BatchRow, d) for d in {d for ds in memory.found.values() for d in ds}}
    good = {
        digest
        for digest, row in rows.items()
        if row is not None and row.status == "admitted" and not row.quarantined_rows
    }
    return frozenset(mark for mark, batches in memory.found.items() if set(batches) <= good)


def _with_batches(payload: Payload, batches: Mapping[str, str]) -> Campaign:
    campaign = payload.campaign
    names = (*campaign.sources, *campaign.suspected)
    return replace(campaign, batches=tuple(batches[name] for name in names if name in batches))


def _with_contradictions(
    policy: Policy, sent: Sent, groups: Mapping[str, str], found: AcrossWindow
) -> AcrossWindow:
    rule = policy.reconcile
    if not rule.key:
        return found
    compared = reconcile(
        sent.table,
        sent.source,
        unit_of(sent.source, groups),
        key=rule.key,
        values=rule.values,
        spreads=rule.spreads,
    )
    rows = {row for finding in compared.findings for row in finding.rows}
    return replace(
        found,
        rows=tuple(sorted({*found.rows, *rows})),
        findings=(*found.findings, *compared.findings),
        silences={name: [silence] for name, silence in compared.silences},
    )


def _with_caps(
    stores: Stores,
    policy: Policy,
    sent: Sent,
    groups: Mapping[str, str],
    found: AcrossWindow,
    *,
    label: str,
) -> AcrossWindow:
    """Parties beyond a cap of the policy, and slices that lean on one of them.

    Of the label's values it is warned unasked, where there are several parties to lean on.
    """
    rule = policy.diversity
    who, of = parties(sent.source, groups)
    rows = np.bincount(of, minlength=len(who)) / max(1, len(of))
    shares = [(party, float(share)) for party, share in zip(who, rows, strict=True)]
    pull = {one.source: one.leverage for one in found.influence}
    leverage = [(party, min(1.0, sum(map(pull.__getitem__, party.sources)))) for party in who]
    in_dataset = _dataset_shares(stores, sent, groups, who)
    columns = [name for name in rule.slice_columns if name in sent.table.column_names]
    least = min(rule.dominant, rule.slice_share)
    told = slices(sent.table, sent.source, columns, share=least, groups=groups)
    caps = [
        *((*one, rule.window_share, "the rows of the window") for one in shares),
        *((*one, rule.leverage_share, "the leverage in the window") for one in leverage),
        *((*one, rule.dataset_share, "the rows of the dataset") for one in in_dataset),
        *((one.party, one.share, rule.slice_share, in_words(one)) for one in told),
    ]
    over = [over_cap(party, share, cap, what) for party, share, cap, what in caps if share > cap]
    of_label = [label] if label and label not in columns and len(who) > 1 else []
    told += slices(sent.table, sent.source, of_label, share=rule.dominant, groups=groups)
    warned = [leaning(one) for one in told if one.share > rule.dominant]
    return replace(found, findings=(*found.findings, *over), dominance=tuple(warned))


def _dataset_shares(
    stores: Stores, sent: Sent, groups: Mapping[str, str], who: Sequence[Party]
) -> Iterator[tuple[Party, float]]:
    """Share of the dataset's rows that each party of the window would have with it.

    What the other sources of a group sent in earlier windows is the party's too.
    """
    with stores.journal.catalog.snapshot() as index:
        rows = _admitted_rows(index, dataset=sent.dataset)
        # Beside a late batch, what its window has given already is sent with it.
        rows.subtract(_admitted_rows(index, dataset=sent.dataset, window=sent.window))
    names, counts = np.unique(sent.source.astype(str), return_counts=True)
    rows.update(dict(zip(names.tolist(), counts.tolist(), strict=True)))
    total = max(1, sum(rows.values()))
    for party in who:
        own = (
            count
            for name, count in rows.items()
            if name in party.sources or (party.group and groups.get(name) == party.group)
        )
        yield party, sum(own) / total


def _admitted_rows(index: Transaction, **where: str) -> Counter[str]:
    """Rows that went into the dataset, by source."""
    rows = Counter(index.total(BatchRow, "records", "source", status="admitted", **where))
    rows.subtract(index.total(BatchRow, "quarantined_rows", "source", status="admitted", **where))
    return rows
