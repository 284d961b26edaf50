"""The families of statistics that credenza ships, and the one call that runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.errors import UsageError
from credenza.profiling.statistics.correlations import correlations
from credenza.profiling.statistics.labels import labels
from credenza.profiling.statistics.novelty import novelty
from credenza.profiling.statistics.numbers import numbers
from credenza.profiling.statistics.repeats import repeats
from credenza.profiling.statistics.rows import Measures, Rows, decode
from credenza.profiling.statistics.timing import timing
from credenza.profiling.statistics.volume import volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from credenza.core.types import Floats
    from credenza.profiling.statistics.reference import ReferenceSummary

FAMILIES: tuple[Callable[[Rows], Measures], ...] = (
    volume,
    numbers,
    novelty,
    labels,
    repeats,
    correlations,
    timing,
)


STRUCTURE = "structure"
"""Volume, missing values, and value pairs that the reference has not: a matter of one source
and its operator, no campaign. A yardstick made in winter has not seen the timetables of
summer, and several sources that change theirs in one week are no conspiracy."""
OTHER = "other"
"""Whatever was not measured here."""
_BY_SUBGROUP = "surprise by subgroup"
_FAMILY = {
    "volume": STRUCTURE,
    "number": "shape",
    "correlation": "shape",
    "label": "shape",
    "novelty": "novelty",
    "pairs": STRUCTURE,
    "residual": "residual",
    "surprise": "surprise",
    "contradiction": "surprise",
    "repeat": "repeat",
    "timing": "shape",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of evidence is weighed when several sources show it together.

    Attributes:
        attention: its part of the accepted rate of false campaigns. Honest sources re-time
            their flights together, but hardly ever contradict a nearly certain model:
            most attention goes where honest causes are few.
        reach: the largest deviation of one source that counts, in standard units. Far
            only where the sampling error is exact: a schedule that changes leaps too, and
            two such leaps in one week are no campaign.
    """

    attention: float = 0.5
    reach: float = 4.0


KINDS: Mapping[str, Kind] = {
    "surprise": Kind(attention=4.0, reach=8.0),
    _BY_SUBGROUP: Kind(attention=2.0, reach=8.0),
    "repeat": Kind(attention=2.0),
    "residual": Kind(attention=1.0),
}
"""Kinds that are weighed in their own way; all others are ``Kind()``."""


def family_of(statistic: str) -> str:
    """The kind of evidence a statistic of ``measure`` is, by its name.

    Kinds differ in how often honest sources move together in them: schedules change
    all the time, nearly certain labels are hardly ever contradicted. Other names are
    one kind, ``OTHER``.
    """
    word = statistic.split(" ", 1)[0]
    return (
        _BY_SUBGROUP if word == "surprise" and " where " in statistic else _FAMILY.get(word, OTHER)
    )


def measure(
    table: pa.Table, *, reference: ReferenceSummary, expected: Floats | None = None
) -> Measures:
    """Every statistic of one batch: value and sampling standard deviation by name.

    The names depend on the reference alone, so that batches of one dataset line up.

    Args:
        table: rows with the columns of the reference.
        reference: from ``summarise``.
        expected: ``(n, C)`` probabilities by a model that was not fitted on these rows,
            columns in the order of ``reference.classes``; None: no label statistics
            beyond rates.

    Raises:
        UsageError: ``expected`` has another shape.
    """
    if expected is not None and expected.shape != (table.num_rows, len(reference.classes)):
        raise UsageError(
            "bad-parameter",
            "the expected probabilities do not fit the rows",
            why=f"shape {expected.shape}, {table.num_rows} rows, {len(reference.classes)} classes",
            fix="give one row per row and one column per class",
        )
    rows = decode(table, reference, expected)
    found: Measures = {}
    for family in FAMILIES:
        found |= family(rows)
    return found
