"""Train with the suspects and without them, and compare on trusted rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import norm

from credenza.core.errors import UsageError
from credenza.response.case import SURE, Answer, Case, Validation
from credenza.training.baseline import fit_reference

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.gate.reference import Reference
    from credenza.training.baseline import ReferenceModel


@dataclass(frozen=True, slots=True)
class WithAndWithout:
    """Fit the reference model on half of the trusted rows, with and without the suspects.

    Both predict the other half; the difference of their log losses, row by row, says
    whether the suspects taught something false. Supports when they make it worse,
    contradicts when they make it better. Blind to a backdoor: a model that obeys a trigger
    predicts clean rows as well as before.

    Args:
        seed: of the halving.
    """

    seed: int = 0

    @property
    def name(self) -> str:
        """Its name."""
        return "with-and-without"

    def validate(self, case: Case) -> Validation:
        """Fit twice and compare."""
        reference = case.trusted()
        if reference.model is None:
            raise UsageError(
                "no-label",
                f"{case.dataset!r} has no label that can be learnt",
                why="the model is trained with and without the suspects",
                fix="take a validator that needs no label",
            )
        order = np.random.default_rng(self.seed).permutation(reference.trusted.num_rows)
        half = len(order) // 2
        known = reference.trusted.take(pa.array(np.sort(order[:half])))
        asked = reference.trusted.take(pa.array(np.sort(order[half:])))
        without = _loss(_fit(reference, known), asked, reference.label)
        both = pa.concat_tables([known, case.table], promote_options="default")
        beside = _loss(_fit(reference, both), asked, reference.label)
        worse = beside - without
        error = float(np.std(worse, ddof=1) / np.sqrt(len(worse))) or 1e-12
        apart = float(worse.mean()) / error
        answer = Answer.UNDECIDED
        if norm.sf(apart) < SURE:
            answer = Answer.SUPPORTS
        elif norm.cdf(apart) < SURE:
            answer = Answer.CONTRADICTS
        return Validation(
            self.name,
            answer,
            f"with the {case.table.num_rows} suspects the log loss on {len(worse)} trusted rows "
            f"is {beside.mean():.4f}, without them {without.mean():.4f}: "
            f"{apart:+.1f} standard errors apart",
            {
                "with": float(beside.mean()),
                "without": float(without.mean()),
                "apart": apart,
                "tested": len(worse),
                "suspects": case.table.num_rows,
                "seed": self.seed,
            },
        )


def _fit(reference: Reference, rows: pa.Table) -> ReferenceModel:
    return fit_reference(rows, label=reference.label, facets=reference.facets)


def _loss(model: ReferenceModel, rows: pa.Table, label: str) -> Floats:
    """``(n,)`` log loss; a label that the model never saw has its floor."""
    own = pc.cast(rows.column(label), pa.string()).to_pylist()
    place = {name: at for at, name in enumerate(model.classes)}
    share = model.expected(rows)
    told = [share[row, place[name]] if name in place else 1e-6 for row, name in enumerate(own)]
    return -np.log(np.array(told, dtype=np.float64))
