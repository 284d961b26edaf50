"""People who did not see the labels give them again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.stats import fisher_exact

from credenza.core.text import quote
from credenza.core.types import Silence
from credenza.core.wilson import wilson
from credenza.response.agreement import agreement
from credenza.response.case import SURE, Answer, Case, Validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.response.relabelling import Sheet

AGREED = 0.8
"""Of the suspects' labels, so many at least must be confirmed (Wilson) to contradict."""


@dataclass(frozen=True, slots=True)
class Relabel:
    """Compare labels that people gave blindly with those that the rows came with.

    What counts is the majority's label; where there is none, the row does not. Supports
    when the majority contradicts suspects more often than controls (Fisher's exact test),
    contradicts when it confirms four in five of the suspects for sure. Blind to what people
    cannot see in a row, such as a trigger that goes with a plausible label, and to annotators
    who agree on the wrong thing.

    Args:
        sheet: what was handed out, with its key.
        labels: every annotator's labels, in the sheet's order.
    """

    sheet: Sheet
    labels: Mapping[str, Sequence[str]]

    @property
    def name(self) -> str:
        """Its name."""
        return "relabel"

    def validate(self, case: Case) -> Validation:  # noqa: ARG002 - one signature
        """Count what the majority contradicts, among suspects and among controls."""
        agreed = agreement(list(self.labels.values()))
        counts = {True: [0, 0], False: [0, 0]}  # suspects and controls: confirmed, contradicted
        for place, item in enumerate(self.sheet.items):
            told = _majority([labels[place] for labels in self.labels.values()])
            if told:
                counts[item.suspect][told != item.label] += 1
        (right, wrong), (control_right, control_wrong) = counts[True], counts[False]
        p_value = 1.0
        if right + wrong and control_right + control_wrong:
            table = [[wrong, right], [control_wrong, control_right]]
            p_value = float(fisher_exact(table, alternative="greater")[1])
        answer = Answer.UNDECIDED
        if agreed.too_few:
            pass
        elif p_value < SURE:
            answer = Answer.SUPPORTS
        elif wilson(right, right + wrong)[0] >= AGREED:
            answer = Answer.CONTRADICTS
        return Validation(
            self.name,
            answer,
            f"people contradict {wrong} of {right + wrong} suspects' labels and {control_wrong} of "
            f"{control_right + control_wrong} controls' (p = {p_value:.2g}); {agreed.sentence}",
            {
                "annotators": [quote(name) for name in self.labels],
                "suspects_contradicted": wrong,
                "suspects_confirmed": right,
                "controls_contradicted": control_wrong,
                "controls_confirmed": control_right,
                "p_value": p_value,
                "kappa": agreed.kappa,
                "alpha": agreed.alpha,
                "alpha_low": agreed.low,
                "alpha_high": agreed.high,
            },
            (),
            (Silence("relabel", agreed.too_few),) if agreed.too_few else (),
        )


def _majority(labels: Sequence[str]) -> str:
    """The label that more than half gave; "" when none."""
    label, count = Counter(labels).most_common(1)[0]
    return label if 2 * count > len(labels) else ""
