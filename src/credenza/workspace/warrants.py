"""The warrant of every governed use-case: who asks for it, and who approved exactly that."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.canonical import canonical_json
from credenza.core.errors import ConflictError, ForbiddenError, PendingError
from credenza.gate.governance.reading import charter
from credenza.gate.governance.requests import judge, request_named
from credenza.gate.governance.rules import Rules
from credenza.gate.governance.statements import Request, instant, read_request, sign_request
from credenza.gate.journal import Event
from credenza.workspace.keys import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.gate.governance.charter import Charter
    from credenza.gate.governance.statements import Signed
    from credenza.gate.stores import Stores

ALIVE_S = 7 * 24 * 3600
"""A request is void after so long."""


@dataclass(frozen=True, slots=True)
class Acting:
    """On whose word a governed use-case is done.

    Attributes:
        key: a member's private key, who asks for it, as ``key_of`` takes it; or None.
        request: digest of an earlier request, or its first digits, that others approved;
            with a key as well, the key asks for whatever the request does not cover.
    """

    key: Path | str | None = None
    request: str = ""


class Warrants:
    """What lets a use-case happen in a governed workspace, and puts down on whose word.

    Args:
        stores: of the workspace.
        clock: seconds since the epoch.

    Attributes:
        acting: on whose word the next use-cases are done.
    """

    def __init__(self, stores: Stores, clock: Callable[[], int]) -> None:
        self._stores = stores
        self._clock = clock
        self.acting = Acting()

    @contextmanager
    def allow(self, action: str, terms: Mapping[str, Json]) -> Iterator[None]:
        """Let the block happen if the rules allow exactly this, and write down on whose word.

        What the block records first stands in the ledger directly after the request's use;
        both are durable together, or neither. Before a workspace is governed, anything goes.

        Args:
            action: of ``ACTIONS``.
            terms: everything that decides what the block does; digests for content.

        Raises:
            PendingError: it is recorded as a request, and waits for approvals.
            ForbiddenError: the rules do not let this member do it, or nobody acts.
        """
        self._stores.journal.lock()
        known = charter(self._stores)
        if not known.is_governed:
            yield
            return
        with self._stores.journal.warranted(self._warrant(known, action, terms)):
            yield

    def _warrant(self, known: Charter, action: str, terms: Mapping[str, Json]) -> list[Event]:
        """The events that allow it: the request, where it is new, and its use."""
        asking: list[Event] = []
        signed = self._asked_before(known, action, terms)
        if signed is None:
            envelope = self._ask(known, action, terms)
            signed = read_request(envelope, known.keys)
            document: dict[str, Json] = {
                "request": signed.digest,
                "action": action,
                "envelope": envelope.decode("utf-8"),
            }
            asking = [Event("request", document)]
        found = judge(self._stores, known, signed, self._clock())
        if found.allowed:
            used: dict[str, Json] = {
                "request": signed.digest,
                "action": action,
                "approvers": list(found.approvers),
            }
            return [*asking, Event("act", used)]
        if found.needed is None or found.errors:
            raise ForbiddenError(
                "not-allowed",
                f"{found.requester} may not {action.replace('-', ' ')}",
                why="; ".join((*found.errors, *found.rules)) or "no rule permits it",
                fix="`credenza governance show` says who may",
            )
        if asking:
            self._stores.journal.record(asking)
        short = signed.digest[:16]
        raise PendingError(
            "waits-for-approval",
            f"request {short} has {len(found.approvers)} of {found.needed} approvals",
            why="; ".join(found.void)
            or f"who may approve it: {', '.join(found.eligible) or 'nobody of the members'}",
            fix=f"another member runs `credenza approve {short} --as THEIR.key`; then repeat "
            f"the command with `--request {short}` in place of `--as`",
        )

    def _asked_before(
        self, known: Charter, action: str, terms: Mapping[str, Json]
    ) -> Signed | None:
        """The request that is acted on; None where the key is to ask for something else."""
        if not self.acting.request:
            return None
        signed = request_named(known, self.acting.request)
        wrong = _difference(signed.request, action, terms)
        if wrong is None:
            return signed
        if self.acting.key is not None:
            return None
        raise wrong

    def _ask(self, known: Charter, action: str, terms: Mapping[str, Json]) -> bytes:
        if self.acting.key is None:
            raise ForbiddenError(
                "nobody-acts",
                f"this workspace is governed: who asks to {action.replace('-', ' ')}?",
                why=f"{len(known.active)} members are registered, and rules say what each may do",
                fix="add `--as YOUR.key`, or `--request` with what others have approved",
            )
        now = self._clock()
        request = Request(
            action=action,
            terms=terms,
            origin=self._stores.journal.ledger.origin,
            size=known.size,
            rules=Rules(known.rules).digest,
            policy=known.policy_digest,
            nonce=secrets.token_hex(16),
            created=instant(now),
            expires=instant(now + ALIVE_S),
        )
        key = key_of(self.acting.key)
        if key.public not in known.keys:
            raise ForbiddenError(
                "no-member",
                "the key that asks is no member's",
                why=f"its public key is {key.public[:16]}…",
                fix="run `credenza member list`",
            )
        return sign_request(request, key)


def _difference(
    request: Request | None, action: str, terms: Mapping[str, Json]
) -> ConflictError | None:
    """How what is to be done differs from what was asked for; None when it does not."""
    wanted: dict[str, Json] = {"action": action, **terms}
    found: dict[str, Json] = {} if request is None else {"action": request.action}
    found |= {} if request is None else dict(request.terms)
    if canonical_json(wanted) == canonical_json(found):
        return None
    names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    told = [f"{name} is {str(found.get(name))[:60]!r} there" for name in names]
    return ConflictError(
        "another-request",
        "the request is for something else",
        why=", ".join(told),
        fix="repeat the command as it was asked for: see `credenza request show`",
    )
