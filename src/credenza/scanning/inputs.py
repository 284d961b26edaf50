"""Whatever a researcher has in hand, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.core.errors import NotFoundError, UsageError
from credenza.core.text import quote, tick
from credenza.scanning.arrays import from_arrays
from credenza.scanning.builtin import READERS
from credenza.scanning.reading import SCAN_LIMITS, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Limits


def read(data: object, *, limits: Limits = SCAN_LIMITS) -> Reading:
    """The rows of ``data``: a path, or a table of any of the usual libraries.

    Args:
        data: a path; an Arrow table, batch or reader; a pandas or Polars frame; a
            Hugging Face dataset; an array, a dict of arrays or columns, or ``(X, y)``.
        limits: bounds on what a path may hold.

    Raises:
        UsageError: ``no-rows``, ``unknown-format`` or ``unfit-data``.
        NotFoundError: nothing is at the path.
        UntrustedError: a file is refused.
    """
    if isinstance(data, (str, Path)):
        return _checked(_file(Path(data), limits))
    for fits, take in _KINDS:
        if fits(data):
            return _checked(take(data))
    raise UsageError(
        "unfit-data",
        f"a {type(data).__name__} cannot be scanned",
        why="it is no path, Arrow, pandas or Polars table, dataset, array, dict or pair (X, y)",
        fix="turn it into an Arrow table with `pyarrow.table`",
    )


def _checked(found: Reading) -> Reading:
    table = found.table
    if table.num_rows == 0 or table.num_columns == 0:
        raise UsageError(
            "no-rows",
            "there are no rows to scan",
            why=f"{table.num_rows} rows, {table.num_columns} columns",
            fix="check that the file was written whole",
        )
    if len(set(table.column_names)) < table.num_columns:
        raise UsageError(
            "duplicate-column",
            "two columns share a name",
            why="a column is found by its name",
            fix="rename one of them",
        )
    return found


def _file(path: Path, limits: Limits) -> Reading:
    if not path.exists():
        raise NotFoundError(
            "no-such-file",
            f"there is no {quote(path)}",
            why="nothing is at that path, as seen from here",
            fix="check the path",
        )
    # A link the caller names is the caller's choice; links inside a folder are not.
    path = path.resolve()
    readers = [READERS.make(name) for name in READERS.parts]
    for reader in readers:
        if reader.fits(path):
            return reader.read(path, limits)
    raise UsageError(
        "unknown-format",
        f"{quote(path.name)} is of no kind that can be scanned",
        why=f"these can: {'; '.join(reader.reads for reader in readers)}",
        fix="convert it; archives and pickles are never opened",
    )


def _arrow(data: Any) -> Reading:  # noqa: ANN401 - checked by _KINDS
    if isinstance(data, pa.RecordBatch):
        return Reading(pa.Table.from_batches([data]))
    return Reading(data if isinstance(data, pa.Table) else data.read_all())


def _pandas(data: Any) -> Reading:  # noqa: ANN401 - pandas is not a dependency
    return _columnwise({str(name): data[name] for name in data.columns})


def _exporting(data: Any) -> Reading:  # noqa: ANN401 - any library's table
    return Reading(pa.table(data))


def _dataset(data: Any) -> Reading:  # noqa: ANN401 - datasets is not a dependency
    return Reading(data.with_format("arrow")[:])


def _array(data: Any) -> Reading:  # noqa: ANN401 - checked by _KINDS
    return from_arrays({"x": data})


def _pair(data: Any) -> Reading:  # noqa: ANN401 - checked by _KINDS
    features, labels = data
    if isinstance(features, (np.ndarray, list)):
        return from_arrays({"x": np.asarray(features), "y": np.asarray(labels)})
    found = read(features)
    y = pa.chunked_array([pa.array(np.asarray(labels))])
    return Reading(found.table.append_column("y", y), found.hints, found.notices)


def _mapping(data: Any) -> Reading:  # noqa: ANN401 - checked by _KINDS
    if data and all(
        isinstance(values, np.ndarray) and values.dtype != object for values in data.values()
    ):
        return from_arrays({str(name): values for name, values in data.items()})
    return _columnwise({str(name): values for name, values in data.items()})


def _columnwise(columns: Mapping[str, Any]) -> Reading:
    """Columns one by one; where values of several types share one, their text is taken."""
    made: dict[str, pa.Array] = {}
    notices = []
    for name, values in columns.items():
        try:
            made[name] = pa.array(values, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            notices.append(f"{tick(name)} mixes types, so its values were read as text")
            texts = [None if _is_missing(value) else str(value) for value in values]
            made[name] = pa.array(texts, pa.string())
    lengths = {len(values) for values in made.values()}
    if len(lengths) > 1:
        raise UsageError(
            "bad-length",
            "the columns differ in length",
            why=f"lengths {sorted(lengths)}",
            fix="give every column one value a row",
        )
    return Reading(pa.table(made), notices=tuple(notices))


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Reading]], ...] = (
    (lambda data: isinstance(data, (pa.Table, pa.RecordBatch, pa.RecordBatchReader)), _arrow),
    (lambda data: hasattr(data, "iloc") and hasattr(data, "columns"), _pandas),
    (lambda data: hasattr(data, "with_format") and hasattr(data, "features"), _dataset),
    (lambda data: hasattr(data, "__arrow_c_stream__"), _exporting),
    (lambda data: isinstance(data, np.ndarray), _array),
    (lambda data: isinstance(data, tuple) and len(data) == 2, _pair),
    (lambda data: isinstance(data, Mapping), _mapping),
)
