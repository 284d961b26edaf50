"""Releases: signed file sets for training, their recall, and their words for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.gate import exports, questions, releases
from credenza.gate.certification import refuse_uncertified
from credenza.gate.governance.reading import charter
from credenza.gate.windows import instant_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from credenza.core.canonical import Json
    from credenza.core.types import Release
    from credenza.gate.releases import ReleaseRecord
    from credenza.gate.stores import Stores
    from credenza.provenance.keys import SigningKey
    from credenza.workspace.policies import Policies
    from credenza.workspace.warrants import Warrants


class Releases:
    """What training jobs are given, and told not to use any more.

    Args:
        stores: of the workspace.
        warrants: that a release and a recall take.
        policies: of which the one in force may demand a certificate.
        operator: reads the operator's key, which signs.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        stores: Stores,
        warrants: Warrants,
        policies: Policies,
        operator: Callable[[], SigningKey],
        clock: Callable[[], int],
    ) -> None:
        self._stores = stores
        self._warrants = warrants
        self._policies = policies
        self._operator = operator
        self._clock = clock

    def all(self, dataset: str | None = None) -> list[ReleaseRecord]:
        """Releases that were made, oldest first, and which of them are recalled."""
        return releases.released(self._stores, dataset)

    def create(
        self,
        dataset: str,
        out: Path,
        version: int | None = None,
        expires: str = "",
        verified: pa.Table | None = None,
    ) -> Release:
        """Write a signed, exact file set that a training job can verify offline.

        Args:
            dataset: of which.
            out: a directory that does not exist.
            version: the newest by default.
            expires: ISO date or time in UTC from which on it must not be used.
            verified: rows that a certificate, if the policy demands one, is counted on.

        Raises:
            ConflictError: the policy demands a certificate that the version lacks.
        """
        policy = self._policies.recorded()
        chosen = questions.version(self._stores, dataset, version)
        refuse_uncertified(self._stores, chosen, policy.release, verified)
        expires = expires and instant_of(expires)
        terms: dict[str, Json] = {
            "dataset": dataset,
            "version": chosen.number,
            "content": charter(self._stores).content(dataset, chosen.number),
            "policy": policy.digest,
            "expires": expires,
        }
        with self._warrants.allow("release", terms):
            return releases.create(
                self._stores,
                chosen,
                out,
                policy=policy.digest,
                key=self._operator(),
                time_s=self._clock(),
                expires=expires,
            )

    def export(self, directory: Path, name: str) -> bytes:
        """A release in the words of another tool, such as croissant, cyclonedx or slsa."""
        return exports.export(self._stores, directory, name, self._operator())

    def recall(self, digest: str, reason: str) -> str:
        """Say that a release, named by its first digits, must not be used any more; its digest."""
        known = releases.release_named(self._stores, digest)
        terms: dict[str, Json] = {
            "release": known.digest,
            "dataset": known.dataset,
            "reason": reason,
        }
        with self._warrants.allow("recall", terms):
            releases.recall(self._stores, known.digest, reason)
        return known.digest

    def recalled(self) -> dict[str, str]:
        """Recalled releases by digest, with the reason: the list for offline verifiers."""
        return releases.recalls(self._stores)

    def recall_list(self) -> bytes:
        """The same, signed, to travel to where training happens."""
        return releases.recall_list(self._stores, self._operator(), self._clock())
