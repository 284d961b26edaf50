"""The last windows' deviations in small: what control charts look back on."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Floats

FORMAT = 1
MOST_WINDOWS = 40
STEP = 0.1
FAR = 127
ABSENT = -128


@dataclass(frozen=True, slots=True, eq=False)
class Lookback:
    """At most 40 windows, a byte for each source and statistic in each.

    Attributes:
        cells: ``(T, S, P)`` int8, tenths of a standard unit up to 12.7; -128 = absent.
    """

    sources: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    cells: npt.NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, 0, 0), np.int8))

    def after(
        self, sources: tuple[str, ...], statistics: tuple[str, ...], newest: Floats
    ) -> Lookback:
        """With one more window, and without those that are too old.

        Args:
            sources: of the new window, in its order; others are dropped, new ones were absent.
            statistics: as ``sources``.
            newest: ``(S, P)`` deviations in standard units; NaN = absent.
        """
        old = np.full((len(self.cells), len(sources), len(statistics)), ABSENT, dtype=np.int8)
        rows = [place for place, name in enumerate(sources) if name in self.sources]
        columns = [place for place, name in enumerate(statistics) if name in self.statistics]
        was = [self.sources.index(sources[place]) for place in rows]
        had = [self.statistics.index(statistics[place]) for place in columns]
        old[:, np.array(rows, int)[:, None], np.array(columns, int)] = self.cells[
            :, np.array(was, int)[:, None], np.array(had, int)
        ]
        tenths = np.clip(np.nan_to_num(newest) / STEP, -FAR, FAR).round()
        now = np.where(np.isnan(newest), ABSENT, tenths).astype(np.int8)
        return Lookback(sources, statistics, np.concatenate([old, now[None]])[-MOST_WINDOWS:])

    @property
    def deviations(self) -> Floats:
        """``(T, S, P)`` in standard units, newest last; NaN = absent."""
        return np.where(self.cells == ABSENT, np.nan, self.cells * STEP)

    def to_bytes(self) -> bytes:
        """A line of JSON, and the cells compressed; the same bytes for the same windows."""
        head = {
            "format": FORMAT,
            "sources": self.sources,
            "statistics": self.statistics,
            "windows": len(self.cells),
        }
        return json.dumps(head).encode() + b"\n" + zlib.compress(self.cells.tobytes(), 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Lookback:
        """The windows that ``to_bytes`` wrote.

        Raises:
            UntrustedError: the bytes are not such windows.
        """
        line, _, packed = data.partition(b"\n")
        try:
            head = json.loads(line)
            sources, statistics = tuple(head["sources"]), tuple(head["statistics"])
            shape = (_windows(head), len(sources), len(statistics))
            # No more is unpacked than the windows that were promised can hold.
            unpacked = zlib.decompressobj().decompress(packed, 1 + int(np.prod(shape)))
            cells = np.frombuffer(unpacked, dtype=np.int8).reshape(shape)
        except (ValueError, KeyError, TypeError, zlib.error) as wrong:
            raise UntrustedError(
                "bad-lookback",
                "the control charts' windows cannot be read",
                why=str(wrong),
                fix="rebuild them from the ledger",
            ) from wrong
        return cls(sources, statistics, cells)


def _windows(head: dict[str, object]) -> int:
    windows = head["windows"]
    if head["format"] != FORMAT or windows not in range(MOST_WINDOWS + 1):
        raise ValueError(f"{windows} windows in format {head['format']}")
    return int(str(windows))
