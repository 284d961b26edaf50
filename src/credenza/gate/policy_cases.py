"""Try a policy on cases before it is used: those every policy should pass, and yours.

Your cases are a TOML file of tables like::

    [[case]]
    name = "two flagged rows in a small batch"
    flagged_rows = 2
    records = 100
    expect = "admit"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from credenza.core.errors import UsageError
from credenza.core.types import Campaign, Finding, Outcome, Silence, Unit
from credenza.gate.decide import Alarm, Evidence, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.gate.policy import Policy


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, what it should give and what it gave.

    Attributes:
        required: every policy must pass it; others are the user's own.
    """

    name: str
    expected: tuple[Outcome, ...]
    found: Outcome
    required: bool

    @property
    def passed(self) -> bool:
        """Whether the verdict is one of those expected."""
        return self.found in self.expected


MOST_ROWS = 1_000_000
_PLAIN = Evidence(batch="0" * 64, source="case", records=1000)
_CAMPAIGN = Campaign(("case",), (), (), "case", "up", "", 0.001, 0.0)
_STOPS = (Outcome.HOLD, Outcome.QUARANTINE, Outcome.REJECT)

REQUIRED: tuple[tuple[str, Evidence, tuple[Outcome, ...]], ...] = (
    ("a batch without any evidence is admitted", _PLAIN, (Outcome.ADMIT,)),
    (
        "a source named in a campaign does not pass",
        replace(_PLAIN, campaigns=(_CAMPAIGN,)),
        _STOPS,
    ),
    (
        "a payload that a few sources share does not pass",
        replace(
            _PLAIN,
            campaigns=(
                replace(_CAMPAIGN, sources=(), suspected=("case",), evidence={"mark": "case"}),
            ),
        ),
        _STOPS,
    ),
    (
        "what could not be assessed does not pass",
        replace(_PLAIN, silences=(Silence("case", "too few trusted rows"),)),
        _STOPS,
    ),
    (
        "a batch that is mostly flagged does not pass",
        replace(_PLAIN, flagged_rows=tuple(range(900))),
        _STOPS,
    ),
)


def run_cases(policy: Policy, own: bytes | None = None) -> tuple[CaseResult, ...]:
    """Judge every case under ``policy``.

    Args:
        policy: the policy to try.
        own: a TOML file of your own cases, or None.

    Raises:
        UsageError: the file of cases cannot be read.
    """
    required = tuple(
        CaseResult(name, expected, decide(evidence, policy).outcome, required=True)
        for name, evidence, expected in REQUIRED
    )
    return required + tuple(_own_case(case, policy) for case in _read(own))


_FIELDS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "records": lambda value: {"records": int(value)},
    "flagged_rows": lambda value: {"flagged_rows": tuple(range(_count(value)))},
    "vouched": lambda value: {"vouched": bool(value)},
    "late": lambda value: {"late": bool(value)},
    "accepted": lambda value: {"accepted": int(value)},
    "watched_since": lambda value: {"watched_since": str(value)},
    "same_source": lambda value: {"same_source": int(value)},
    "held_for": lambda value: {"held_for": str(value)},
    "alarms": lambda value: {"alarms": tuple(_alarm(lane) for lane in value)},
    "silences": lambda value: {"silences": tuple(Silence(str(name), "case") for name in value)},
    "findings": lambda value: {
        "findings": tuple(
            Finding(str(name), Unit.SOURCE, ("case",), 0.001, "case") for name in value
        )
    },
    "campaign": lambda value: {
        "campaigns": (
            replace(
                _CAMPAIGN,
                sources=("case",) if value == "named" else ("other",) * (value == "suspected"),
                suspected=("case",) if value != "named" else (),
                evidence={"mark": "case"} if value == "payload" else {},
            ),
        )
    },
}


def _count(value: object) -> int:
    number = int(str(value))
    if not 0 <= number <= MOST_ROWS:
        raise ValueError(f"a case has 0 to {MOST_ROWS:,} such rows")
    return number


def _alarm(lane: object) -> Alarm:
    if lane not in ("source", "structure", "common_cause"):
        raise UsageError(
            "bad-case",
            f"no lane is called {lane!r}",
            why="the lanes that alarm are: source, structure, common_cause",
            fix="write it as `credenza policy test --help` says",
        )
    return Alarm(str(lane), "case")


def _own_case(case: Mapping[str, Any], policy: Policy) -> CaseResult:
    name = str(case.get("name", "unnamed"))
    changes: dict[str, Any] = {}
    for key, value in case.items():
        if key in ("name", "expect"):
            continue
        if key not in _FIELDS:
            raise UsageError(
                "bad-case",
                f"case {name!r} has the unknown key {key!r}",
                why=f"the known keys are: {', '.join(['name', 'expect', *_FIELDS])}",
                fix="write it as `credenza policy test --help` says",
            )
        try:
            changes |= _FIELDS[key](value)
        except (ValueError, TypeError, OverflowError) as wrong:
            raise UsageError(
                "bad-case",
                f"case {name!r} gives {key!r} a value that it cannot have",
                why=f"{str(value)[:60]!r}: {wrong}",
                fix="write it as `credenza policy test --help` says",
            ) from wrong
    expect = str(case.get("expect", "")).upper()
    if expect not in Outcome.__members__:
        raise UsageError(
            "bad-case",
            f"case {name!r} expects no known outcome: {expect.lower()!r}",
            why="the outcomes are: admit, hold, quarantine, reject",
            fix="write it as `credenza policy test --help` says",
        )
    found = decide(replace(_PLAIN, **changes), policy).outcome
    return CaseResult(name, (Outcome[expect],), found, required=False)


def _read(own: bytes | None) -> list[dict[str, Any]]:
    if own is None:
        return []
    try:
        cases = tomllib.loads(own.decode("utf-8")).get("case", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise UsageError(
            "bad-case",
            "the file of cases is not TOML",
            why=str(wrong),
            fix="write it as `credenza policy test --help` says",
        ) from wrong
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise UsageError(
            "bad-case",
            "cases must be written as [[case]] tables",
            why="each case is a table of its own",
            fix="write it as `credenza policy test --help` says",
        )
    return cases
