"""Shift one number in some rows, labels untouched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.rows import budget, check_share, draw, labelled, numbers, overwrite

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Bools


@dataclass(frozen=True, slots=True)
class Skew:
    """A number is shifted in random rows whose label is the target.

    The labels stay true, so a look at labels alone is blind to it. The model learns that
    the shifted values go with the target label, and errs on honest rows with such values.

    Args:
        label: the label's column.
        target: the label of the rows that are shifted.
        column: the number.
        shift: added to it, in the column's own unit.
        share: of the batch's rows, between 0 and 1.

    Source:
        Data poisoning by feature perturbation, Biggio et al., arXiv:1206.6389; a
        constant shift instead of a gradient.
    """

    label: str
    target: str
    column: str
    shift: float
    share: float = 0.05
    name: str = "skew"

    def __post_init__(self) -> None:
        check_share(self.share)

    def poison(self, clean: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, Bools]:
        """The same rows in the same order, some with the number shifted; mask of those."""
        value = numbers(clean, self.column)
        fitting = labelled(clean, self.label, self.target) & np.isfinite(value)
        mask = np.zeros(clean.num_rows, dtype=np.bool_)
        mask[draw(fitting, budget(self.share, clean.num_rows, rng), rng)] = True
        return overwrite(clean, mask, self.column, value[mask] + self.shift), mask

    def probe(self, clean: pa.Table) -> tuple[pa.Table, str]:
        """Clean rows of another label whose number lies within half a shift of the shift."""
        value = numbers(clean, self.column)
        near = np.abs(value - self.shift) <= abs(self.shift) / 2
        return clean.filter(near & ~labelled(clean, self.label, self.target)), self.target
