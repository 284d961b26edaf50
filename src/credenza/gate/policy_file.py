"""A policy is a TOML file with a schema and a digest; unknown keys raise."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from functools import cache
from importlib.resources import files
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from credenza.core.canonical import sha256_hex
from credenza.core.errors import UsageError
from credenza.core.types import Outcome
from credenza.gate.policy import (
    DEFAULT_DETECTORS,
    Budget,
    DiversityRule,
    Lanes,
    Outcomes,
    Policy,
    QuarantineRule,
    Quota,
    ReconcileRule,
    ReleaseRule,
    SourcesRule,
    WindowRule,
)
from credenza.provenance.manifest import PROVENANCE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "credenza.policy/1"

_SECTIONS: Mapping[str, type[Any]] = {
    "window": WindowRule,
    "budget": Budget,
    "outcomes": Outcomes,
    "lanes": Lanes,
    "reconcile": ReconcileRule,
    "diversity": DiversityRule,
    "quota": Quota,
    "sources": SourcesRule,
    "quarantine": QuarantineRule,
    "release": ReleaseRule,
}

BOUNDS: Mapping[str, tuple[float, float]] = {
    "window.days": (0, 366),
    "window.reference": (1, 10_000),
    "window.calibration": (1, 10_000),
    "window.probation": (0, 1_000),
    "budget.rows": (0.0, 0.5),
    "budget.fdr": (1e-6, 0.5),
    "budget.campaign_rate": (1e-4, 0.5),
    "budget.batch_rows": (0.0, 1.0),
    "lanes.source": (4.5, 100.0),
    "lanes.common_cause": (1.0, 100.0),
    "reconcile.spreads": (1.0, 1000.0),
    "diversity.window_share": (0.01, 1.0),
    "diversity.leverage_share": (0.01, 1.0),
    "diversity.dataset_share": (0.01, 1.0),
    "diversity.slice_share": (0.01, 1.0),
    "diversity.dominant": (0.01, 1.0),
    "quota.batches": (1, 10**9),
    "quota.rows": (1, 10**15),
    "quota.bytes": (1, 10**18),
    "quota.findings": (1, 10**9),
    "sources.probation": (0, 10_000),
    "quarantine.expire_days": (0, 10_000),
    "quarantine.backlog_batches": (0, 10**9),
    "quarantine.backlog_days": (0, 10_000),
    "release.certified_against": (0, 10_000),
    "release.certified_accuracy": (0.0, 1.0),
}
"""Least and greatest value of each setting, beyond which it has no meaning."""
_OF_NUMBERS = frozenset({"window.cycles"})
LONGEST_CYCLE, MOST_CYCLES = 400, 3


@cache
def shipped_policy() -> str:
    """The policy that a workspace starts with."""
    return files("credenza.gate").joinpath("policy.toml").read_text("utf-8")


def load_policy(data: bytes) -> Policy:
    """Read a policy and check every key, type and range.

    Raises:
        UsageError: with the key, its value, and what was expected.
    """
    try:
        tree = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise _bad("the file is not TOML", str(wrong)) from wrong
    if tree.pop("schema", None) != SCHEMA:
        raise _bad("the schema is missing or unknown", f"expected schema = {SCHEMA!r}")
    known = {*_SECTIONS, "detectors", "campaigns"}
    if unknown := sorted(set(tree) - known):
        raise _bad(f"unknown key {unknown[0]!r}", f"the known keys are: {', '.join(sorted(known))}")
    detectors = tree.get("detectors", list(DEFAULT_DETECTORS))
    if not isinstance(detectors, list) or not all(isinstance(name, str) for name in detectors):
        raise _bad("'detectors' must be a list of names", f"it is {detectors!r}")
    campaigns = tree.get("campaigns", True)
    if not isinstance(campaigns, bool):
        raise _bad("'campaigns' must be true or false", f"it is {campaigns!r}")
    policy = Policy(
        digest=sha256_hex(data),
        **{name: _section(kind, tree.get(name, {}), name) for name, kind in _SECTIONS.items()},
        detectors=tuple(detectors),
        campaigns=campaigns,
    )
    _check_ranges(policy)
    return policy


def _section(kind: type[Any], found: object, name: str) -> Any:  # noqa: ANN401  # one of the sections
    """Fill a section's dataclass from a table, field by field and typed by the defaults."""
    if not isinstance(found, dict):
        raise _bad(f"[{name}] must be a table", f"it is {found!r}")
    known = {entry.name: getattr(kind(), entry.name) for entry in fields(kind)}
    if unknown := sorted(set(found) - set(known)):
        raise _bad(
            f"unknown key {unknown[0]!r} in [{name}]", f"the known keys are: {', '.join(known)}"
        )
    return kind(**{key: _typed(value, known[key], f"{name}.{key}") for key, value in found.items()})


def _typed(value: object, default: object, key: str) -> object:
    if isinstance(default, Outcome):
        names = {outcome.name.lower(): outcome for outcome in Outcome}
        if value not in names:
            raise _bad(f"{key} = {value!r} is no outcome", f"outcomes are: {', '.join(names)}")
        return names[str(value)]
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, dict) and isinstance(value, dict):
        if all(isinstance(item, str) for item in value.values()):
            return value
        raise _bad(f"{key} = {value!r} has the wrong type", "expected names by rule")
    if isinstance(default, tuple) and isinstance(value, list):
        kind, called = (int, "whole numbers") if key in _OF_NUMBERS else (str, "names")
        if all(type(item) is kind for item in value):
            return tuple(value)
        raise _bad(f"{key} = {value!r} has the wrong type", f"expected a list of {called}")
    if type(value) is not type(default):
        raise _bad(f"{key} = {value!r} has the wrong type", f"expected {type(default).__name__}")
    return value


def _check_ranges(policy: Policy) -> None:
    for key, (low, high) in BOUNDS.items():
        value = attrgetter(key)(policy)
        if not low <= value <= high:
            raise _bad(f"{key} = {value} is out of range", f"expected {low} to {high}")
    cycles = policy.window.cycles
    if len(set(cycles)) > MOST_CYCLES or not all(2 <= one <= LONGEST_CYCLE for one in cycles):
        raise _bad(
            f"window.cycles = {list(cycles)} is out of range",
            f"expected at most {MOST_CYCLES} lengths, of 2 to {LONGEST_CYCLE} windows each",
        )
    if len(set(cycles)) < len(cycles):
        raise _bad(f"window.cycles = {list(cycles)} names a cycle twice", "each counts once")
    if bool(policy.reconcile.key) != bool(policy.reconcile.values):
        raise _bad("[reconcile] needs both 'key' and 'values'", "one of them is empty")
    if strangers := sorted(set(policy.sources.review_again) - PROVENANCE_FIELDS):
        raise _bad(
            f"sources.review_again names {strangers[0]!r}, which no manifest declares",
            f"the fields are: {', '.join(sorted(PROVENANCE_FIELDS))}",
        )


def _bad(what: str, why: str) -> UsageError:
    return UsageError("bad-policy", what, why=why, fix="see `credenza policy show` for a whole one")
