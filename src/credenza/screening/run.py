"""From a view to p-values, flagged rows, findings and silences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import CredenzaError
from credenza.core.text import quote
from credenza.core.types import Finding, Role, Silence, Unit
from credenza.screening.features.label import with_expected
from credenza.screening.fuse import reject_p, reject_within, wider_first
from credenza.screening.judge import Heard, against_trusted, among_themselves, q_values
from credenza.screening.together import shared_payloads
from credenza.screening.view import NotApplicableError, UnassessedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from credenza.core.protocols import Detector
    from credenza.core.types import Bools, Floats, Ints, Scores, View
    from credenza.screening.judge import Judgement

MIN_TRUSTED = 200


@dataclass(frozen=True, slots=True, eq=False)
class Screening:
    """What the detectors say of a view, in one unit.

    Attributes:
        p_values: ``(n,)`` fused row p-values: against trusted rows, after drift; without
            trusted rows the reciprocal e-value, which is a p-value too.
        e_values: ``(n,)`` fused e-values.
        q_values: ``(n,)`` false discovery rate at which a row, or what names it, is rejected.
        flagged: ``(n,)`` rows under test that should stay out.
        row_scores: ``(n,)`` one number to rank the rows by, higher is worse.
        findings: groups, sources and columns that were named, most surprising first,
            parts of a wider one behind it.
        silences: what could not be assessed.
        scores: ``(n,)`` raw scores by detector.
        source_p: p-value of each source's rows.
        sources: the sources rejected by e-BH.
        drift: factor by which the typical source exceeds trusted rows, at least 1.
        is_calibrated: whether there were trusted rows to rank against.
    """

    p_values: Floats
    e_values: Floats
    q_values: Floats
    flagged: Bools
    row_scores: Floats
    findings: tuple[Finding, ...]
    silences: tuple[Silence, ...]
    scores: Mapping[str, Floats] = field(default_factory=dict)
    source_p: Mapping[str, float] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    drift: float = 1.0
    is_calibrated: bool = True


def screen(
    view: View,
    detectors: Iterable[Detector],
    *,
    fdr: float = 0.05,
    row_budget: float = 0.001,
    min_trusted: int = MIN_TRUSTED,
    only_applicable: bool = False,
) -> Screening:
    """Score, calibrate, fuse, and test from groups to rows.

    With trusted rows every score is ranked against theirs. Rows are flagged when they
    carry a named trigger or belong to a named flood; when they are rejected inside a
    source or group that was itself rejected; or when they are rejected in the whole window
    with p <= ``row_budget``. On clean rows the first two rest on the detectors' own
    false discovery control, the last on ``row_budget``.

    Without trusted rows, the scan of a file, rows are judged among themselves: they
    are ordered by what all detectors say, and flagged only on the strength of findings.

    A detector that raises or lacks its facets becomes a ``Silence``; the others go on.
    Some trusted rows, but too few to calibrate against, are a ``Silence`` too.

    Args:
        view: rows under test, beside trusted ones if there are any.
        detectors: parts to ask.
        fdr: expected share of false rejections, in (0, 1).
        row_budget: share of clean rows that row tests alone may flag.
        min_trusted: fewest trusted rows to calibrate against.
        only_applicable: pass over detectors for data that the view does not have,
            instead of noting a ``Silence``: nobody asked for them by name.

    Returns:
        The screening.
    """
    known = int(view.trusted.sum())
    is_calibrated = known >= min_trusted
    view, silences = _foretold(view)
    heard, quiet = _hear(view, detectors, only_applicable=only_applicable)
    silences += quiet
    if 0 < known < min_trusted:
        silences.append(Silence("calibration", f"{known} trusted rows, fewer than {min_trusted}"))
    judge = against_trusted if is_calibrated else among_themselves
    judged = judge(view, heard, fdr)
    findings = [finding for one in heard for finding in one.scores.findings]
    flagged = _flag(view, findings, judged, fdr=fdr, row_budget=row_budget if is_calibrated else 0)
    findings += [_source_finding(view, judged, s) for s in judged.rejected]
    if not is_calibrated:  # over time, a gate's campaign scan says more
        findings += shared_payloads(view, findings)
    findings = _in_order(findings)
    present = np.unique(judged.source[~view.trusted])
    return Screening(
        judged.p_values,
        judged.e_values,
        _q_values(view, judged, findings),
        flagged,
        _ranking(judged.e_values, flagged),
        tuple(findings),
        tuple(silences),
        {one.detector.name: one.scores.values for one in heard},
        {judged.names[s]: float(judged.source_p[s]) for s in present},
        tuple(judged.names[s] for s in judged.rejected),
        judged.drift,
        is_calibrated,
    )


def _foretold(view: View) -> tuple[View, list[Silence]]:
    """The view with what labels should be; without, and a silence, where that fails."""
    try:
        return with_expected(view), []
    except Exception as wrong:  # noqa: BLE001 - odd labels must not end the scan of all else
        return view, [Silence("expected-labels", _said(wrong))]


def _said(wrong: Exception) -> str:
    return f"{type(wrong).__name__}: {quote(str(wrong), limit=200)}"


def _hear(
    view: View, detectors: Iterable[Detector], *, only_applicable: bool
) -> tuple[list[Heard], list[Silence]]:
    heard: list[Heard] = []
    silences: list[Silence] = []
    for detector in detectors:
        try:
            heard.append(Heard(detector, _ask(view, detector)))
        except NotApplicableError as wrong:
            if not only_applicable:
                silences.append(Silence(detector.name, str(wrong)))
        except UnassessedError as wrong:
            silences.append(Silence(detector.name, str(wrong)))
        except CredenzaError as wrong:
            silences.append(Silence(detector.name, wrong.what))
        except Exception as wrong:  # noqa: BLE001 - whatever fails must hold the batch, not the gate
            silences.append(Silence(detector.name, _said(wrong)))
    return heard, silences


def lacking(view: View, detector: Detector) -> frozenset[Role]:
    """Roles that a detector needs and no column of the view has."""
    has = set(view.facets.values()) | ({Role.LABEL} if view.label else set())
    return detector.needs - has


def _ask(view: View, detector: Detector) -> Scores:
    missing = lacking(view, detector)
    if missing:
        reason = f"the rows have no {' or '.join(sorted(role.value for role in missing))}"
        # Labels could have been given; a modality is there or it is not.
        raise (UnassessedError if missing == {Role.LABEL} else NotApplicableError)(reason)
    scores, n = detector.score(view), view.table.num_rows
    if scores.values.shape != (n,) or not np.isfinite(scores.values).all():
        raise ValueError("its scores are not one finite number a row")
    if any(not 0 <= row < n for finding in scores.findings for row in finding.rows):
        raise ValueError("its findings name rows that are not there")
    return scores


def _flag(
    view: View, findings: list[Finding], judged: Judgement, *, fdr: float, row_budget: float
) -> Bools:
    p_values, source = judged.p_values, judged.source
    flagged = np.zeros(len(p_values), dtype=bool)
    for finding in findings:
        if finding.names_rows:
            flagged[list(finding.rows)] = True
    new = np.flatnonzero(~view.trusted)
    flagged[new] |= reject_p(p_values[new], fdr) & (p_values[new] <= row_budget)
    groups = [np.flatnonzero((source == s) & ~view.trusted) for s in judged.rejected]
    groups += [
        np.array(finding.rows, dtype=np.int64)
        for finding in findings
        if finding.unit is Unit.GROUP and not finding.names_rows
    ]
    flagged |= reject_within(p_values, groups, fdr)
    return flagged & ~view.trusted


def _in_order(findings: list[Finding]) -> list[Finding]:
    """Most surprising first; a group that is part of a wider one stands behind that."""
    rows = [frozenset(one.rows if one.unit is Unit.GROUP else ()) for one in findings]
    return [findings[i] for i in wider_first([one.p_value for one in findings], rows)]


def _ranking(e_values: Floats, flagged: Bools) -> Floats:
    """``(n,)`` logarithms of e-values; flagged rows are lifted above all others as one block."""
    found = np.asarray(np.log10(e_values), dtype=np.float64)
    if flagged.any() and not flagged.all():
        lift = found[~flagged].max() - found[flagged].min() + 1.0
        found[flagged] += max(lift, 0.0)
    return found


def _q_values(view: View, judged: Judgement, findings: Iterable[Finding]) -> Floats:
    """A row's own, or that of the finding that names it, if it is smaller."""
    found = q_values(judged.e_values, ~view.trusted)
    for finding in findings:
        if finding.names_rows:
            rows = list(finding.rows)
            q = finding.exhibits.get("q_value", finding.p_value)
            found[rows] = np.minimum(found[rows], float(str(q)))
    return found


def _source_finding(view: View, judged: Judgement, s: int) -> Finding:
    p_values, source, p_value = judged.p_values, judged.names[s], float(judged.source_p[s])
    if judged.disputes is not None:
        return judged.disputes.finding(source, ~view.trusted & (judged.source == s), p_value)
    mine: Ints = np.flatnonzero(~view.trusted & (judged.source == s))
    low = mine[p_values[mine] <= 0.01]
    exhibits: dict[str, object] = {"source": source, "rows": len(mine), "low": len(low)}
    sentence = (
        f"{len(low)} of {len(mine)} rows of {quote(source)} are among the 1 % least like "
        f"trusted rows, against {len(mine) * 0.01:.0f} expected"
    )
    rows = tuple(low.tolist())
    return Finding("rows", Unit.SOURCE, (source,), p_value, sentence, exhibits, rows)
