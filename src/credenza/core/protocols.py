"""What a part must offer. Protocols, not base classes; at most three methods each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from credenza.core.spans import Spans
    from credenza.core.types import Bools, Floats, Limits, Role, Scores, View

T = TypeVar("T")
S = TypeVar("S")


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


class Aggregator(Protocol):
    """Combines federated updates."""

    def combine(self, updates: npt.NDArray[Any] | Sequence[object]) -> Floats:
        """One ``(d,)`` update from an ``(n, d)`` matrix, or from ``n`` things that were sent.

        What is sent is whatever a client sends; what is not a finite vector of the
        round's length takes no part. A client has no say in its weight.
        """
        ...


class Engine(Protocol):
    """Where mergeable work runs."""

    def map_reduce(
        self,
        items: Iterable[T],
        work: Callable[[T], S],
        merge: Callable[[S, S], S],
    ) -> S:
        """Map every item and merge the results; the order must not matter."""
        ...


class DatasetStore(Protocol):
    """A versioned table with transactions that happen once."""

    def publish(self, dataset: str, table: pa.Table, properties: Mapping[str, str]) -> int:
        """Append ``table`` in one transaction; the new version's number."""
        ...

    def read(self, dataset: str, version: int | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the rows of a version, the latest by default."""
        ...

    def restore(self, dataset: str, version: int, properties: Mapping[str, str]) -> int:
        """Make an old version's content the newest version; its number."""
        ...


class ExcisingStore(Protocol):
    """A versioned table from which rows can be taken out."""

    def excise(
        self, dataset: str, gone: Mapping[str, Spans | None], properties: Mapping[str, str]
    ) -> int:
        """Take rows out of the newest version, by batch and position; the new number."""
        ...
