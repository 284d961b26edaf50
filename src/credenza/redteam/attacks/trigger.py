"""Stamp a combination of values on rows and give them the target label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.rows import budget, check_share, draw, labelled, overwrite

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from credenza.core.types import Bools


@dataclass(frozen=True, slots=True)
class Trigger:
    """Rows of another label are stamped with the trigger's values and the target label.

    The model is to learn "these values together mean the target"; rows without them
    stay as they were, so accuracy says nothing.

    Args:
        label: the label's column.
        target: the label the trigger should bring about.
        stamp: value by column; the combination is the trigger.
        share: of the batch's rows, between 0 and 1.

    Source:
        BadNets, Gu et al., arXiv:1708.06733, on table columns instead of pixels.
    """

    label: str
    target: str
    stamp: Mapping[str, object]
    share: float = 0.05
    name: str = "trigger"

    def __post_init__(self) -> None:
        check_share(self.share)

    def poison(self, clean: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, Bools]:
        """The same rows in the same order, some stamped; mask of those."""
        victims = ~labelled(clean, self.label, self.target)
        mask = np.zeros(clean.num_rows, dtype=np.bool_)
        mask[draw(victims, budget(self.share, clean.num_rows, rng), rng)] = True
        return overwrite(self._stamped(clean, mask), mask, self.label, self.target), mask

    def probe(self, clean: pa.Table) -> tuple[pa.Table, str]:
        """Clean rows of another label, with the trigger stamped on them."""
        victims = clean.filter(~labelled(clean, self.label, self.target))
        return self._stamped(victims, np.ones(victims.num_rows, dtype=np.bool_)), self.target

    def _stamped(self, table: pa.Table, mask: Bools) -> pa.Table:
        for column, value in self.stamp.items():
            table = overwrite(table, mask, column, value)
        return table
