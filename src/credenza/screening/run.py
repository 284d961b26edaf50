"""From a view to p-values, flagged rows, findings and silences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import CredenzaError
from credenza.core.text import quote
from credenza.core.types import Finding, Role, Silence, Unit
from credenza.screening.calibrate import drift_factor, e_from_p, mondrian_p
from credenza.screening.features.label import labels_of
from credenza.screening.features.table import content_of, row_hash, source_codes
from credenza.screening.fuse import (
    SourceRows,
    average_e,
    reject_e,
    reject_p,
    reject_within,
    source_p,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from credenza.core.protocols import Detector
    from credenza.core.types import Bools, Floats, Ints, Scores, View

MIN_TRUSTED = 200
# Detectors whose group findings name rows one for one; their false discovery rate is theirs.
NAMING = frozenset({"association", "duplicates"})


@dataclass(frozen=True, slots=True, eq=False)
class Screening:
    """What the detectors say of a view, in one unit.

    Attributes:
        p_values: ``(n,)`` fused row p-values against trusted rows, after drift.
        e_values: ``(n,)`` mean e-value over the detectors that spoke.
        flagged: ``(n,)`` rows under test that should stay out.
        findings: groups, sources and columns that were named, most surprising first.
        silences: what could not be assessed.
        scores: ``(n,)`` raw scores by detector.
        source_p: p-value of each source's rows.
        sources: the sources rejected by e-BH.
        drift: factor by which the typical source exceeds trusted rows, at least 1.
    """

    p_values: Floats
    e_values: Floats
    flagged: Bools
    findings: tuple[Finding, ...]
    silences: tuple[Silence, ...]
    scores: Mapping[str, Floats] = field(default_factory=dict)
    source_p: Mapping[str, float] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    drift: float = 1.0


def screen(
    view: View,
    detectors: Iterable[Detector],
    *,
    fdr: float = 0.05,
    row_budget: float = 0.001,
    min_trusted: int = MIN_TRUSTED,
) -> Screening:
    """Score, calibrate against the view's trusted rows, fuse, and test from groups to rows.

    Rows are flagged when they carry a named trigger or belong to a named flood; when
    they are rejected inside a source that was itself rejected; or when they are rejected
    in the whole window with p <= ``row_budget``. On clean rows the first two rest on
    the detectors' own false discovery control, the last on ``row_budget``.

    A detector that raises, lacks its facets or has too few trusted rows becomes a
    ``Silence``; the others go on. Findings still count where only calibration lacks
    trusted rows.

    Args:
        view: rows under test beside trusted ones.
        detectors: parts to ask.
        fdr: expected share of false rejections, in (0, 1).
        row_budget: share of clean rows that row tests alone may flag.
        min_trusted: fewest trusted rows to calibrate against.

    Returns:
        The screening.
    """
    n = view.table.num_rows
    heard: dict[str, Scores] = {}
    silences: list[Silence] = []
    for detector in detectors:
        answer = _ask(view, detector)
        if isinstance(answer, Silence):
            silences.append(answer)
        else:
            heard[detector.name] = answer
    findings = [finding for scores in heard.values() for finding in scores.findings]
    raw = {name: scores.values for name, scores in heard.items()}
    if view.trusted.sum() < min_trusted:
        reason = f"{view.trusted.sum()} trusted rows to calibrate against, fewer than {min_trusted}"
        silences += [Silence(name, reason) for name in heard]
        heard = {}
    classes = _classes(view)
    p_by_detector = {
        name: mondrian_p(scores.values, view.trusted, classes) for name, scores in heard.items()
    }
    e_values = average_e(p_by_detector.values(), n)
    fused = mondrian_p(e_values, view.trusted, classes) if heard else np.ones(n)
    source, names = source_codes(view)
    new = np.flatnonzero(~view.trusted)
    drift = drift_factor(fused[new], source[new])
    p_values = np.where(view.trusted, fused, np.minimum(fused * drift, 1.0))
    units = row_hash(content_of(view), n)
    by_source = source_p(p_values, SourceRows(source, units, view.trusted, len(names)))
    present = np.unique(source[new])
    rejected = present[reject_e(e_from_p(by_source[present]), fdr)].tolist()
    flagged = _flag(
        view, findings, p_values, source, rejected=rejected, fdr=fdr, row_budget=row_budget
    )
    findings += [
        _source_finding(p_values, new[source[new] == s], names[s], float(by_source[s]))
        for s in rejected
    ]
    findings.sort(key=lambda finding: finding.p_value)
    return Screening(
        p_values,
        e_values,
        flagged,
        tuple(findings),
        tuple(silences),
        raw,
        {names[s]: float(by_source[s]) for s in present},
        tuple(names[s] for s in rejected),
        drift,
    )


def flag_sources(
    view: View, screening: Screening, sources: Iterable[str], *, fdr: float = 0.05
) -> Bools:
    """Rows to keep out once ``sources`` were named by other evidence, such as a campaign.

    Args:
        view: the view that was screened.
        screening: what ``screen`` said of it.
        sources: ids of the named sources.
        fdr: expected share of false rejections inside each.

    Returns:
        ``(n,)`` mask: the rows flagged before, and those rejected within these sources.
    """
    groups = [np.flatnonzero((view.source == s) & ~view.trusted) for s in sources]
    return screening.flagged | reject_within(screening.p_values, groups, fdr)


def _ask(view: View, detector: Detector) -> Scores | Silence:
    has = set(view.facets.values()) | ({Role.LABEL} if view.label else set())
    lacking = sorted(role.value for role in detector.needs - has)
    if lacking:
        return Silence(detector.name, f"the rows have no {' or '.join(lacking)}")
    try:
        scores = detector.score(view)
    except CredenzaError as wrong:
        return Silence(detector.name, wrong.what)
    except Exception as wrong:  # noqa: BLE001 - whatever fails must hold the batch, not the gate
        return Silence(detector.name, f"{type(wrong).__name__}: {quote(str(wrong), limit=200)}")
    if scores.values.shape != (view.table.num_rows,) or not np.isfinite(scores.values).all():
        return Silence(detector.name, "its scores are not one finite number a row")
    return scores


def _classes(view: View) -> Ints:
    if not view.label:
        return np.zeros(view.table.num_rows, dtype=np.int64)
    return labels_of(view).codes


def _flag(
    view: View,
    findings: list[Finding],
    p_values: Floats,
    source: Ints,
    *,
    rejected: list[int],
    fdr: float,
    row_budget: float,
) -> Bools:
    flagged = np.zeros(len(p_values), dtype=bool)
    for finding in findings:
        if finding.detector in NAMING:
            flagged[list(finding.rows)] = True
    new = np.flatnonzero(~view.trusted)
    flagged[new] |= reject_p(p_values[new], fdr) & (p_values[new] <= row_budget)
    groups = [np.flatnonzero((source == s) & ~view.trusted) for s in rejected]
    groups += [
        np.array(finding.rows, dtype=np.int64)
        for finding in findings
        if finding.unit is Unit.GROUP and finding.detector not in NAMING
    ]
    flagged |= reject_within(p_values, groups, fdr)
    return flagged & ~view.trusted


def _source_finding(p_values: Floats, mine: Ints, source: str, p_value: float) -> Finding:
    low = mine[p_values[mine] <= 0.01]
    exhibits: dict[str, object] = {"source": source, "rows": len(mine), "low": len(low)}
    sentence = (
        f"{len(low)} of {len(mine)} rows of {quote(source)} are among the 1 % least like "
        f"trusted rows, against {len(mine) * 0.01:.0f} expected"
    )
    rows = tuple(low.tolist())
    return Finding("rows", Unit.SOURCE, (source,), p_value, sentence, exhibits, rows)
