"""Arrow IPC: files (Feather) and streams."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from credenza.provenance.intake.limits import check_schema, open_regular, parsing, refused, within
from credenza.scanning.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from credenza.core.types import Limits

_FILE_MAGIC = b"ARROW1"


class ArrowFile:
    """Reads Arrow IPC, every buffer checked before it is used.

    Tensors keep their shape; all other extension types become plain storage. Parsed in
    this process: IPC is a mapping of buffers, and full validation is what stands
    between a lying offset and this memory.
    """

    reads = "Arrow IPC (.arrow, .ipc, .feather)"

    def fits(self, path: Path) -> bool:
        """A file with one of the endings."""
        return path.is_file() and path.name.lower().endswith((".arrow", ".ipc", ".feather"))

    def read(self, path: Path, limits: Limits) -> Reading:
        """Parse, or refuse.

        Raises:
            UntrustedError: ``not-arrow``, ``unreadable-file``, or a limit's code.
        """
        return Reading(read_arrow(path, limits))


def read_arrow(path: Path, limits: Limits) -> pa.Table:
    """The rows of one IPC file or stream.

    Raises:
        UntrustedError: as ``ArrowFile.read``.
    """
    os.close(open_regular(path, limits))
    with parsing("Arrow IPC"), pa.OSFile(str(path)) as file:
        if file.read(len(_FILE_MAGIC)) == _FILE_MAGIC:
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(place) for place in range(reader.num_record_batches))
        else:
            file.seek(0)
            reader = _stream(file)
            batches = iter(reader)
        check_schema(reader.schema, limits)
        table = within(_checked(batches), reader.schema, limits)
        return _with_tensors(table, reader.schema)


def _stream(file: Any) -> Any:  # noqa: ANN401 - pyarrow is untyped
    try:
        return pa.ipc.open_stream(file)
    except (pa.ArrowInvalid, OSError) as wrong:
        raise refused(
            "not-arrow",
            "a file called Arrow is not Arrow IPC",
            why=str(wrong),
            fix="write it as Arrow IPC, or give it the ending of what it is",
        ) from wrong


def _checked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        batch.validate(full=True)
        yield batch


def _with_tensors(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """``table`` with the tensors of ``schema`` as tensors again."""
    for place, field in enumerate(schema):
        if isinstance(field.type, pa.FixedShapeTensorType):
            plain = table.column(place).cast(field.type.storage_type)
            chunks = [pa.ExtensionArray.from_storage(field.type, chunk) for chunk in plain.chunks]
            table = table.set_column(place, field.name, pa.chunked_array(chunks, field.type))
    return table
