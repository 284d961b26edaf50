"""What every attack on rows promises, whoever wrote it.

Blind to whether the attack harms a model; that is what a drill measures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from credenza.testing.promise import kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.protocols import Attack

Make: TypeAlias = "Callable[[], Attack]"


def keeps_the_schema(make: Make, clean: pa.Table) -> None:
    """Poisoned rows have the columns and types of clean ones."""
    poisoned, _ = make().poison(clean, np.random.default_rng(1))
    kept(poisoned.schema == clean.schema, f"the schema became {poisoned.schema}")


def tells_the_truth(make: Make, clean: pa.Table) -> None:
    """The mask has a value a row; rows outside it are the clean ones, in their order."""
    poisoned, mask = make().poison(clean, np.random.default_rng(1))
    kept(mask.shape == (poisoned.num_rows,), f"{poisoned.num_rows} rows, mask {mask.shape}")
    kept(mask.any(), "nothing is poisoned, so nothing is tried")
    before, after = as_rows(clean), as_rows(poisoned)
    if len(after) == len(before):
        changed = [one != other for one, other in zip(after, before, strict=True)]
        kept(changed == mask.tolist(), "other rows changed than the mask says")
    else:
        rest = [row for row, bad in zip(after, mask, strict=True) if not bad]
        kept(rest == before, "rows that the mask calls clean are not the clean rows")


def repeats_by_its_seed(make: Make, clean: pa.Table) -> None:
    """The same generator gives the same rows, and the clean ones are left alone."""
    before = as_rows(clean)
    first, again = (as_rows(make().poison(clean, np.random.default_rng(4))[0]) for _ in range(2))
    kept(first == again, "the same seed gave other rows")
    kept(as_rows(clean) == before, "it wrote into the clean rows")


def bears_no_rows(make: Make, clean: pa.Table) -> None:
    """An empty batch stays empty."""
    poisoned, mask = make().poison(clean.slice(0, 0), np.random.default_rng(7))
    kept(poisoned.num_rows == len(mask) == 0, f"{poisoned.num_rows} rows were made out of none")


def as_rows(table: pa.Table) -> list[tuple[object, ...]]:
    """Rows as tuples that compare; pictures and vectors as nested lists."""
    columns = [column.combine_chunks() for column in table.columns]
    plain = [
        (one.storage if isinstance(one.type, pa.BaseExtensionType) else one).to_pylist()
        for one in columns
    ]
    return list(zip(*plain, strict=True))


ATTACK_PROMISES: Mapping[str, Callable[[Make, pa.Table], None]] = {
    "it keeps the schema": keeps_the_schema,
    "its mask tells the truth": tells_the_truth,
    "it repeats by its seed and leaves the clean rows alone": repeats_by_its_seed,
    "an empty batch stays empty": bears_no_rows,
}
