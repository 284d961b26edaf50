"""What a few sources of one file do together, as one more detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.campaigns.payload import Senders, find_payloads
from credenza.core.text import quote
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.label import expected_of, labels_of
from credenza.screening.features.own_rates import at_own_rates
from credenza.screening.features.table import sample, source_codes
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from credenza.campaigns.payload import Payload
    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.label import Labels

NAME = "shared-payload"
LEAST_SOURCES = 3
MOST_ROWS = 200_000
RATE = 0.01
CONTRADICTED_P = 1e-4
MISFIT = 0.05
MOST_PAYLOADS = 5
SHOWN_SOURCES = 8


@dataclass(frozen=True, slots=True)
class SharedPayload:
    """Values, words or copies that a few sources send with labels that should not be.

    Names sources where two things meet: their rows share what the others hardly send
    (against permutations of the senders), and those rows' labels contradict what they
    should be. Either alone is ordinary: honest sources share timetables, regions and
    slang, and one file has no past that would show how often. It lives here because
    screening and campaigns do not know each other.

    Blind to what one source sends alone, to what more than half of them send, to payloads
    whose labels are right, and, in more than 200,000 rows, of which as many are looked at,
    to those that are rare among them.

    Attributes:
        seed: of the permutations.

    Source:
        ``campaigns.payload``; the two p-values are combined by Fisher's method (1932) and
        multiplied by the number of payloads that may be named.
    """

    seed: int = 0

    @property
    def name(self) -> str:
        """The detector's name."""
        return NAME

    @property
    def needs(self) -> frozenset[Role]:
        """Who sent a row, and its label."""
        return frozenset({Role.SOURCE, Role.LABEL})

    def score(self, view: View) -> Scores:
        """-log10 p of the payload that a row bears, 0 elsewhere.

        Raises:
            UnassessedError: fewer than three sources.
        """
        if len(np.unique(view.source[~view.trusted].astype(str))) < LEAST_SOURCES:
            raise UnassessedError(f"fewer than {LEAST_SOURCES} sources")
        labels = labels_of(view)
        # A source's own share of a class contradicts nothing.
        expected = at_own_rates(expected_of(view, labels), labels.codes, source_codes(view)[0])
        here = sample(view, np.flatnonzero(~view.trusted), MOST_ROWS)
        known = sample(view, np.flatnonzero(view.trusted), MOST_ROWS)
        found = find_payloads(
            view.table.take(here),
            view.table.take(known),
            Senders(view.source[here], view.source[known], np.zeros(len(known), np.int64), {}),
            # Without the label, or marks that hold it would confirm themselves.
            facets={name: role for name, role in view.facets.items() if role is not Role.LABEL},
            rate=RATE,
            seed=self.seed,
        )
        values = np.zeros(view.table.num_rows)
        findings = []
        for payload in found.payloads:
            rows = here[list(payload.rows)]
            told = _labels(rows, labels, expected)
            if told.p_value <= CONTRADICTED_P:
                finding = _finding(payload, rows, told)
                findings.append(finding)
                values[rows] = np.maximum(values[rows], -np.log10(finding.p_value))
        return Scores(values, tuple(findings), is_evidence=True)


@dataclass(frozen=True, slots=True)
class _Labels:
    """What the labels of some rows say: the commonest, its share, what it should be."""

    label: str
    share: float
    expected: float
    p_value: float


def _labels(rows: Ints, labels: Labels, expected: Floats) -> _Labels:
    """Copies say the same of their label, so rows foretold alike are one piece of evidence."""
    codes = labels.codes[rows]
    common = int(np.bincount(codes[codes >= 0], minlength=1).argmax())
    is_common, p = codes == common, expected[rows, common]
    _, once = np.unique(np.round(expected[rows], 6), axis=0, return_index=True)
    usual = min(1.0, float(p[once].mean()) + MISFIT)
    tail = float(stats.binom.sf(is_common[once].sum() - 1, len(once), usual))
    name = labels.classes[common]
    return _Labels(name, float(is_common.mean()), float(p.mean()), max(tail, 1e-300))


def _finding(payload: Payload, rows: Ints, labels: _Labels) -> Finding:
    """The claim; every figure of its sentence is from its exhibits."""
    campaign = payload.campaign
    names = campaign.suspected
    joint = stats.combine_pvalues([campaign.p_value, labels.p_value]).pvalue
    shown = ", ".join(quote(name) for name in names[:SHOWN_SOURCES])
    more = f" and {len(names) - SHOWN_SOURCES} more" if len(names) > SHOWN_SOURCES else ""
    exhibits: dict[str, object] = {
        "trigger": payload.mark,
        "rows": len(rows),
        "sources": campaign.evidence["sources"],
        "senders_p": campaign.p_value,
        "labels_p": labels.p_value,
        "label": labels.label,
        "share": labels.share,
        "usual_share": labels.expected,
    }
    sentence = (
        f"rows where {payload.mark} come from {len(names)} sources ({shown}{more}) and hardly "
        f"from the others; {labels.share:.0%} of {len(rows)} are labelled "
        f"{quote(labels.label)} against {labels.expected:.0%} expected"
    )
    p_value = float(np.clip(MOST_PAYLOADS * joint, 1e-300, 1.0))
    claimed = tuple(rows.tolist())
    return Finding(
        NAME, Unit.CAMPAIGN, names, p_value, sentence, exhibits, claimed, names_rows=True
    )
