"""A scan's result as one JSON object: what ``findings.json`` and ``--json`` hold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, SupportsFloat

from credenza.core.types import Role

if TYPE_CHECKING:
    from credenza.scanning.result import ScanResult

SCHEMA = "credenza.scan/1"


def document(result: ScanResult) -> dict[str, object]:
    """The result without its tables.

    Returns:
        ``schema``, ``scanned`` (name, rows, flagged, trusted, fdr, roles), ``findings``
        most surprising first, ``sources``, ``detectors`` that spoke, ``silences``,
        ``notices`` and ``exit_code``; JSON scalars, lists and objects only, NaN as null.
    """
    roles = {name: role.value for name, role in result.roles.items() if role is not Role.IGNORED}
    said = {
        "schema": SCHEMA,
        "scanned": {
            "name": result.name,
            "rows": result.rows.num_rows,
            "flagged": int(result.flagged.sum()),
            "trusted": result.trusted,
            "fdr": result.fdr,
            "roles": roles,
        },
        "findings": [dataclasses.asdict(finding) for finding in result.findings],
        "sources": [dataclasses.asdict(source) for source in result.sources],
        "detectors": sorted(result.heard),
        "silences": [dataclasses.asdict(silence) for silence in result.silences],
        "notices": list(result.notices),
        "exit_code": result.exit_code,
    }
    return {name: _plain(value) for name, value in said.items()}


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if isinstance(value, int):
        return int(value)
    if not isinstance(value, SupportsFloat):
        return str(value)
    number = float(value)
    return number if math.isfinite(number) else None
