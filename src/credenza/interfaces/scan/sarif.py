"""A scan as SARIF 2.1.0, for code-scanning dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote as percent_encoded

from credenza.interfaces.cli.terminal import plain

if TYPE_CHECKING:
    from credenza.core.types import Finding
    from credenza.scanning.result import ScanResult

MAX_LOCATIONS = 100
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(result: ScanResult, *, version: str) -> dict[str, object]:
    """One run: a rule per detector, a result per finding, a notification per silence.

    Rows are logical locations, because a row of Parquet has no line. Messages are plain
    text in which every unsafe character is an escape, and a bracket cannot make a link.
    """
    rules = sorted({finding.detector for finding in result.findings})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "credenza",
                        "version": version,
                        "rules": [{"id": rule, "name": rule} for rule in rules],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": result.exit_code != 4,
                        "toolExecutionNotifications": [
                            {
                                "level": "warning",
                                "message": {"text": _text(f"{one.detector}: {one.reason}")},
                            }
                            for one in result.silences
                        ],
                    }
                ],
                "results": [_result(finding, result.name, rules) for finding in result.findings],
            }
        ],
    }


def _result(finding: Finding, name: str, rules: list[str]) -> dict[str, object]:
    artifact = {"artifactLocation": {"uri": percent_encoded(name, safe="")}}
    rows = finding.rows[:MAX_LOCATIONS]
    located: list[dict[str, object]] = [
        {
            "physicalLocation": artifact,
            "logicalLocations": [{"name": f"row {row}", "kind": "element"}],
        }
        for row in rows
    ]
    return {
        "ruleId": finding.detector,
        "ruleIndex": rules.index(finding.detector),
        "level": "error" if finding.names_rows else "warning",
        "message": {"text": _text(finding.sentence)},
        "locations": located or [{"physicalLocation": artifact}],
        "properties": {
            "unit": finding.unit.value,
            "rows": len(finding.rows),
            "pValue": finding.p_value,
            "subjects": [plain(subject) for subject in finding.subjects[:MAX_LOCATIONS]],
        },
    }


def _text(value: str) -> str:
    return plain(value, limit=2_000).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
