"""What a dataset's windows are compared with: vouched-for rows, and a model of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from credenza.core.types import Floats, Role, Strings
    from credenza.profiling.statistics.reference import ReferenceSummary
    from credenza.store.rows import ExcisedRow
    from credenza.training.baseline import ReferenceModel


@dataclass(frozen=True, slots=True)
class Reference:
    """Fitted once the reference windows are settled.

    Attributes:
        label: the label's column, "" for none.
        model: None when the rows have no label, or none that can be learnt.
        trusted: ``(n,)`` rows of the calibration windows; empty until these are settled.
        source: ``(n,)`` their sources.
        windows: settled windows that it was made from.
        excised: what had been taken out of the dataset by then.
    """

    label: str
    facets: Mapping[str, Role]
    model: ReferenceModel | None
    summary: ReferenceSummary
    trusted: pa.Table
    source: Strings
    windows: int
    excised: tuple[ExcisedRow, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Label values, in the order of the columns of ``expected``."""
        return self.model.classes if self.model is not None else ()

    def expected(self, table: pa.Table) -> Floats | None:
        """Label probabilities of each row, or None without a model."""
        return self.model.expected(table) if self.model is not None else None
