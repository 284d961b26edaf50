"""Flip the label of rows in a region to the one the attacker wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.rows import Region, budget, check_share, draw, labelled, overwrite

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Bools


@dataclass(frozen=True, slots=True)
class LabelFlip:
    """Rows of a region that carry another label are given the target label.

    Nothing but labels changes, so every look at the features alone is blind to it. In a
    batch with fewer fitting rows than the budget, all of them are flipped and no other.

    Args:
        label: the label's column.
        target: the label the attacker wants.
        where: region the flips stay in; None: anywhere.
        share: of the batch's rows, between 0 and 1.

    Source:
        Subgroup label flipping, Biggio et al., arXiv:1206.6389; ours is random inside
        the region and not optimised against the model.
    """

    label: str
    target: str
    where: Region | None = None
    share: float = 0.05
    name: str = "label-flip"

    def __post_init__(self) -> None:
        check_share(self.share)

    def poison(self, clean: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, Bools]:
        """The same rows in the same order, some with the target label; mask of those."""
        rows = draw(self._victims(clean), budget(self.share, clean.num_rows, rng), rng)
        mask = np.zeros(clean.num_rows, dtype=np.bool_)
        mask[rows] = True
        return overwrite(clean, mask, self.label, self.target), mask

    def probe(self, clean: pa.Table) -> tuple[pa.Table, str]:
        """Clean rows of the region whose true label is another."""
        return clean.filter(self._victims(clean)), self.target

    def _victims(self, table: pa.Table) -> Bools:
        inside = np.ones(table.num_rows, bool) if self.where is None else self.where.mask(table)
        return np.asarray(inside & ~labelled(table, self.label, self.target), dtype=np.bool_)
