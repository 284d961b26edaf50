"""The formats this package reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.provenance.intake.csv import CsvIntake
from credenza.provenance.intake.jsonl import JsonlIntake
from credenza.provenance.intake.limits import refused
from credenza.provenance.intake.parquet import ParquetIntake

if TYPE_CHECKING:
    from credenza.core.protocols import Intake

INTAKES: Catalog[Intake] = Catalog(
    "intake",
    {
        "csv": CsvIntake,
        "jsonl": JsonlIntake,
        "parquet": ParquetIntake,
    },
)


def intake_for(file_name: str) -> str:
    """The name of the intake that reads files of this ending.

    Archives have none, on purpose: what is in them would escape every limit.

    Raises:
        UntrustedError: ``unknown-format``; the message lists the endings that are read.
    """
    endings = {suffix: name for name in INTAKES for suffix in INTAKES.make(name).suffixes}
    lowered = file_name.lower()
    for suffix, name in endings.items():
        if lowered.endswith(suffix):
            return name
    raise refused(
        "unknown-format",
        "a file has an ending that no intake reads",
        why=f"{file_name[:80]} does not end in one of: {', '.join(sorted(endings))}",
        fix="convert it; archives and pickles are never opened",
    )
