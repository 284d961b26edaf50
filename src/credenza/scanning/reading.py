"""What a reader hands on: rows, what it knows of their columns, and what it has to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from credenza.core.types import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from credenza.core.types import Role

# Bounds for one's own file; a sender's batch is held to those of its source.
SCAN_LIMITS = Limits(
    file_bytes=16 * 2**30,
    decoded_bytes=16 * 2**30,
    rows=100_000_000,
    columns=20_000,
    files=64,
    memory_bytes=24 * 2**30,
    cpu_s=1_800,
)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Rows as they were found.

    Attributes:
        table: one row per record.
        hints: roles that the format itself says, such as the folder of an image.
        notices: what was decided on the way, in sentences.
    """

    table: pa.Table
    hints: Mapping[str, Role] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class Reader(Protocol):
    """Reads one kind of file or folder."""

    @property
    def reads(self) -> str:
        """What it reads, for messages: "a folder of images"."""
        ...

    def fits(self, path: Path) -> bool:
        """Whether ``path`` is of that kind, by its name and its folder alone."""
        ...

    def read(self, path: Path, limits: Limits) -> Reading:
        """The rows, or ``UntrustedError``; nothing is ever unpickled."""
        ...
