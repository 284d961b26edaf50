"""Vectors that the user brings, in the scale that a linear model learns well from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.profiling.arrays import matrix_of
from credenza.training.encoding import column_of

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Standardised:
    """The vectors of one or more columns, less their mean, over their spread.

    Attributes:
        names: columns of lists of one fixed size.
        centre: ``(d,)`` mean of the fitting rows.
        spread: ``(d,)`` their standard deviation times the root of ``d``.
    """

    names: tuple[str, ...]
    centre: Floats
    spread: Floats

    @classmethod
    def of(cls, table: pa.Table, names: tuple[str, ...]) -> Standardised:
        """With the mean and spread of the vectors of ``table``."""
        whole = np.ma.masked_invalid(_matrix(table, names))
        centre, spread = whole.mean(axis=0).filled(0.0), whole.std(axis=0).filled(0.0)
        return cls(names, centre, np.where(spread > 0, spread, 1.0) * np.sqrt(len(centre)))

    def __call__(self, table: pa.Table) -> Floats:
        """``(n, d)``; 0 where a vector is missing or not finite."""
        return np.nan_to_num((_matrix(table, self.names) - self.centre) / self.spread)


def _matrix(table: pa.Table, names: tuple[str, ...]) -> Floats:
    return np.hstack([matrix_of(column_of(table, name)) for name in names])
