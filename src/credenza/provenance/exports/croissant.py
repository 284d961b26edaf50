"""Croissant with its responsible-AI part: what the data set is, for those who load it.

Source:
    mlcommons.org/croissant 1.0 and Croissant RAI 1.0.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from credenza.provenance.exports.released import licences, sentence, sources, span, urn

if TYPE_CHECKING:
    from credenza.core.canonical import Json
    from credenza.provenance.exports.released import Released

CONTEXT: dict[str, Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES = {
    "integer": "sc:Integer",
    "number": "sc:Float",
    "boolean": "sc:Boolean",
    "text": "sc:Text",
    "date": "sc:Date",
    "instant": "sc:DateTime",
}


def croissant(released: Released) -> bytes:
    """The JSON-LD; columns of a kind that Croissant has no type for are left out."""
    release = released.release
    document: dict[str, Json] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": f"{release.dataset}-v{release.version}",
        "description": sentence(released),
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "license": list(licences(released)) or ["unknown"],
        "url": urn(released),
        "identifier": urn(released),
        "version": f"{release.version}.0.0",
        "datePublished": released.created,
        "creator": [{"@type": "sc:Organization", "name": name} for name in sources(released)],
        "citeAs": urn(released),
        "distribution": [_file(file.name, file.sha256, file.size) for file in release.files],
        "recordSet": [_records(released, file.name) for file in release.files],
        **_responsible(released),
    }
    return json.dumps(document, indent=1, ensure_ascii=True).encode()


def _file(name: str, sha256: str, size: int) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256,
    }


def _records(released: Released, file: str) -> Json:
    fields: list[Json] = [
        {
            "@type": "cr:Field",
            "@id": f"{file}/{number}",
            "name": name,
            "dataType": TYPES[kind],
            "source": {"fileObject": {"@id": file}, "extract": {"column": name}},
        }
        for number, (name, kind) in enumerate(released.columns)
        if kind in TYPES
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": f"rows-of-{file}",
        "name": f"rows-of-{file}",
        "field": fields,
    }


def _responsible(released: Released) -> dict[str, Json]:
    start, end = span(released)
    return {
        "rai:dataCollection": "Batches that registered sources collected and signed: "
        + ", ".join(sources(released)),
        "rai:dataCollectionTimeframe": [start, end] if start else [],
        "rai:dataManipulationProtocol": (
            "Rows that screening flagged, and batches that the policy held or refused, are "
            "not in this release; every decision is in the ledger " + released.origin
        ),
        "rai:dataReleaseMaintenancePlan": (
            "A release can be recalled: ask the gate for its signed list of recalls"
        ),
    }
