"""Builds the ``View`` that detectors see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.text import quote
from credenza.core.types import Role, View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.types import Bools, Floats

INFER_ROWS = 10_000
TEXT_WORDS = 4.0
LEAST_DIMENSIONS = 4
"""Fewer numbers than this are a point, a colour or a box, and no vector."""
MANY_LEVELS = 0.5


class UnassessedError(ValueError):
    """A detector cannot judge this view; the message says why, in the user's terms."""


class NotApplicableError(UnassessedError):
    """The view has no data of the kind a detector looks at; in a scan it is passed over."""


def make_view(
    name: str,
    table: pa.Table,
    *,
    label: str = "",
    source: str | Sequence[str] | np.ndarray[Any, Any] = "",
    trusted: Bools | None = None,
    facets: Mapping[str, Role] | None = None,
    expected: Floats | None = None,
    classes: tuple[str, ...] = (),
) -> View:
    """A view of ``table``, checked, with roles inferred where none is given.

    Args:
        name: batch digest, or a name for a scan.
        table: ``n`` rows.
        label: the label's column; "" for none.
        source: the source's column, or ``n`` source ids; "" for one unknown source.
        trusted: ``(n,)`` which rows come from admitted data; none by default.
        facets: role by column; a column it does not name is ignored. By default every
            column's role is inferred.
        expected: ``(n, len(classes))`` reference probabilities.
        classes: label values as text, in the order of the columns of ``expected``.

    Returns:
        The view.

    Raises:
        UsageError: a column is unknown, or lengths do not fit.
    """
    n = table.num_rows
    for column in (label, source if isinstance(source, str) else "", *(facets or ())):
        if column and column not in table.column_names:
            known = ", ".join(quote(c) for c in table.column_names[:20])
            raise UsageError(
                "no-such-column", f"there is no column {quote(column)}", why=f"there are: {known}"
            )
    roles = dict(infer_roles(table) if facets is None else facets)
    if label:
        roles[label] = Role.LABEL
    if isinstance(source, str):
        if source:
            roles[source] = Role.SOURCE
        ids = table.column(source).to_pylist() if source else [""] * n
    else:
        ids = list(source)
    sources = np.empty(len(ids), dtype=object)
    sources[:] = [str(i) for i in ids]
    trust = np.zeros(n, dtype=bool) if trusted is None else np.asarray(trusted, dtype=bool)
    if len(sources) != n or trust.shape != (n,):
        raise UsageError("bad-length", f"sources or trust do not fit a table of {n} rows")
    if expected is not None and expected.shape != (n, len(classes)):
        raise UsageError(
            "bad-length",
            "expected probabilities do not fit",
            why=f"their shape is {expected.shape}, not {(n, len(classes))}",
        )
    return View(name, table, label, roles, sources, trust, classes, expected)


def infer_roles(table: pa.Table) -> dict[str, Role]:
    """A role for each column, from its type and its first 10,000 values.

    Numbers are numbers, unless they are integers that never repeat and always rise;
    texts of four words and more are text; strings that hardly repeat are ids; lists of
    one fixed size, of at least four real numbers, are vectors; what else is nested or
    binary is ignored. Blind to numbers that are codes: name those in
    ``facets``.
    """
    return {name: _role(table.column(name).slice(0, INFER_ROWS)) for name in table.column_names}


def _role(column: Any) -> Role:  # noqa: ANN401 - pyarrow is untyped
    kind = column.type
    if pa.types.is_dictionary(kind):
        return Role.CATEGORY
    for fits, role in _BY_TYPE:
        if fits(kind):
            return Role(role(column) if callable(role) else role)
    return Role.IGNORED


def _of_integer(column: Any) -> Role:  # noqa: ANN401 - pyarrow is untyped
    values = column.drop_null().to_numpy()
    rises = len(values) > 50 and bool(np.all(values[1:] > values[:-1]))
    return Role.ID if rises else Role.NUMBER


def _of_vector(column: Any) -> Role:  # noqa: ANN401 - pyarrow is untyped
    kind = column.type
    is_vector = pa.types.is_floating(kind.value_type) and kind.list_size >= LEAST_DIMENSIONS
    return Role.EMBEDDING if is_vector else Role.IGNORED


def _of_string(column: Any) -> Role:  # noqa: ANN401 - pyarrow is untyped
    values = column.drop_null()
    if len(values) == 0:
        return Role.CATEGORY
    words = pc.mean(pc.list_value_length(pc.utf8_split_whitespace(values))).as_py()
    distinct = pc.count_distinct(values).as_py()
    if words >= TEXT_WORDS:
        return Role.TEXT
    return Role.ID if len(values) > 50 and distinct > MANY_LEVELS * len(values) else Role.CATEGORY


_BY_TYPE: tuple[tuple[Any, Any], ...] = (
    (pa.types.is_boolean, Role.CATEGORY),
    (pa.types.is_integer, _of_integer),
    (pa.types.is_floating, Role.NUMBER),
    (pa.types.is_decimal, Role.NUMBER),
    (pa.types.is_temporal, Role.TIME),
    (pa.types.is_string, _of_string),
    (pa.types.is_large_string, _of_string),
    (pa.types.is_fixed_size_list, _of_vector),
)
