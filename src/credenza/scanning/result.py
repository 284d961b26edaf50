"""What a scan says: row by row, group by group, source by source."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from credenza.core.jsonable import jsonable
from credenza.core.types import Role
from credenza.scanning.files import write_together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from credenza.core.types import Bools, Finding, Floats, Silence, View

SCHEMA = "credenza.scan/1"
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

    def document(self) -> dict[str, object]:
        """The result without its tables: what ``findings.json`` and ``--json`` hold.

        Returns:
            ``schema``, ``scanned`` (name, rows, flagged, trusted, fdr, roles), ``findings``
            most surprising first, ``sources``, ``detectors`` that spoke, ``silences``,
            ``notices`` and ``exit_code``; JSON scalars, lists and objects only, NaN as null.
        """
        read = {name: role for name, role in self.roles.items() if role is not Role.IGNORED}
        said = {
            "schema": SCHEMA,
            "scanned": {
                "name": self.name,
                "rows": self.rows.num_rows,
                "flagged": int(self.flagged.sum()),
                "trusted": self.trusted,
                "fdr": self.fdr,
                "roles": read,
            },
            "findings": self.findings,
            "sources": self.sources,
            "detectors": sorted(self.heard),
            "silences": self.silences,
            "notices": self.notices,
            "exit_code": self.exit_code,
        }
        return {name: jsonable(value) for name, value in said.items()}

    def save(
        self,
        directory: str | Path,
        *,
        more: Mapping[str, Callable[[Path], object]] | None = None,
    ) -> None:
        """Write ``rows.parquet``, ``findings.json``, ``clean.parquet`` and ``suspect.parquet``.

        They appear together, each whole, or not at all. The report with pictures is the
        command's: ``credenza scan … --out DIR``.

        Args:
            directory: made when it does not exist; files of these names are replaced.
            more: further files by name, each written by a function of its path.
        """
        said = json.dumps(self.document(), indent=1, allow_nan=False) + "\n"
        write_together(
            directory,
            {
                "rows.parquet": lambda path: pq.write_table(self.rows, path),
                "findings.json": lambda path: path.write_text(said, encoding="utf-8"),
                "clean.parquet": lambda path: pq.write_table(self.clean(), path),
                "suspect.parquet": lambda path: pq.write_table(self.suspect(), path),
                **(more or {}),
            },
        )
