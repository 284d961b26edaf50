"""An OpenLineage event: batches in, a released version out.

Source:
    openlineage.io, RunEvent of specification 2-0-2.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from credenza.provenance.exports.released import urn

if TYPE_CHECKING:
    from credenza.core.canonical import Json
    from credenza.provenance.exports.released import Released

PRODUCER = "urn:credenza"
EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
SCHEMA_FACET = "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json"
VERSION_FACET = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json"


def openlineage(released: Released) -> bytes:
    """The event on one line."""
    release = released.release
    event: dict[str, Json] = {
        "eventType": "COMPLETE",
        "eventTime": released.created,
        "producer": PRODUCER,
        "schemaURL": EVENT,
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, urn(released)))},
        "job": {"namespace": released.origin, "name": f"release.{release.dataset}"},
        "inputs": [
            {
                "namespace": f"{released.origin}/{manifest.source}",
                "name": manifest.dataset,
                "facets": {"version": _facet(VERSION_FACET, datasetVersion=digest)},
            }
            for digest, manifest in released.batches
        ],
        "outputs": [
            {
                "namespace": released.origin,
                "name": release.dataset,
                "facets": {
                    "version": _facet(VERSION_FACET, datasetVersion=str(release.version)),
                    "schema": _facet(
                        SCHEMA_FACET,
                        fields=[{"name": name, "type": kind} for name, kind in released.columns],
                    ),
                },
            }
        ],
    }
    return json.dumps(event, ensure_ascii=True).encode() + b"\n"


def _facet(schema: str, **told: Json) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": schema, **told}
