"""Datasets and their versions: what was admitted, going back, and copies to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.gate import questions, review
from credenza.gate.governance.reading import charter

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.core.types import Version
    from credenza.gate.influence import DatasetInfluence
    from credenza.gate.stores import Stores
    from credenza.workspace.warrants import Warrants


class Datasets:
    """Versions of admitted rows; none is ever changed or removed.

    Args:
        stores: of the workspace.
        warrants: that a rollback takes.
    """

    def __init__(self, stores: Stores, warrants: Warrants) -> None:
        self._stores = stores
        self._warrants = warrants

    def all(self) -> list[Version]:
        """Every dataset, as its newest version."""
        return questions.newest_versions(self._stores)

    def log(self, dataset: str) -> list[Version]:
        """Versions of a dataset, oldest first."""
        return questions.versions(self._stores, dataset)

    def version(self, dataset: str, version: int | None = None) -> Version:
        """One version of a dataset, the newest by default."""
        return questions.version(self._stores, dataset, version)

    def influence(
        self, dataset: str, version: int | None = None, *, groups: bool = False
    ) -> DatasetInfluence:
        """On whom a version rests, by source or by declared group; the newest by default."""
        from credenza.gate.influence import dataset_influence  # noqa: PLC0415 - seconds to load

        return dataset_influence(self._stores, self.version(dataset, version), groups=groups)

    def rollback(
        self, dataset: str, version: int, reason: str, *, reinstate: bool = False
    ) -> Version:
        """Make an old version's content the newest version.

        What was excised since comes back only with ``reinstate``.

        Raises:
            NotFoundError: there is no such dataset or version.
        """
        self.version(dataset, version)  # or who asks is told what there is
        terms: dict[str, Json] = {
            "dataset": dataset,
            "version": version,
            "content": charter(self._stores).content(dataset, version),
            "reason": reason,
            "reinstate": reinstate,
        }
        with self._warrants.allow("rollback", terms):
            return review.roll_back(self._stores, dataset, version, reason, reinstate=reinstate)

    def checkout(self, dataset: str, version: int | None, out: Path) -> list[Path]:
        """Write a version as Parquet files into ``out``, which must not exist."""
        found = self.version(dataset, version)
        self._stores.datasets.checkout(dataset, found.number, out)
        return sorted(path for path in out.iterdir() if path.is_file())
