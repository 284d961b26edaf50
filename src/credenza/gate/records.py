"""Nouns to JSON and back, for the ledger: integers and strings, no floats.

A float is written as its shortest decimal string, so that the record of a verdict
has one byte string in every language.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from credenza.core.types import Campaign, Finding, Silence, Unit
from credenza.gate.decide import Alarm, Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.core.canonical import Json


def to_json(value: object) -> Json:  # noqa: PLR0911  # one return per kind of value
    """A noun, container or scalar as JSON without floats.

    Outcomes and other enumerations become their lower-case names. Anything that has
    no JSON form becomes its text, because evidence must never fail to be recorded.
    """
    if isinstance(value, Enum):
        return value.name.lower()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):  # a lone surrogate has no UTF-8 form: show it escaped
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [to_json(item) for item in items]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return to_json(value.tolist())
    return str(value)


def finding_from(document: Mapping[str, Json]) -> Finding:
    """The finding that ``to_json`` wrote; floats in its exhibits stay strings."""
    return Finding(
        detector=str(document["detector"]),
        unit=Unit[str(document["unit"]).upper()],
        subjects=_strings(document["subjects"]),
        p_value=float(str(document["p_value"])),
        sentence=str(document["sentence"]),
        exhibits=cast("Mapping[str, object]", document["exhibits"]),
        rows=_integers(document["rows"]),
        names_rows=bool(document.get("names_rows", False)),
    )


def evidence_document(evidence: Evidence) -> dict[str, Json]:
    """What a verdict rested on, such that ``evidence_from`` gives it back.

    Campaigns are left out: they are of a whole window, and stand in its settlement.
    """
    facts = {
        field.name: to_json(getattr(evidence, field.name))
        for field in dataclasses.fields(evidence)
        if field.name not in ("batch", "findings", "silences", "campaigns")
    }
    return {
        "findings": to_json(evidence.findings),
        "silences": to_json(evidence.silences),
        "evidence": facts,
    }


def evidence_from(verdict: Mapping[str, Json], campaigns: Iterable[Campaign]) -> Evidence | None:
    """The evidence behind a recorded verdict; None for records of before it was kept whole.

    Args:
        verdict: the ledger's document.
        campaigns: of its window.
    """
    facts = verdict.get("evidence")
    if not isinstance(facts, dict):
        return None
    told = cast("dict[str, Any]", facts)
    read = {
        "batch": str(verdict["batch"]),
        "flagged_rows": _integers(told["flagged_rows"]),
        "alarms": tuple(map(_alarm_from, told["alarms"])),
        "changed": _strings(told["changed"]),
        "findings": tuple(map(finding_from, cast("Any", verdict["findings"]))),
        "silences": tuple(map(silence_from, cast("Any", verdict["silences"]))),
        "campaigns": tuple(campaigns),
    }
    return Evidence(**{**told, **read})


def _alarm_from(document: Mapping[str, Json]) -> Alarm:
    reach = document.get("reach")
    far = None if reach is None else float(str(reach))
    return Alarm(str(document["lane"]), str(document["sentence"]), far)


def silence_from(document: Mapping[str, Json]) -> Silence:
    """The silence that ``to_json`` wrote."""
    return Silence(str(document["detector"]), str(document["reason"]))


def campaign_from(document: Mapping[str, Json]) -> Campaign:
    """The campaign that ``to_json`` wrote; floats in its evidence stay strings."""
    return Campaign(
        sources=_strings(document["sources"]),
        suspected=_strings(document["suspected"]),
        batches=_strings(document["batches"]),
        statistic=str(document["statistic"]),
        direction=str(document["direction"]),
        window=str(document["window"]),
        p_value=float(str(document["p_value"])),
        removed_common_cause=float(str(document["removed_common_cause"])),
        evidence=cast("Mapping[str, object]", document["evidence"]),
    )


def _strings(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in cast("list[Json]", value))


def _integers(value: Json) -> tuple[int, ...]:
    return tuple(int(cast("int", item)) for item in cast("list[Json]", value))
