"""From a screening to the tables of a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy import stats

from credenza.core.types import Finding, Role, Unit
from credenza.core.wilson import wilson
from credenza.scanning.result import ScanResult, SourceEvidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from credenza.core.types import Bools, Floats, Ints
    from credenza.scanning.prepare import Prepared
    from credenza.screening.run import Screening

MAX_REASONS = 5
LOUD = 0.99
NAMED_P = 0.002
QUORUM = 4
LEAST_FLAGGED = 3
HONEST_FLAGGED = 0.001


def told(prepared: Prepared, screening: Screening, fdr: float) -> ScanResult:
    """The result of a scan, without the trusted rows of another file.

    Args:
        prepared: what was judged.
        screening: what was said of it.
        fdr: the budget.
    """
    n, view = prepared.given, prepared.view
    findings = (*prepared.findings, *(_within(one, n) for one in screening.findings))
    flagged = screening.flagged[:n] | prepared.unreadable
    heard = {name: values[:n] for name, values in screening.scores.items()}
    source = prepared.columns.named(Role.SOURCE)
    ident = prepared.columns.named(Role.ID)
    unknown = prepared.unreadable
    rows = pa.table(
        {
            "row": np.arange(n, dtype=np.int64),
            "id": prepared.data.column(ident).cast(pa.string())
            if ident
            else pa.nulls(n, pa.string()),
            "source": pa.array(view.source[:n] if source else [None] * n, pa.string()),
            "score": pa.array(screening.row_scores[:n], mask=unknown),
            "p_value": pa.array(screening.p_values[:n], mask=unknown),
            "q_value": pa.array(screening.q_values[:n], mask=unknown),
            "flagged": pa.array(flagged),
            "reasons": _reasons(flagged, findings, heard),
        }
    )
    return ScanResult(
        view.name,
        rows,
        findings,
        (*prepared.silences, *screening.silences),
        _sources(prepared, screening, flagged) if source else (),
        prepared.columns.roles,
        prepared.notices,
        prepared.data,
        view,
        fdr,
        int(view.trusted.sum()),
        heard,
    )


def _within(finding: Finding, n: int) -> Finding:
    if not finding.rows or finding.rows[-1] < n:
        return finding
    from dataclasses import replace  # noqa: PLC0415 - rare

    return replace(finding, rows=tuple(row for row in finding.rows if row < n))


def _reasons(flagged: Bools, findings: Iterable[Finding], heard: Mapping[str, Floats]) -> pa.Array:
    """For each flagged row the sentences that name it, else the detectors that are loudest."""
    said: dict[int, list[str]] = {int(row): [] for row in np.flatnonzero(flagged)}
    for finding in findings:
        for row in finding.rows:
            if row in said and len(said[row]) < MAX_REASONS:
                said[row].append(f"{finding.detector}: {finding.sentence}")
    quiet = [row for row, reasons in said.items() if not reasons]
    if quiet:
        levels = {name: _rank(values) for name, values in heard.items()}
        for row in quiet:
            said[row] = _loudest(row, levels)
    return pa.array([said.get(row, []) for row in range(len(flagged))], pa.list_(pa.string()))


def _rank(values: Floats) -> Floats:
    """Share of rows with a smaller score."""
    return np.searchsorted(np.sort(values), values, side="left") / max(len(values), 1)


def _loudest(row: int, levels: Mapping[str, Floats]) -> list[str]:
    loud = sorted(((rank[row], name) for name, rank in levels.items()), reverse=True)
    return [
        f"{name}: more suspicious than {rank:.2%} of the rows"
        for rank, name in loud[:MAX_REASONS]
        if rank >= LOUD
    ] or [f"{name}: more suspicious than {rank:.2%} of the rows" for rank, name in loud[:1]]


def _sources(
    prepared: Prepared, screening: Screening, flagged: Bools
) -> tuple[SourceEvidence, ...]:
    names, codes = np.unique(
        prepared.view.source[: prepared.given].astype(str), return_inverse=True
    )
    rows = np.bincount(codes, minlength=len(names))
    hits = np.bincount(codes[flagged], minlength=len(names))
    by_flags = flag_p(hits, rows)
    named = set(screening.sources) | {str(n) for n in names[by_flags <= NAMED_P]}
    for finding in screening.findings:
        if finding.unit in (Unit.SOURCE, Unit.CAMPAIGN):
            named.update(finding.subjects)
    found = [
        SourceEvidence(
            str(name),
            int(count),
            int(hit),
            *wilson(int(hit), int(count)),
            min(1.0, 2.0 * min(screening.source_p.get(str(name), 1.0), float(own))),
            str(name) in named,
        )
        for name, count, hit, own in zip(names, rows, hits, by_flags, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (not one.is_named, one.p_value, -one.flagged)))


def flag_p(hits: Ints, rows: Ints) -> Floats:
    """p-value of each source: it has more flagged rows than the calmer half of the sources.

    The calmer half is the yardstick, so that a few sources that act together do not raise
    it; at least .1 % of honest rows may be flagged anywhere. Corrected for the number of
    sources. Blind to what more than half of the sources do, and to fewer than three rows.

    Args:
        hits: ``(s,)`` flagged rows.
        rows: ``(s,)`` all rows.

    Returns:
        ``(s,)``; ones for fewer than four sources, which are no crowd.
    """
    if len(rows) < QUORUM:
        return np.ones(len(rows))
    calm = np.argsort(hits / rows, kind="stable")[: -(-len(rows) // 2)]
    # The calmest were chosen for being calm: the upper end of their interval makes up for it.
    usual = max(HONEST_FLAGGED, wilson(int(hits[calm].sum()), int(rows[calm].sum()))[1])
    tail = np.minimum(1.0, len(rows) * stats.binom.sf(hits - 1, rows, usual))
    return np.where(hits >= LEAST_FLAGGED, tail, 1.0)
