"""Add near copies of a few rows with the label the attacker wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from credenza.redteam.rows import (
    Region,
    budget,
    check_share,
    draw,
    labelled,
    numbers,
    overwrite,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Bools


@dataclass(frozen=True, slots=True)
class Flood:
    """Near copies of a few rows of a region are added, with the target label.

    The honest rows stay, so no honest row is wrong; the added ones outvote them in one
    place. In a batch without a fitting row nothing is added.

    Args:
        label: the label's column.
        target: the label the copies carry.
        where: region the copied rows come from; None: anywhere.
        jitter: by column, the largest change of a copy, in whole steps of 1.
        templates: rows copied in one batch.
        share: added rows as a share of the batch's rows, between 0 and 1.

    Source:
        Duplicate flooding as in Carlini et al., arXiv:2302.10149, section 4, on rows.
    """

    label: str
    target: str
    where: Region | None = None
    jitter: Mapping[str, int] = field(default_factory=dict)
    templates: int = 2
    share: float = 0.05
    name: str = "flood"

    def __post_init__(self) -> None:
        check_share(self.share)

    def poison(self, clean: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, Bools]:
        """The clean rows followed by the copies; mask of the copies."""
        added = budget(self.share, clean.num_rows, rng)
        models = draw(self._victims(clean), self.templates, rng)
        if len(models) == 0:
            added, models = 0, np.zeros(1, dtype=np.int64)
        copies = clean.take(np.resize(models, added))
        whole = np.ones(added, dtype=np.bool_)
        for column, most in self.jitter.items():
            moved = numbers(copies, column) + rng.integers(-most, most + 1, added)
            copies = overwrite(copies, whole, column, moved)
        copies = overwrite(copies, whole, self.label, self.target)
        mask = np.zeros(clean.num_rows + added, dtype=np.bool_)
        mask[clean.num_rows :] = True
        return pa.concat_tables([clean, copies]).combine_chunks(), mask

    def probe(self, clean: pa.Table) -> tuple[pa.Table, str]:
        """Clean rows of the region whose true label is another."""
        return clean.filter(self._victims(clean)), self.target

    def _victims(self, table: pa.Table) -> Bools:
        inside = np.ones(table.num_rows, bool) if self.where is None else self.where.mask(table)
        return np.asarray(inside & ~labelled(table, self.label, self.target), dtype=np.bool_)
