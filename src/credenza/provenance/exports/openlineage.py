"""OpenLineage events: what came in, what was judged, what was published, what was released.

Source:
    openlineage.io, RunEvent of specification 2-0-2.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from credenza.provenance.exports.released import urn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.provenance.exports.released import Released

PRODUCER = "urn:credenza"
EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
SCHEMA_FACET = f"{FACETS}/1-1-1/SchemaDatasetFacet.json"
VERSION_FACET = f"{FACETS}/1-0-1/DatasetVersionDatasetFacet.json"
ASSERTIONS_FACET = f"{FACETS}/1-1-0/DataQualityAssertionsDatasetFacet.json"
STATISTICS_FACET = f"{FACETS}/1-0-2/OutputStatisticsOutputDatasetFacet.json"
ENTRY_FACET = "urn:credenza:facet:ledger-entry:1"


def openlineage(released: Released) -> bytes:
    """The event of a release, on one line."""
    release = released.release
    columns: list[Json] = [{"name": name, "type": kind} for name, kind in released.columns]
    made = versioned(
        released.origin,
        release.dataset,
        str(release.version),
        schema=facet(SCHEMA_FACET, fields=columns),
    )
    return run_event(
        urn(released),
        f"release.{release.dataset}",
        time=released.created,
        origin=released.origin,
        inputs=[
            versioned(f"{released.origin}/{manifest.source}", manifest.dataset, digest)
            for digest, manifest in released.batches
        ],
        outputs=[made],
    )


def run_event(
    name: str,
    job: str,
    *,
    time: str,
    origin: str,
    inputs: Iterable[Mapping[str, Json]],
    outputs: Iterable[Mapping[str, Json]],
    facets: Mapping[str, Json] | None = None,
) -> bytes:
    """A completed run on one line of ASCII.

    Args:
        name: of what happened, everywhere the same: the run's id follows from it, so an
            event that is sent twice is one run.
        job: such as "submit.flights".
        time: ISO 8601 UTC.
        origin: name of the gate's ledger, the namespace of its jobs.
        inputs: datasets, as ``versioned`` makes them.
        outputs: likewise.
        facets: of the run.
    """
    event: dict[str, Json] = {
        "eventType": "COMPLETE",
        "eventTime": time,
        "producer": PRODUCER,
        "schemaURL": EVENT,
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "facets": dict(facets or {})},
        "job": {"namespace": origin, "name": job},
        "inputs": [dict(one) for one in inputs],
        "outputs": [dict(one) for one in outputs],
    }
    return json.dumps(event, ensure_ascii=True).encode() + b"\n"


def versioned(namespace: str, name: str, version: str, **facets: Json) -> dict[str, Json]:
    """A dataset in one version, with more facets by their names."""
    told = {"version": facet(VERSION_FACET, datasetVersion=version), **facets}
    return {"namespace": namespace, "name": name, "facets": told}


def assertions(told: Sequence[tuple[str, bool]]) -> Json:
    """Rules that spoke of an input, and whether each let it pass."""
    found: list[Json] = [{"assertion": rule, "success": passed} for rule, passed in told]
    return facet(ASSERTIONS_FACET, assertions=found)


def facet(schema: str, **told: Json) -> Json:
    """A facet with its schema and what it tells."""
    return {"_producer": PRODUCER, "_schemaURL": schema, **told}
