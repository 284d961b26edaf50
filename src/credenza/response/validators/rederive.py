"""Derive the features again, from the signed originals, with the user's own code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - a field of the dataclass: builtin parts are inspected
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from credenza.core.errors import UsageError
from credenza.core.text import quote, tick
from credenza.core.types import Finding, Limits, Unit
from credenza.provenance.intake.sandbox import read_sandboxed
from credenza.response.case import Answer, Case, Validation
from credenza.response.confinement import Bounds, confined

if TYPE_CHECKING:
    from credenza.core.types import Bools

ROWS, ORIGINAL, DERIVED = "rows.parquet", "original-{place}-{name}", "features.parquet"


@dataclass(frozen=True, slots=True)
class Rederive:
    """Run the user's code on a batch's originals and compare what it derives, cell by cell.

    The code finds ``rows.parquet`` (the batch as the gate read it) and the signed files,
    ``original-0-NAME`` and so on, in ``$CREDENZA_IN``, and writes ``features.parquet`` with
    as many rows, in the same order, to ``$CREDENZA_OUT``. Columns it leaves out are not
    compared.

    Supports when a cell differs, contradicts when none does. Blind to poison in the
    originals themselves: what was false before it was derived stays false.

    Args:
        command: program and arguments; ``python`` is this interpreter.
        code: folder of the code: it starts there and may read it.
        tolerance: numbers agree within so much, relative to the larger.
        bounds: what the code may use.
    """

    command: tuple[str, ...]
    code: Path
    tolerance: float = 1e-6
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def name(self) -> str:
        """Its name."""
        return "rederive"

    def validate(self, case: Case) -> Validation:
        """Run the code once for each batch."""
        findings: list[Finding] = []
        start = compared = differing = 0
        for row in case.batches:
            rows = case.table.slice(start, row.records)
            derived = self._derive(rows, case, row.digest)
            wrong = {
                name: _differ(rows.column(name), derived.column(name), self.tolerance)
                for name in derived.column_names
            }
            compared += sum(len(cells) for cells in wrong.values())
            differing += sum(int(cells.sum()) for cells in wrong.values())
            findings += _findings(row.source, rows, derived, wrong, start)
            start += row.records
        names = sorted({str(one.exhibits["column"]) for one in findings})
        return Validation(
            self.name,
            Answer.SUPPORTS if findings else Answer.CONTRADICTS,
            f"{differing} of {compared} cells differ from what the code derives from the "
            f"originals{', in ' + ', '.join(map(tick, names)) if names else ''}",
            {"compared": compared, "differing": differing, "columns": names},
            tuple(findings),
        )

    def _derive(self, rows: pa.Table, case: Case, batch: str) -> pa.Table:
        files = case.originals[batch].items()
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        inputs = {ROWS: sink.getvalue().to_pybytes()}
        for place, (name, path) in enumerate(files):
            inputs[ORIGINAL.format(place=place, name=name)] = path.read_bytes()
        with confined(self.command, code=self.code, inputs=inputs, bounds=self.bounds) as out:
            written = out / DERIVED
            if not written.is_file() or written.is_symlink():
                raise UsageError(
                    "nothing-derived",
                    "the validator's code left nothing to compare",
                    why=f"there is no regular file {DERIVED} in $CREDENZA_OUT",
                    fix="let the code write there what it derived",
                )
            derived = read_sandboxed({DERIVED: written}, Limits())
        strange = sorted(set(derived.column_names) - set(rows.column_names))
        if derived.num_rows != rows.num_rows or strange or not derived.column_names:
            raise UsageError(
                "bad-derivation",
                "what the validator's code derived does not fit the batch",
                why=f"{derived.num_rows} rows for {rows.num_rows}; "
                f"unknown columns: {', '.join(map(quote, strange[:5])) or 'none'}",
                fix="write one row for each row of the batch, in its order, in its columns",
            )
        return derived


def _differ(own: pa.ChunkedArray, derived: pa.ChunkedArray, tolerance: float) -> Bools:
    """``(n,)`` True where the two say something else; two missing values agree."""
    if _is_number(own.type) and _is_number(derived.type):
        one, other = (
            np.asarray(pc.cast(c, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
            for c in (own, derived)
        )
        near = np.isclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)
        return np.asarray(~near, dtype=np.bool_)
    texts = [
        np.array([None if v is None else str(v) for v in c.to_pylist()], dtype=object)
        for c in (own, derived)
    ]
    return np.asarray(texts[0] != texts[1], dtype=np.bool_)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _findings(
    source: str, rows: pa.Table, derived: pa.Table, wrong: dict[str, Bools], start: int
) -> list[Finding]:
    """One for each column with differing cells; as surprising as the agreeing ones are many."""
    found = []
    for name, cells in wrong.items():
        places = np.flatnonzero(cells)
        if not len(places):
            continue
        first = int(places[0])
        exhibits: dict[str, object] = {
            "column": name,
            "source": source,
            "differing": len(places),
            "rows": rows.num_rows,
            "first": first,
            "own": quote(rows.column(name)[first].as_py()),
            "derived": quote(derived.column(name)[first].as_py()),
        }
        found.append(
            Finding(
                "rederive",
                Unit.GROUP,
                (source,),
                1.0 / (rows.num_rows - len(places) + 1),
                f"{len(places)} of {rows.num_rows} values of {tick(name)} from {quote(source)} "
                f"are not what the code derives; in row {first} {exhibits['own']}, not "
                f"{exhibits['derived']}",
                exhibits,
                tuple((places + start).tolist()),
                names_rows=True,
            )
        )
    return found
