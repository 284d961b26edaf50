"""Changes of members and rules: refused where they mean nothing, or would lock everybody out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError, UsageError
from credenza.core.keys import check_public_key, keyid_of
from credenza.gate.governance.charter import Charter, enrol, texts
from credenza.gate.governance.rules import ACTIONS, ROLES, Rules, Thing
from credenza.provenance.roster import SOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.canonical import Json

ESSENTIAL = ("change-members", "change-rules", "release")
"""What somebody must always be able to do: else a workspace is locked for good."""


def check_change(known: Charter, event: Mapping[str, Json], operator: str) -> None:
    """See that a change of members has a meaning, before it is recorded.

    Raises:
        UsageError: it names no person, role or source as they are named; or nobody could
            change members or rules, or release anything, afterwards.
        UntrustedError: a key is unfit, or was another's.
    """
    name, kind = str(event["member"]), event["event"]
    if not SOURCE_ID.match(name):
        raise _unfit(f"{name[:70]!r} is no name: 1 to 64 of a-z, 0-9, '.', '_', '-'")
    present = name in known.active
    if kind == "member-added" and name in known.members:
        raise _unfit(f"{name!r} is registered already, or was")
    if kind != "member-added" and not present:
        raise _unfit(f"no member is called {name!r}")
    roles, keys = texts(event.get("roles")), texts(event.get("keys"))
    if unknown := sorted(set(roles) - set(ROLES)):
        raise _unfit(f"no role is called {unknown[0]!r}; roles are: {', '.join(ROLES)}")
    if kind != "member-removed" and not (roles and keys):
        raise _unfit("a member has at least one key and one role")
    for key in keys:
        taken = known.owners.get(keyid_of(check_public_key(key)), name)
        if taken != name or key == operator:
            whose = "the operator's" if key == operator else f"{taken}'s"
            raise UntrustedError(
                "key-taken",
                f"a key of {name!r} is {whose} already",
                why="approvals are counted by key: one key is one person, for good",
                fix="make a new one with `credenza key new`",
            )
    if known.is_governed:
        then = Charter(members=dict(known.members), owners=dict(known.owners))
        enrol(then, event)
        check_able(then, known.rules)


def check_able(known: Charter, rules: str) -> None:
    """See that the members could still do what is essential under these rules.

    Raises:
        UsageError: they could not.
    """
    for action in ESSENTIAL:
        if not any(able(known, Rules(rules), action)):
            raise UsageError(
                "locked-out",
                f"with these members and rules nobody could {action.replace('-', ' ')}",
                why=f"members: {_crew(known) or 'none'}",
                fix="add members with the roles it takes: see `credenza governance show`",
            )


def able(known: Charter, rules: Rules, action: str) -> list[tuple[str, int, tuple[str, ...]]]:
    """Who may ask for an action, how many must approve, and who may: where these suffice."""
    thing, found = Thing(ACTIONS[action], "any"), []
    for name in known.active:
        needed = rules.approvals_needed(name, action, thing, known.roles)
        others = tuple(
            other
            for other in known.active
            if other != name and rules.may_approve(other, action, thing, known.roles, name).allowed
        )
        if needed is not None and needed <= len(others):
            found.append((name, needed, others))
    return found


def _crew(known: Charter) -> str:
    return ", ".join(f"{name} ({' '.join(roles)})" for name, roles in known.roles.items())


def _unfit(what: str) -> UsageError:
    return UsageError(
        "bad-member",
        what,
        why="a member is on record by the name that was given to `credenza member add`",
        fix="run `credenza member list`",
    )
