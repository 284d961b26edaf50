"""Rules of governance in Cedar: checked when they are loaded, and denied where they err."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from credenza.core.canonical import sha256_hex
from credenza.core.errors import UsageError
from credenza.core.extras import needs_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROLES = ("contributor", "reviewer", "steward", "auditor", "admin")
ACTIONS: Mapping[str, str] = {
    "submit": "Source",
    "add-source": "Source",
    "change-source": "Source",
    "freeze-source": "Source",
    "clear-source": "Source",
    "admit": "Batch",
    "reject": "Batch",
    "reopen": "Batch",
    "release": "Dataset",
    "rollback": "Dataset",
    "recall": "Dataset",
    "excise": "Dataset",
    "move-channel": "Dataset",
    "roll-back-channel": "Dataset",
    "declare-clean": "Incident",
    "close-incident": "Incident",
    "change-policy": "Workspace",
    "change-rules": "Workspace",
    "change-members": "Workspace",
    "follow-ring": "Workspace",
}
"""What can be asked for, and the kind of thing it is done to; the schema has the same."""

MAX_RULES_BYTES = 256 * 1024
MOST_APPROVALS = 4
"""So many approvals are tried when it is asked how many a thing needs."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What an action is done to.

    Attributes:
        kind: a type of the schema, such as "Dataset".
        owners: names of members with an interest in it.
        within: kind and name of what it belongs to.
    """

    kind: str
    name: str
    owners: frozenset[str] = frozenset()
    within: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say to one question.

    Attributes:
        allowed: Cedar allows it *and* no rule failed while it was evaluated.
        rules: the rules that decided, by their ``@id``.
        errors: rules that failed; Cedar itself skips these, a ``forbid`` too.
    """

    allowed: bool
    rules: tuple[str, ...]
    errors: tuple[str, ...]


class Rules:
    """A set of Cedar policies that fits the schema.

    Args:
        text: Cedar.

    Raises:
        UsageError: it does not parse or does not fit, or Cedar is not installed.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = sha256_hex(text.encode("utf-8"))
        cedar = _cedar()
        if len(text.encode("utf-8")) > MAX_RULES_BYTES:
            raise _bad(f"they are longer than {MAX_RULES_BYTES} bytes")
        checked = cedar.validate_policies(text, shipped_schema())
        if not checked.validation_passed:
            raise _bad("; ".join(str(error) for error in checked.errors[:3]))
        self._policies = cedar.PolicySet.from_str(text)
        self._schema = cedar.Schema.from_str(shipped_schema())

    def may_do(
        self,
        member: str,
        action: str,
        thing: Thing,
        roles: Mapping[str, Iterable[str]],
        approvals: int,
    ) -> Ruling:
        """Whether ``member`` may do it, with so many valid approvals of others.

        Args:
            member: who asks.
            action: one of ``ACTIONS``.
            thing: to what.
            roles: the roles of every member by name.
            approvals: of others, each of whom ``may_approve``.
        """
        return self._ask(member, action, thing, roles, {"approvals": approvals})

    def may_approve(
        self,
        member: str,
        action: str,
        thing: Thing,
        roles: Mapping[str, Iterable[str]],
        requester: str,
    ) -> Ruling:
        """Whether ``member``'s word counts for what ``requester`` asks for."""
        context = {"requester": {"__entity": {"type": "Member", "id": requester}}}
        return self._ask(member, f"approve-{action}", thing, roles, context)

    def approvals_needed(
        self, member: str, action: str, thing: Thing, roles: Mapping[str, Iterable[str]]
    ) -> int | None:
        """The least number of approvals with which ``member`` may do it; None: no number."""
        for approvals in range(MOST_APPROVALS + 1):
            if self.may_do(member, action, thing, roles, approvals).allowed:
                return approvals
        return None

    def _ask(
        self,
        member: str,
        action: str,
        thing: Thing,
        roles: Mapping[str, Iterable[str]],
        context: dict[str, Any],
    ) -> Ruling:
        answer = _cedar().is_authorized(
            {
                "principal": {"type": "Member", "id": member},
                "action": {"type": "Action", "id": action},
                "resource": {"type": thing.kind, "id": thing.name},
                "context": json.dumps(context),
            },
            self._policies,
            _entities(thing, roles),
            schema=self._schema,
        )
        told = answer.diagnostics
        named = told.id_annotations_by_reason
        return Ruling(
            bool(answer.allowed) and not told.errors,
            tuple(str(named.get(rule) or rule) for rule in told.reasons),
            tuple(str(error) for error in told.errors),
        )


@cache
def shipped_rules() -> str:
    """The rules that a workspace starts with."""
    return _shipped("governance.cedar")


@cache
def shipped_schema() -> str:
    """What rules may speak of."""
    return _shipped("governance.cedarschema")


def _shipped(name: str) -> str:
    return files("credenza.gate.governance").joinpath(name).read_text("utf-8")


def _entities(thing: Thing, roles: Mapping[str, Iterable[str]]) -> list[dict[str, Any]]:
    members = [
        _entity("Member", name, within=[("Role", role) for role in held])
        for name, held in roles.items()
    ]
    owners = [{"__entity": {"type": "Member", "id": name}} for name in sorted(thing.owners)]
    around = [_entity(kind, name, attrs={"owners": []}) for kind, name in thing.within]
    what = _entity(thing.kind, thing.name, attrs={"owners": owners}, within=thing.within)
    return [*members, *around, what]


def _entity(
    kind: str,
    name: str,
    *,
    attrs: Mapping[str, Any] | None = None,
    within: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    return {
        "uid": {"type": kind, "id": name},
        "attrs": dict(attrs or {}),
        "parents": [{"type": kind, "id": name} for kind, name in within],
    }


def _cedar() -> Any:  # noqa: ANN401  # the package has no types
    with needs_extra("gate", "a governed workspace"):
        import cedarpy  # noqa: PLC0415 - only governed workspaces need it
    return cedarpy


def _bad(why: str) -> UsageError:
    return UsageError(
        "bad-rules",
        "these rules of governance cannot be used",
        why=why,
        fix="compare them with the shipped ones: `credenza governance show --rules`",
    )
