"""The people of a workspace, the keys that are theirs alone, and their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import UsageError
from credenza.gate.governance.changes import check_change
from credenza.gate.governance.reading import charter
from credenza.gate.journal import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.canonical import Json
    from credenza.gate.governance.charter import Member
    from credenza.gate.stores import Stores
    from credenza.workspace.warrants import Warrants


class Members:
    """Who is registered; in a governed workspace, changes take the approvals they need.

    Args:
        stores: of the workspace.
        warrants: that a change takes.
        operator: the operator's public key, which is nobody's own.
    """

    def __init__(self, stores: Stores, warrants: Warrants, operator: str) -> None:
        self._stores = stores
        self._warrants = warrants
        self._operator = operator

    def all(self) -> tuple[Member, ...]:
        """Everybody who is registered now, by name."""
        known = charter(self._stores).active
        return tuple(known[name] for name in sorted(known))

    def add(
        self, name: str, keys: Sequence[str], roles: Sequence[str], sources: Sequence[str] = ()
    ) -> Member:
        """Register a person and the public keys (64 hex digits each) that are theirs alone."""
        return self._enrol("member-added", name, keys, roles, sources)

    def change(
        self, name: str, keys: Sequence[str], roles: Sequence[str], sources: Sequence[str] = ()
    ) -> Member:
        """Give a member other keys, roles and sources; what is empty stays as it is."""
        before = charter(self._stores).active.get(name)
        if before is None:
            raise UsageError(
                "bad-member",
                f"no member is called {name!r}",
                why="members are known by the names they were added under",
                fix="run `credenza member list`",
            )
        return self._enrol(
            "member-changed",
            name,
            keys or before.keys,
            roles or before.roles,
            sources or before.sources,
        )

    def remove(self, name: str, reason: str) -> None:
        """Take a person's word away, for what they approved and was not done yet as well."""
        if not reason.strip():
            raise UsageError(
                "no-reason",
                "removing a member needs a reason",
                why="the ledger keeps why somebody's word stopped counting",
                fix="add --reason",
            )
        self._record({"event": "member-removed", "member": name, "reason": reason})

    def _enrol(
        self,
        event: str,
        name: str,
        keys: Sequence[str],
        roles: Sequence[str],
        sources: Sequence[str],
    ) -> Member:
        self._record(
            {
                "event": event,
                "member": name,
                "keys": list(keys),
                "roles": [*sorted(set(roles))],
                "sources": [*sorted(set(sources))],
            }
        )
        return charter(self._stores).members[name]

    def _record(self, document: dict[str, Json]) -> None:
        self._stores.journal.lock()
        check_change(charter(self._stores), document, self._operator)
        with self._warrants.allow("change-members", document):
            self._stores.journal.record([Event("member", document)])
