"""What members asked for, and the approvals of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.canonical import sha256_hex
from credenza.core.errors import ConflictError
from credenza.gate.governance.interests import thing_of
from credenza.gate.governance.reading import charter
from credenza.gate.governance.requests import asked, check_approver, request_named
from credenza.gate.governance.rules import Rules
from credenza.gate.governance.statements import instant, look_at, read_approval, sign_approval
from credenza.gate.journal import Event
from credenza.workspace.keys import key_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.gate.governance.requests import Asked
    from credenza.gate.stores import Stores


class Requests:
    """Requests and how far they got; a governed use-case makes them.

    Args:
        stores: of the workspace.
        clock: seconds since the epoch.
    """

    def __init__(self, stores: Stores, clock: Callable[[], int]) -> None:
        self._stores = stores
        self._clock = clock

    def all(self) -> list[Asked]:
        """Everything that was asked for, oldest first, and how far it got."""
        known = charter(self._stores)
        return [
            asked(self._stores, known, signed, self._clock()) for signed in known.requests.values()
        ]

    def show(self, prefix: str) -> Asked:
        """One request by its digest or the first digits of it."""
        known = charter(self._stores)
        signed = request_named(known, prefix)
        return asked(self._stores, known, signed, self._clock())

    def envelope(self, prefix: str) -> bytes:
        """A request as it was signed, to be approved where the approver's key is."""
        return request_named(charter(self._stores), prefix).envelope

    def approve(self, prefix: str, key: Path | str) -> Asked:
        """Approve a request with a member's key, as ``key_of`` takes it."""
        return self.accept(approval_of(self.envelope(prefix), key, self._clock()))

    def accept(self, envelope: bytes) -> Asked:
        """Record an approval, if it counts.

        Raises:
            UntrustedError: it is malformed, or nobody's who is registered.
            ForbiddenError: the rules do not let its signer approve this.
            ConflictError: its signer has approved it already, or it is done.
        """
        self._stores.journal.lock()
        known = charter(self._stores)
        approval = read_approval(envelope, known.keys, self._stores.journal.ledger.origin)
        signed = request_named(known, approval.approves)
        name = known.signer(approval)
        before = asked(self._stores, known, signed, self._clock())
        if before.judgement is None or name in before.judgement.approvers:
            raise ConflictError(
                "nothing-to-approve",
                f"request {signed.digest[:16]} needs no approval of {name}",
                why=before.why or f"it is {before.standing}",
                fix="run `credenza request list`",
            )
        check_approver(
            known,
            Rules(known.rules),
            thing_of(self._stores, known, before.request),
            before.request.action,
            before.requester,
            name,
        )
        document: dict[str, Json] = {
            "request": signed.digest,
            "approval": approval.digest,
            "envelope": envelope.decode("utf-8"),
        }
        self._stores.journal.record([Event("approval", document)])
        return self.show(signed.digest)


def approval_of(envelope: bytes, key: Path | str, time_s: int) -> bytes:
    """A signed approval of a request; made where the key is, it needs no workspace.

    Args:
        envelope: the request as it was signed.
        key: a member's, as ``key_of`` takes it.
        time_s: seconds since the epoch.
    """
    request = look_at(envelope)
    return sign_approval(sha256_hex(envelope), request.origin, instant(time_s), key_of(key))
