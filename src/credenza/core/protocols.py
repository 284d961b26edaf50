"""What a part must offer. Protocols, not base classes; at most three methods each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from credenza.core.types import Bools, Limits, Role, Scores, View


class Detector(Protocol):
    """Scores rows; never decides, never calibrates."""

    @property
    def name(self) -> str:
        """Hyphenated, unique among detectors."""
        ...

    @property
    def needs(self) -> frozenset[Role]:
        """Roles of which the view must have at least one column each."""
        ...

    def score(self, view: View) -> Scores:
        """Suspicion for every row of ``view``, trusted rows included.

        The scores of trusted rows are what calibration ranks the others against,
        so both must be computed the same way.
        """
        ...


class Intake(Protocol):
    """Turns one untrusted file into Arrow, under limits."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """File endings it reads, with the dot."""
        ...

    def read(self, path: Path, limits: Limits) -> pa.Table:
        """Parse, or raise ``UntrustedError``."""
        ...


class Attack(Protocol):
    """Poisons a copy of clean rows, and tells the truth about which."""

    @property
    def name(self) -> str:
        """Hyphenated, unique among attacks."""
        ...

    def poison(self, clean: pa.Table, rng: np.random.Generator) -> tuple[pa.Table, Bools]:
        """Poisoned rows (any number) and a mask of those that are poison."""
        ...
