"""The bounds every intake keeps, and the one way it refuses.

Blind to what a value *costs later*: a limit here bounds parsing, not every use.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from credenza.core.types import Limits

_WHY_CHARACTERS = 300


def refused(code: str, what: str, *, why: str = "", fix: str = "") -> UntrustedError:
    """A refusal whose reason, which may quote the file, is safe to show anywhere."""
    return UntrustedError(code, what, why=plain(why), fix=fix)


def plain(text: str) -> str:
    """One printable line of ASCII, shortened: parsers quote hostile bytes in messages."""
    line = " ".join(text.split())
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in line)
    return shown if len(shown) <= _WHY_CHARACTERS else shown[: _WHY_CHARACTERS - 1] + "~"


def open_regular(path: Path, limits: Limits) -> int:
    """A file descriptor of a regular file within the size limit, opened once for good.

    Follows no symlink in the last segment and never waits on a FIFO. Blind to links in
    the folders above, which are the caller's own, and to a writer who changes the file
    in place afterwards: copy into the content store first.

    Raises:
        UntrustedError: ``not-a-regular-file``, ``unreadable-file`` or ``file-too-large``.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as wrong:
        linked = path.is_symlink()
        raise refused(
            "not-a-regular-file" if linked else "unreadable-file",
            "a submitted file is not a regular file" if linked else "a file cannot be read",
            why=f"{path.name}: {'it is a link' if linked else wrong.strerror}",
            fix="submit the file itself" if linked else "check that it exists and is readable",
        ) from wrong
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        os.close(handle)
        raise refused(
            "not-a-regular-file",
            "a submitted file is not a regular file",
            why=f"{path.name} is a folder, pipe, socket or device",
            fix="submit the file itself",
        )
    if state.st_size > limits.file_bytes:
        os.close(handle)
        raise refused(
            "file-too-large",
            "a file is larger than its source may submit",
            why=f"{path.name} has {state.st_size} bytes, more than {limits.file_bytes}",
            fix="split it into several batches",
        )
    return handle


@contextmanager
def parsing(kind: str) -> Iterator[None]:
    """Turn what a parser raises into a refusal with its reason.

    Raises:
        UntrustedError: ``unreadable-file``, or ``parser-limit`` when memory ran out.
    """
    try:
        yield
    except (pa.ArrowMemoryError, MemoryError) as wrong:
        raise out_of_memory() from wrong
    except (pa.ArrowException, OSError, ValueError, TypeError) as wrong:
        raise refused(
            "unreadable-file",
            f"a file cannot be read as {kind}",
            why=str(wrong),
            fix=f"check that it opens elsewhere, and write it again as {kind}",
        ) from wrong


def out_of_memory() -> UntrustedError:
    """The refusal of a file that needs more memory than its source may use."""
    return refused(
        "parser-limit",
        "a file was refused because reading it takes too much",
        why="the parser ran out of its memory limit",
        fix="split it into several batches",
    )


def check_columns(count: int, limits: Limits) -> None:
    """Refuse more columns than allowed.

    Raises:
        UntrustedError: ``too-many-columns``.
    """
    if count > limits.columns:
        raise refused(
            "too-many-columns",
            "a file has more columns than its source may submit",
            why=f"{count} columns, more than {limits.columns}",
            fix="drop columns, or put features into one list column",
        )


def check_rows(count: int, limits: Limits) -> None:
    """Refuse more rows than allowed.

    Raises:
        UntrustedError: ``too-many-rows``.
    """
    if count > limits.rows:
        raise refused(
            "too-many-rows",
            "a batch has more rows than its source may submit",
            why=f"at least {count} rows, more than {limits.rows}",
            fix="split it into several batches",
        )


def check_decoded(size: int, limits: Limits) -> None:
    """Refuse more decoded bytes than allowed.

    Raises:
        UntrustedError: ``decoded-too-large``.
    """
    if size > limits.decoded_bytes:
        raise refused(
            "decoded-too-large",
            "a batch is larger than its source may submit once it is decoded",
            why=f"at least {size} bytes, more than {limits.decoded_bytes}",
            fix="split it into several batches",
        )


