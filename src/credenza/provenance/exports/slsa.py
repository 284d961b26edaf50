"""SLSA provenance: how the release was made, from what, by whom.

Source:
    slsa.dev/provenance/v1, an in-toto statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.canonical import Json, canonical_json
from credenza.provenance.exports.released import Released, urn

if TYPE_CHECKING:
    from collections.abc import Iterable

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:credenza:gate:release:v1"


def slsa(released: Released) -> bytes:
    """The statement; every admitted batch is a resolved dependency by its digest."""
    release = released.release
    return canonical_json(
        {
            "_type": STATEMENT,
            "subject": files_as_subjects(released),
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD,
                    "externalParameters": {
                        "dataset": release.dataset,
                        "version": release.version,
                        "label": released.label,
                    },
                    "internalParameters": {"policy": {"sha256": release.policy}},
                    "resolvedDependencies": list(_batches(released)),
                },
                "runDetails": {
                    "builder": {"id": f"urn:credenza:gate:{released.gate}"},
                    "metadata": {"invocationId": urn(released), "finishedOn": released.created},
                    "byproducts": [
                        {"name": "ledger-checkpoint", "annotations": {"note": released.checkpoint}}
                    ],
                },
            },
        }
    )


def files_as_subjects(released: Released) -> list[Json]:
    """The released files, as in-toto names them."""
    return [
        {"name": file.name, "digest": {"sha256": file.sha256}} for file in released.release.files
    ]


def _batches(released: Released) -> Iterable[Json]:
    for digest, manifest in released.batches:
        yield {
            "uri": f"urn:credenza:batch:{digest}",
            "name": f"{manifest.source}/{manifest.dataset}/{manifest.sequence}",
            "digest": {"sha256": digest},
            "annotations": {"rowRoot": manifest.row_root, "licence": manifest.licence},
        }
