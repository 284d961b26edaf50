"""Which unit a source belongs to: fixed before any untrusted row is seen.

A certificate counts hostile units. It would be void if a source could speak in several
units, or move another source by staying away, so the rule reads names and a roster, never
the data.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.types import Ints, Strings


@dataclass(frozen=True, slots=True)
class Assignment:
    """Source names to units.

    With a roster, unit i is its i-th distinct group, taken modulo ``units``. Without one,
    the unit is a hash of the group's name, so names that nobody foresaw have a unit too.

    Attributes:
        units: how many there are; 0 with a roster means one per group of it.
        roster: every source that may speak, in an order fixed outside the data.
        declared: the group of sources that count as one; a source alone is its own.
    """

    units: int = 0
    roster: tuple[str, ...] = ()
    declared: Mapping[str, str] = field(default_factory=dict)

    def place(self, sources: Strings | Sequence[str]) -> Ints:
        """``(n,)`` unit of each row.

        Raises:
            UsageError: neither units nor a roster are given, or a source is not on it.
        """
        names, inverse = np.unique(np.asarray(sources).astype(str), return_inverse=True)
        unit = [self.unit_of(str(name)) for name in names]
        return np.asarray(unit, dtype=np.int64)[inverse]

    def unit_of(self, source: str) -> int:
        """The unit of one source."""
        group = self.declared.get(source, source)
        if not self.roster:
            digest = hashlib.sha256(group.encode()).digest()
            return int.from_bytes(digest[:8], "big") % self.count()
        if source not in self.roster:
            raise UsageError(
                "not-on-roster",
                f"source {source!r} is not on the roster",
                why=f"the roster has {len(self.roster)} sources",
                fix="fix the roster before training, or assign by hash with units=",
            )
        return self._groups().index(group) % self.count()

    def count(self) -> int:
        """The number of units."""
        units = self.units or len(self._groups())
        if units < 1:
            raise UsageError(
                "no-assignment",
                "sources cannot be assigned to units",
                why="a roster made from the data would let a source move others by its absence",
                fix="give roster=, or units= to assign by a hash of the name",
            )
        return units

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(self.declared.get(source, source) for source in self.roster))
