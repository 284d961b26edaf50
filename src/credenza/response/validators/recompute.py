"""Compute what moved again: on other halves, without extremes, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import norm

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.response.case import SURE, Answer, Case, Validation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from credenza.core.types import Bools, Floats, Strings

ROBUST = 0.9
LEAST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Recompute:
    """Recompute the suspects' aggregates with other seeds, windows and parameters.

    For each seed half of the suspects' rows choose the aggregate that stands out most from
    trusted rows (a class's share beyond what the model expects, or a column's mean) and the
    other half tests it, so that searching costs nothing. That is done for all rows and for
    each window, with plain means and with the 5 % at both ends left out.

    Supports when nine in ten of these agree, contradicts when the median p-value is above
    one half's chance of .2 and fewer than one in ten stand out. Blind to poison that moves
    no aggregate: a few rows with a trigger.

    Args:
        seeds: how many halvings, each its own seed.
        trim: share left out at both ends in the second version of every mean.
    """

    seeds: int = 20
    trim: float = 0.05

    @property
    def name(self) -> str:
        """Its name."""
        return "recompute"

    def validate(self, case: Case) -> Validation:
        """Recompute, and count how often the suspects still stand out."""
        reference = case.trusted()
        suspects, trusted = _aggregates(case, case.table), _aggregates(case, reference.trusted)
        window = np.array(
            [row.window for row in case.batches for _ in range(row.records)], dtype=object
        )
        found = list(self._again(suspects, trusted, window))
        if not found:
            raise UsageError(
                "too-few-rows",
                "the suspects cannot be halved",
                why=f"{case.table.num_rows} rows; a half needs {LEAST_ROWS}",
                fix="name more batches, or take another validator",
            )
        p_values = np.array([p for p, _ in found])
        share = float((p_values < SURE).mean())
        names = [name for p, name in found if p < SURE]
        most = max(sorted(set(names)), key=names.count) if names else ""
        answer = Answer.UNDECIDED
        if share >= ROBUST:
            answer = Answer.SUPPORTS
        elif share <= 1 - ROBUST and float(np.median(p_values)) > 0.2:
            answer = Answer.CONTRADICTS
        return Validation(
            self.name,
            answer,
            f"{int((p_values < SURE).sum())} of {len(found)} recomputations find the suspects "
            f"apart from trusted rows (p < {SURE})"
            + (f", most often in {most}" if most else "")
            + f"; the median p-value is {float(np.median(p_values)):.2g}",
            {
                "recomputed": len(found),
                "apart": int((p_values < SURE).sum()),
                "median_p": float(np.median(p_values)),
                "most_often": most,
                "seeds": self.seeds,
                "trim": self.trim,
                "windows": sorted(set(window.tolist())),
            },
        )

    def _again(
        self, suspects: Mapping[str, Floats], trusted: Mapping[str, Floats], window: Strings
    ) -> Iterator[tuple[float, str]]:
        """p-value and aggregate of every recomputation."""
        whole = np.ones(len(window), dtype=bool)
        scopes = [whole, *(window == one for one in sorted(set(window.tolist())))]
        for scope in scopes if len(scopes) > 2 else scopes[:1]:
            rows = np.flatnonzero(scope)
            if len(rows) < 2 * LEAST_ROWS:
                continue
            for seed in range(self.seeds):
                half = np.zeros(len(window), dtype=bool)
                rng = np.random.default_rng([seed, len(rows)])
                half[rng.permutation(rows)[: len(rows) // 2]] = True
                for trim in (0.0, self.trim):
                    yield _split_test(suspects, trusted, half, scope & ~half, trim)


def _aggregates(case: Case, table: pa.Table) -> dict[str, Floats]:
    """Row values whose means are compared, by what they are the mean of."""
    reference = case.trusted()
    found = {
        f"the mean of {name}": np.asarray(
            pc.cast(table.column(name), pa.float64()).to_numpy(zero_copy_only=False)
        )
        for name, role in reference.facets.items()
        if role is Role.NUMBER and name in table.column_names
    }
    expected = reference.expected(table)
    if expected is not None:
        own = pc.cast(table.column(case.label), pa.string()).to_numpy(zero_copy_only=False)
        for place, one in enumerate(reference.classes):
            found[f"{case.label} = {one} beyond what is expected"] = (own == one) - expected[
                :, place
            ]
    return found


def _split_test(
    suspects: Mapping[str, Floats],
    trusted: Mapping[str, Floats],
    choose: Bools,
    test: Bools,
    trim: float,
) -> tuple[float, str]:
    """The half ``choose`` picks aggregate and direction; the half ``test`` gives its p-value."""
    scores = {
        name: _apart(values[choose], trusted[name], trim) for name, values in suspects.items()
    }
    name = max(sorted(scores), key=lambda one: abs(scores[one]))
    apart = _apart(suspects[name][test], trusted[name], trim) * np.sign(scores[name])
    return float(norm.sf(apart)), name


def _apart(values: Floats, usual: Floats, trim: float) -> float:
    """Welch's distance of two means in standard errors, ends left out; 0 for no spread."""
    one, other = _trimmed(values, trim), _trimmed(usual, trim)
    if len(one) < 2 or len(other) < 2:
        return 0.0
    error = np.sqrt(np.var(one, ddof=1) / len(one) + np.var(other, ddof=1) / len(other))
    return float((one.mean() - other.mean()) / error) if error > 0 else 0.0


def _trimmed(values: Floats, trim: float) -> Floats:
    ordered = np.sort(values[np.isfinite(values)])
    out = int(trim * len(ordered))
    return ordered[out : len(ordered) - out]
