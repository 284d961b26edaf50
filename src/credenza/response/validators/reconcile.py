"""Ask the other sources what they say of the same things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from credenza.campaigns import reconcile as sources
from credenza.core.errors import UsageError
from credenza.response.case import Answer, Case, Validation


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Compare the suspects' rows with what others say of the same key.

    Supports when a suspect disagrees with the others, contradicts when each was compared
    and agrees. Blind where nobody else describes the thing, and where liars are half of
    those who do.

    Args:
        key: columns that name what a row is about; the policy's by default.
        values: number columns to compare; the policy's by default.
        spreads: from how many usual spreads on a row disagrees; 0 for the policy's.
    """

    key: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    spreads: float = 0.0

    @property
    def name(self) -> str:
        """Its name."""
        return "reconcile"

    def validate(self, case: Case) -> Validation:
        """Compare across sources."""
        rule = case.policy.reconcile
        key, values = self.key or rule.key, self.values or rule.values
        if not key or not values:
            raise UsageError(
                "no-key",
                "nothing says which rows are about the same thing",
                why="neither the policy's [reconcile] nor this call names key and values",
                fix="name the key columns and the number columns to compare",
            )
        window = pa.concat_tables([case.table, case.peers])
        source = np.concatenate([case.source, case.peer_source])
        _, unit = np.unique(source.astype(str), return_inverse=True)
        found = sources.reconcile(
            window, source, unit, key=key, values=values, spreads=self.spreads or rule.spreads
        )
        own = set(case.source.tolist())
        findings = tuple(one for one in found.findings if own & set(one.subjects))
        unheard = sorted(own & {who for who, _ in found.silences})
        answer = Answer.UNDECIDED if unheard else Answer.CONTRADICTS
        if findings:
            answer = Answer.SUPPORTS
        apart = sum(len(one.rows) for one in findings)
        return Validation(
            self.name,
            answer,
            f"{len({s for one in findings for s in one.subjects})} of {len(own)} suspected "
            f"sources disagree with others on {', '.join(values)} in {apart} rows; "
            f"{len(unheard)} could not be compared",
            {
                "key": key,
                "values": values,
                "apart": apart,
                "sources": sorted(own),
                "unheard": unheard,
            },
            findings,
            tuple(silence for who, silence in found.silences if who in own),
        )
