"""What a scan says: row by row, group by group, source by source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from credenza.core.types import Bools, Finding, Floats, Role, Silence, View

NORMAL_975 = 1.959964
CLEAN, FOUND, NOT_ASSESSED = 0, 1, 4


@dataclass(frozen=True, slots=True)
class SourceEvidence:
    """One source's rows.

    Attributes:
        source: its id as the data has it.
        rows: how many it sent.
        flagged: how many of them were flagged.
        low: lower end of the 95 % Wilson interval of that share.
        high: upper end.
        p_value: of its rows taken together.
        is_named: the source itself was rejected.
    """

    source: str
    rows: int
    flagged: int
    low: float
    high: float
    p_value: float
    is_named: bool


@dataclass(frozen=True, slots=True, eq=False)
class ScanResult:
    """The answer of ``credenza.scan``.

    Attributes:
        name: of what was scanned.
        rows: one row per input row, in order: ``row``, ``id``, ``source``, ``score``
            (higher = worse), ``p_value``, ``q_value``, ``flagged``, ``reasons``.
        findings: what was named, most surprising first.
        silences: what could not be assessed, and why.
        sources: evidence by source, worst first; empty without a source column.
        roles: role of each column, as given or inferred.
        notices: what was guessed, changed or left out.
        heard: scores by detector that spoke, ``(n,)`` each.
        data: the input as it was read.
        view: what the detectors saw; its first ``n`` rows are the input.
        fdr: the budget that was set.
        trusted: how many rows were trusted.
    """

    name: str
    rows: pa.Table
    findings: tuple[Finding, ...]
    silences: tuple[Silence, ...]
    sources: tuple[SourceEvidence, ...]
    roles: Mapping[str, Role]
    notices: tuple[str, ...]
    data: pa.Table
    view: View
    fdr: float
    trusted: int
    heard: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def flagged(self) -> Bools:
        """``(n,)`` rows that should stay out."""
        return np.asarray(self.rows.column("flagged").to_numpy(), dtype=bool)

    @property
    def exit_code(self) -> int:
        """0 clean, 1 something was found, 4 nothing could be assessed."""
        if self.findings or self.flagged.any():
            return FOUND
        return CLEAN if self.heard else NOT_ASSESSED

    def clean(self) -> pa.Table:
        """The input without the flagged rows."""
        return self.data.filter(pa.array(~self.flagged))

    def suspect(self) -> pa.Table:
        """The flagged rows of the input."""
        return self.data.filter(pa.array(self.flagged))

    def save(self, directory: str | Path) -> None:
        """Write ``rows.parquet``, ``findings.json``, ``clean.parquet`` and ``suspect.parquet``.

        Every file is whole or absent. The report with pictures is the command's:
        ``credenza scan … --out DIR``.

        Args:
            directory: made when it does not exist; files of these names are replaced.
        """
        from credenza.scanning.save import save  # noqa: PLC0415 - save knows this noun

        save(self, directory)


def wilson(hits: int, rows: int) -> tuple[float, float]:
    """95 % interval of a share; (0, 1) of nothing.

    Source:
        Wilson 1927.
    """
    if rows == 0:
        return 0.0, 1.0
    share, z2 = hits / rows, NORMAL_975**2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = NORMAL_975 / (1 + z2 / rows) * (share * (1 - share) / rows + z2 / (4 * rows**2)) ** 0.5
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
