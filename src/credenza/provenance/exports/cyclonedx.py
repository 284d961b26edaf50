"""A bill of materials: the data set as a component, its files and batches as its parts.

Source:
    cyclonedx.org, specification 1.6, "ML-BOM".
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from credenza.provenance.exports.released import licences, sentence, sources, urn

if TYPE_CHECKING:
    from credenza.core.canonical import Json
    from credenza.core.types import FileDigest, Manifest
    from credenza.provenance.exports.released import Released


def cyclonedx(released: Released) -> bytes:
    """The bill of materials as JSON."""
    release = released.release
    batches = [_batch(digest, manifest) for digest, manifest in released.batches]
    files = [_file(file) for file in release.files]
    parts = [f"batch:{digest}" for digest, _ in released.batches]
    parts += [f"file:{file.sha256}" for file in release.files]
    document: dict[str, Json] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, urn(released))}",
        "version": 1,
        "metadata": {
            "timestamp": released.created,
            "component": _component(released),
        },
        "components": [*files, *batches],
        "dependencies": [{"ref": urn(released), "dependsOn": [*parts]}],
    }
    return json.dumps(document, indent=1, ensure_ascii=True).encode()


def _component(released: Released) -> Json:
    """The dataset itself, as data with its owners."""
    release = released.release
    return {
        "type": "data",
        "bom-ref": urn(released),
        "name": release.dataset,
        "version": str(release.version),
        "description": sentence(released),
        "licenses": _licences(licences(released)),
        "data": [
            {
                "type": "dataset",
                "name": release.dataset,
                "description": sentence(released),
                "governance": {
                    "owners": [{"organization": {"name": name}} for name in sources(released)]
                },
            }
        ],
        "properties": _properties(
            {
                "rows": str(release.rows),
                "policy": release.policy,
                "gate": released.gate,
                "ledger": released.origin,
            }
        ),
    }


def _file(file: FileDigest) -> Json:
    return {
        "type": "file",
        "bom-ref": f"file:{file.sha256}",
        "name": file.name,
        "hashes": [{"alg": "SHA-256", "content": file.sha256}],
    }


def _batch(digest: str, manifest: Manifest) -> Json:
    told = {"records": str(manifest.records), "row-root": manifest.row_root}
    return {
        "type": "data",
        "bom-ref": f"batch:{digest}",
        "name": f"{manifest.source}/{manifest.dataset}",
        "version": str(manifest.sequence),
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "licenses": _licences([manifest.licence] if manifest.licence else []),
        "properties": _properties(told),
    }


def _licences(names: tuple[str, ...] | list[str]) -> list[Json]:
    """By name: what a sender wrote may be no SPDX id, and the schema refuses unknown ones."""
    return [{"license": {"name": name}} for name in names]


def _properties(told: dict[str, str]) -> list[Json]:
    return [{"name": f"credenza:{name}", "value": value} for name, value in told.items()]
