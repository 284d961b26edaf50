"""A playbook is a TOML file: what is done by itself, what by people, and who is told when.

Automatic steps name a verb of ``credenza.response.builtin``; manual ones say what would
prove them. What a playbook asked for is copied into the incident when it is opened, so a
later edition changes no incident that is under way.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from credenza.core.errors import NotFoundError, UsageError
from credenza.response.incident import ORDER, Escalation, State, Step, severity_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from credenza.response.incident import Severity

SCHEMA = "credenza.playbook/1"
_KNOWN = {"schema", "name", "title", "severity", "step", "escalation"}
_STEP = {"id", "phase", "does", "says", "proof", "waivable"}
_ESCALATION = {"id", "state", "after_h", "severity", "tell"}


@dataclass(frozen=True, slots=True)
class Playbook:
    """How one kind of incident is answered.

    Attributes:
        severity: what an incident of it begins with.
    """

    name: str
    title: str
    severity: Severity
    steps: tuple[Step, ...]
    escalations: tuple[Escalation, ...]


def shipped() -> dict[str, bytes]:
    """The playbooks that come with credenza: name to text."""
    folder = files("credenza.response") / "playbooks"
    return {
        one.name.removesuffix(".toml"): one.read_bytes()
        for one in sorted(folder.iterdir(), key=lambda one: one.name)
        if one.name.endswith(".toml")
    }


def playbook(name: str, verbs: Collection[str], own: bytes | None = None) -> Playbook:
    """The shipped playbook of that name, or one's own.

    Raises:
        NotFoundError: none is called that.
        UsageError: it has an unknown key, phase, state or verb.
    """
    if own is not None:
        return read_playbook(own, verbs)
    known = shipped()
    if name not in known:
        raise NotFoundError(
            "no-such-playbook",
            f"no playbook is called {name[:60]!r}",
            why=f"the known ones are: {', '.join(known)}",
            fix="name one of these, or give your own with --own",
        )
    return read_playbook(known[name], verbs)


def read_playbook(data: bytes, verbs: Collection[str]) -> Playbook:
    """Read a playbook and check every key, phase and verb.

    Raises:
        UsageError: with what is wrong and what was expected.
    """
    try:
        tree = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise _bad("the file is not TOML", str(wrong)) from wrong
    if tree.get("schema") != SCHEMA:
        raise _bad("the schema is missing or unknown", f"expected schema = {SCHEMA!r}")
    _check_keys(tree, _KNOWN, "the playbook")
    steps = tuple(_step(one, verbs) for one in tree.get("step", []))
    escalations = tuple(_escalation(one) for one in tree.get("escalation", []))
    _check_unique([*(one.id for one in steps), *(one.id for one in escalations)])
    if {step.phase for step in steps} < {State.CONTAINED, State.ERADICATED, State.RECOVERED}:
        raise _bad(
            "a playbook must say how to contain, eradicate and recover",
            "a phase without steps would be reached by saying so",
        )
    return Playbook(
        str(tree.get("name", "")),
        str(tree.get("title", "")),
        severity_of(tree.get("severity", "high")),
        steps,
        escalations,
    )


def _step(found: Any, verbs: Collection[str]) -> Step:  # noqa: ANN401 - as TOML has it
    _check_keys(found, _STEP, "a step")
    does, proof = str(found.get("does", "")), str(found.get("proof", ""))
    name = str(found.get("id", ""))
    if does and does not in verbs:
        raise _bad(
            f"step {name!r} does {does!r}, which nothing does",
            f"the known verbs are: {', '.join(sorted(verbs))}",
        )
    if bool(does) == bool(proof):
        raise _bad(
            f"step {name!r} must have either a verb or a proof",
            "an automatic step is proved by its verb, a manual one by what a person brings",
        )
    waivable = found.get("waivable", True)
    if not isinstance(waivable, bool):
        raise _bad(f"step {name!r}: waivable is {waivable!r}", "expected true or false")
    phase = _state(found.get("phase"))
    return Step(name, phase, does, str(found.get("says", "")), proof, waivable)


def _escalation(found: Any) -> Escalation:  # noqa: ANN401 - as TOML has it
    _check_keys(found, _ESCALATION, "an escalation")
    hours = found.get("after_h")
    if not isinstance(hours, (int, float)) or isinstance(hours, bool) or hours <= 0:
        raise _bad(f"after_h = {hours!r}", "expected a number of hours above 0")
    return Escalation(
        str(found.get("id", "")),
        _state(found.get("state")),
        int(hours * 3600),
        severity_of(found.get("severity")),
        str(found.get("tell", "")),
    )


def _state(value: object) -> State:
    if value not in list(State):
        raise _bad(f"{value!r} is no state", f"the states are: {', '.join(ORDER)}")
    return State(str(value))


def _check_keys(found: Any, known: set[str], what: str) -> None:  # noqa: ANN401 - as TOML has it
    if not isinstance(found, dict):
        raise _bad(f"{what} must be a table", f"it is {found!r}")
    if unknown := sorted(set(found) - known):
        raise _bad(
            f"{what} has the unknown key {unknown[0]!r}",
            f"the known ones are: {', '.join(sorted(known))}",
        )


def _check_unique(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name or name in seen:
            raise _bad(f"the id {name!r} is missing or given twice", "steps are named by their id")
        seen.add(name)


def _bad(what: str, why: str) -> UsageError:
    return UsageError(
        "bad-playbook",
        what,
        why=why,
        fix="copy a shipped playbook, and change that",
    )
