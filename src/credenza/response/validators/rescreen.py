"""Ask detectors that had no part in the suspicion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from credenza.core.errors import UsageError
from credenza.gate.beside import screen_beside
from credenza.response.case import SURE, Answer, Case, Validation

OTHERS = ("confident-learning", "isolation", "knn-disagreement", "lof", "near-copies")


@dataclass(frozen=True, slots=True)
class Rescreen:
    """Screen the suspects again under another set of detectors.

    Supports the suspicion when more rows are flagged than the budget of false alarms
    explains. Never contradicts it: detectors that find nothing may be blind, each in the
    way that its own page says, to just this.

    Args:
        detectors: names; by default five, less those that the policy asks anyway.
    """

    detectors: tuple[str, ...] = OTHERS

    @property
    def name(self) -> str:
        """Its name."""
        return "rescreen"

    def validate(self, case: Case) -> Validation:
        """Screen the suspects beside trusted rows."""
        asked = tuple(name for name in self.detectors if name not in case.policy.detectors)
        if not asked:
            raise UsageError(
                "no-other-detectors",
                "every detector that was named is the policy's own",
                why="an independent look takes others",
                fix="name detectors that `credenza policy show` does not list",
            )
        reference, rows = case.trusted(), case.table.num_rows
        screening = screen_beside(
            self.name,
            case.table,
            case.source.tolist(),
            reference,
            [case.detectors.make(name) for name in asked],
            case.policy.budget,
            reference.expected(case.table),
        )
        flagged = np.flatnonzero(screening.flagged[:rows])
        chance = float(binom.sf(len(flagged) - 1, rows, case.policy.budget.rows))
        speaks = len(flagged) > 0 and chance < SURE
        return Validation(
            self.name,
            Answer.SUPPORTS if speaks else Answer.UNDECIDED,
            f"{', '.join(asked)} flag {len(flagged)} of {rows} rows; clean rows would be as many "
            f"with p = {chance:.2g}",
            {
                "detectors": asked,
                "flagged": len(flagged),
                "rows": rows,
                "budget": case.policy.budget.rows,
                "p_value": chance,
                "positions": flagged.tolist()[:1000],
            },
            screening.findings,
            screening.silences,
        )