def check_schema(schema: pa.Schema, limits: Limits) -> None:
    """Refuse too many columns, too deep nesting, and names that occur twice.

    Raises:
        UntrustedError: ``too-many-columns``, ``too-deep`` or ``duplicate-column``.
    """
    check_columns(len(schema.names), limits)
    if len(set(schema.names)) < len(schema.names):
        raise refused(
            "duplicate-column",
            "two columns share a name",
            why=f"{len(schema.names)} columns have {len(set(schema.names))} names",
            fix="rename one of them",
        )
    deepest = max((_depth(field.type) for field in schema), default=0)
    if deepest > limits.depth:
        raise refused(
            "too-deep",
            "a file nests values deeper than its source may submit",
            why=f"{deepest} levels, more than {limits.depth}",
            fix="flatten the nested columns",
        )


def within(batches: Iterable[pa.RecordBatch], schema: pa.Schema, limits: Limits) -> pa.Table:
    """Collect batches while rows and decoded bytes stay within the limits.

    What a file says of its own size is no bound, so the count is of what was decoded,
    dictionaries included.

    Raises:
        UntrustedError: ``too-many-rows`` or ``decoded-too-large``.
    """
    kept: list[pa.Table] = []
    rows = size = 0
    target = plain_schema(schema)
    for batch in batches:
        rows += batch.num_rows
        check_rows(rows, limits)
        table = plain_table(pa.Table.from_batches([batch]))
        size += sum(_decoded_bytes(column) for column in table.columns)
        check_decoded(size, limits)
        kept.append(table)
    return pa.concat_tables(kept).cast(target) if kept else target.empty_table()


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Names and plain types only: no metadata, dictionaries or extension types."""
    return pa.schema([pa.field(field.name, _plain_type(field.type)) for field in schema])


def plain_table(table: pa.Table) -> pa.Table:
    """The table with dictionaries decoded, extensions unwrapped and metadata dropped."""
    columns = [
        pa.chunked_array([_plain_array(chunk) for chunk in column.chunks], _plain_type(column.type))
        for column in table.columns
    ]
    if not columns:
        return table.replace_schema_metadata(None)
    return pa.Table.from_arrays(columns, schema=plain_schema(table.schema))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    while isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    for holds, plain_of in _PLAIN:
        if holds(kind):
            return plain_of(kind)
    return kind


def _bare(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _plain_type(field.type))


# Types that carry others, and what they are once those are plain; the rest is plain.
_PLAIN: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]], ...] = (
    (pa.types.is_dictionary, lambda kind: _plain_type(kind.value_type)),
    (pa.types.is_run_end_encoded, lambda kind: _plain_type(kind.value_type)),
    (
        pa.types.is_map,
        lambda kind: pa.map_(_plain_type(kind.key_type), _plain_type(kind.item_type)),
    ),
    (pa.types.is_fixed_size_list, lambda kind: pa.list_(_bare(kind.value_field), kind.list_size)),
    (pa.types.is_large_list, lambda kind: pa.large_list(_bare(kind.value_field))),
    (pa.types.is_list, lambda kind: pa.list_(_bare(kind.value_field))),
    (
        pa.types.is_struct,
        lambda kind: pa.struct([_bare(kind.field(i)) for i in range(kind.num_fields)]),
    ),
)


def _plain_array(array: pa.Array) -> pa.Array:
    while isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        return _plain_array(array.dictionary_decode())
    if pa.types.is_run_end_encoded(array.type):
        return _plain_array(pc.run_end_decode(array))
    target = _plain_type(array.type)
    return array if array.type.equals(target, check_metadata=True) else array.cast(target)


def _depth(kind: pa.DataType) -> int:
    """Levels of lists and structs; 0 for a plain value."""
    if isinstance(kind, pa.BaseExtensionType):
        return _depth(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _depth(kind.value_type)
    children = [kind.field(i).type for i in range(kind.num_fields)]
    return 1 + max(map(_depth, children)) if children else 0


def _decoded_bytes(column: pa.ChunkedArray) -> int:
    """Bytes of the values, and one per value, so that a billion nulls are not free."""
    return int(column.nbytes) + sum(_values(chunk) for chunk in column.chunks)


def _values(array: pa.Array) -> int:
    kind = array.type
    if pa.types.is_struct(kind):
        return len(array) + sum(_values(child) for child in array.flatten())
    if pa.types.is_nested(kind):
        return len(array) + _values(array.flatten() if not pa.types.is_map(kind) else array.keys)
    return len(array)
