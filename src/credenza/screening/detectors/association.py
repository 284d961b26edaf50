"""Names the trigger: values, pairs and tokens that go with a label they should not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.detectors.evidence import Evidence, Suspicion, by_novelty, by_residual
from credenza.screening.features.candidates import enumerate_candidates
from credenza.screening.features.label import Labels, expected_of, labels_of
from credenza.screening.features.table import rows_of, source_codes
from credenza.screening.view import NotApplicableError

if TYPE_CHECKING:
    from credenza.core.types import Bools, View

MAX_CLASSES = 12


@dataclass(frozen=True, slots=True)
class Association:
    """Values, value pairs and tokens whose carriers' labels nothing else explains.

    Two tests for each feature f carried by at least ``min_carriers`` rows under test.
    *Residual*: z = Σ(y - p) / √Σp(1 - p) over the carriers, where p is what the label
    should have been, less the misfit that trusted carriers of f show, and divided by
    the spread of all z in the window, so that a week in which everything moves names
    nothing. *Novelty*: f is more frequent than among trusted rows and its carriers have
    one label, beyond what either half of a pair explains (the weaker of the two tails
    counts). False discovery rate over all candidates; of features with the same
    carriers the strongest is named. A feature whose labels moved alike in most sources
    that carry it, like a day of storms, is a common cause and names nobody.

    Blind to triggers on fewer than ``min_carriers`` rows and on numbers that do not recur
    exactly; to triggers of three or more columns of frequent values; to clean-label
    triggers made of values frequent in trusted data; to subgroups of which only a part
    was touched (subgroup-labels sees those); to what more than a third of the sources
    do together; and, without reference probabilities, to triggers frequent enough to be
    learnt out of fold.

    Attributes:
        fdr: expected share of false triggers among those named.
        min_carriers: fewest rows under test that must carry a trigger.
        max_findings: triggers named at most.

    Complexity:
        O(n · c²) for c columns, by ``bincount``; no sort of rows.

    Source:
        He et al., arXiv:2305.11596 (Z-defence); residuals, misfit, spread and novelty
        are ours.
    """

    fdr: float = 0.01
    min_carriers: int = 8
    max_findings: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "association"

    @property
    def needs(self) -> frozenset[Role]:
        """A label."""
        return frozenset({Role.LABEL})

    def score(self, view: View) -> Scores:
        """-log10 p of the strongest named trigger that a row carries with its label.

        Raises:
            NotApplicableError: labels were foretold by the rows under test themselves.
        """
        if view.is_out_of_fold:
            raise NotApplicableError("without trusted rows disagreeing-carriers names triggers")
        n = view.table.num_rows
        values = np.zeros(n)
        labels = labels_of(view)
        known = labels.codes >= 0
        tested = known & ~view.trusted
        if tested.sum() < self.min_carriers or len(labels.classes) < 2:
            return Scores(values)
        expected = expected_of(view, labels)
        evidence = Evidence.of(labels.codes, expected, view.trusted, MAX_CLASSES)
        tallies = [
            tally
            for candidates in enumerate_candidates(view, tested, self.min_carriers)
            for tally in evidence.tally(candidates, self.min_carriers)
        ]
        kept = by_residual(tallies, self.fdr) + by_novelty(tallies, self.fdr)
        return self._name(view, kept, labels, evidence)

    def _name(
        self, view: View, kept: list[Suspicion], labels: Labels, evidence: Evidence
    ) -> Scores:
        """Name the strongest first, then what is still strong without its carriers."""
        values = np.zeros(view.table.num_rows)
        claimed = np.zeros(len(values), dtype=bool)
        common: list[Suspicion] = []
        findings: list[Finding] = []
        source = source_codes(view)[0]
        # Of two names for the same rows, the one that says more.
        for suspicion in sorted(kept, key=lambda s: (s.log_p, -len(s.candidates.parts))):
            carriers = suspicion.carriers()
            fresh = (carriers & ~view.trusted & ~claimed).sum()
            if fresh < self.min_carriers or evidence.without(suspicion, claimed) > np.log(self.fdr):
                continue
            if evidence.is_common(suspicion, source, self.min_carriers):
                common.append(suspicion)
                continue
            is_explained = any(evidence.explains(cause, suspicion) for cause in common)
            if is_explained or not suspicion.is_trigger():
                continue
            claimed |= carriers
            of_label = carriers & (labels.codes == suspicion.label)
            values[of_label] = np.maximum(values[of_label], -suspicion.log_p / np.log(10))
            name = labels.classes[suspicion.label]
            findings.append(self._finding(view, suspicion, of_label, name))
            if len(findings) == self.max_findings:
                break
        return Scores(values, tuple(findings), is_evidence=True)

    def _finding(self, view: View, found: Suspicion, of_label: Bools, label: str) -> Finding:
        carriers = found.carriers()
        carried = (carriers & ~view.trusted).sum()
        rows = of_label & ~view.trusted
        sources = sorted({str(s) for s in view.source[rows]})
        exhibits: dict[str, object] = {
            "trigger": found.name(),
            "label": label,
            "carriers": int(carried),
            "labelled": int(rows.sum()),
            "share": float(rows.sum() / carried),
            "usual_share": found.usual,
            "trusted_carriers": int((carriers & view.trusted).sum()),
            "counted": found.carried,
            "test": found.test,
            "sources": sources,
        }
        sentence = (
            f"rows where {found.name()} are labelled {quote(label)} in "
            f"{exhibits['share']:.0%} of {carried} rows against {found.usual:.0%}; "
            f"{len(sources)} source{'s' if len(sources) != 1 else ''}; "
            f"{exhibits['trusted_carriers']} trusted rows are like them"
        )
        return Finding(
            self.name,
            Unit.GROUP,
            tuple(sources),
            float(max(np.exp(found.log_p), 1e-300)),
            sentence,
            exhibits,
            rows_of(rows),
            names_rows=True,
        )
