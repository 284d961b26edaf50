"""Governance: the use-cases of members, requests and approvals, and the warrant of all others."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.canonical import canonical_json, sha256_hex
from credenza.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PendingError,
    UsageError,
)
from credenza.gate import governance, questions
from credenza.gate.approvals import (
    Request,
    instant,
    look_at,
    read_approval,
    read_request,
    sign_approval,
    sign_request,
)
from credenza.gate.governance_audit import audit_warrants
from credenza.gate.governance_rules import ACTIONS, Rules, shipped_rules
from credenza.gate.journal import Event
from credenza.gate.policy import load_policy
from credenza.gate.replay import judged_since, others, policy_recorded, replay, weigh
from credenza.workspace import home as homes
from credenza.workspace.keys import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.gate.governance import Asked, Charter, Member
    from credenza.gate.governance_audit import WarrantAudit
    from credenza.gate.policy import Policy
    from credenza.gate.replay import Other, Replay, Weighing
    from credenza.gate.stores import Stores

POLICY_FILE = "policy.toml"
RULES_FILE = "governance.cedar"
ALIVE_S = 7 * 24 * 3600
"""A request is void after so long."""


@dataclass(frozen=True, slots=True)
class Acting:
    """On whose word a governed use-case is done.

    Attributes:
        key: a member's private key, who asks for it, as ``key_of`` takes it; or None.
        request: digest of an earlier request, or its first digits, that others approved.
    """

    key: Path | str | None = None
    request: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a workspace is governed.

    Attributes:
        is_governed: else one person may do everything.
        rules: text of the rules in force, or of those that would be.
        able: by action: who may ask, how many must approve, and who may.
        drafts: files that differ from what is in force.
    """

    is_governed: bool
    members: tuple[Member, ...]
    rules: str
    able: Mapping[str, Sequence[tuple[str, int, tuple[str, ...]]]]
    drafts: tuple[str, ...]


class Governance:
    """Who may do what in a workspace; reached as ``workspace.governance``.

    Args:
        stores: of the workspace.
        home: its directory, where the drafts of policy and rules lie.
        clock: seconds since the epoch.
        operator: the operator's public key, which is nobody's own.

    Attributes:
        acting: on whose word the next use-cases are done.
    """

    def __init__(
        self, stores: Stores, home: Path, clock: Callable[[], float], operator: str
    ) -> None:
        self._stores = stores
        self._home = home
        self._clock = clock
        self._operator = operator
        self.acting = Acting()

    # -- the warrant

    @contextmanager
    def warrant(self, action: str, terms: Mapping[str, Json]) -> Iterator[None]:
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
        known = governance.charter(self._stores)
        if not known.is_governed:
            yield
            return
        with self._stores.journal.warranted(self._warrant(known, action, terms)):
            yield

    def _warrant(self, known: Charter, action: str, terms: Mapping[str, Json]) -> list[Event]:
        """The events that allow it: the request, where it is new, and its use."""
        asking: list[Event] = []
        if self.acting.request:
            signed = governance.request_named(known, self.acting.request)
            self._same(signed.request, action, terms)
        else:
            envelope = self._ask(known, action, terms)
            signed = read_request(envelope, known.keys)
            document: dict[str, Json] = {
                "request": signed.digest,
                "action": action,
                "envelope": envelope.decode("utf-8"),
            }
            asking = [Event("request", document)]
        found = governance.judge(self._stores, known, signed, self._now())
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

    def _ask(self, known: Charter, action: str, terms: Mapping[str, Json]) -> bytes:
        if self.acting.key is None:
            raise ForbiddenError(
                "nobody-acts",
                f"this workspace is governed: who asks to {action.replace('-', ' ')}?",
                why=f"{len(known.active)} members are registered, and rules say what each may do",
                fix="add `--as YOUR.key`, or `--request` with what others have approved",
            )
        now = self._now()
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

    @staticmethod
    def _same(request: Request | None, action: str, terms: Mapping[str, Json]) -> None:
        """See that what is to be done is what was asked for."""
        wanted: dict[str, Json] = {"action": action, **terms}
        found: dict[str, Json] = {} if request is None else {"action": request.action}
        found |= {} if request is None else dict(request.terms)
        if canonical_json(wanted) != canonical_json(found):
            names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
            told = [f"{name} is {str(found.get(name))[:60]!r} there" for name in names]
            raise ConflictError(
                "another-request",
                "the request is for something else",
                why=", ".join(told),
                fix="repeat the command as it was asked for: see `credenza request show`",
            )

    # -- members

    def members(self) -> tuple[Member, ...]:
        """Everybody who is registered now, by name."""
        known = governance.charter(self._stores).active
        return tuple(known[name] for name in sorted(known))

    def add_member(
        self, name: str, keys: Sequence[str], roles: Sequence[str], sources: Sequence[str] = ()
    ) -> Member:
        """Register a person and the public keys (64 hex digits each) that are theirs alone."""
        return self._change("member-added", name, keys, roles, sources)

    def change_member(
        self, name: str, keys: Sequence[str], roles: Sequence[str], sources: Sequence[str] = ()
    ) -> Member:
        """Give a member other keys, roles and sources; what is empty stays as it is."""
        before = governance.charter(self._stores).active.get(name)
        if before is None:
            raise UsageError("bad-member", f"no member is called {name!r}")
        return self._change(
            "member-changed",
            name,
            keys or before.keys,
            roles or before.roles,
            sources or before.sources,
        )

    def remove_member(self, name: str, reason: str) -> None:
        """Take a person's word away, for what they approved and was not done yet as well."""
        if not reason.strip():
            raise UsageError("no-reason", "removing a member needs a reason", fix="add --reason")
        self._record_change({"event": "member-removed", "member": name, "reason": reason})

    def _change(
        self,
        event: str,
        name: str,
        keys: Sequence[str],
        roles: Sequence[str],
        sources: Sequence[str],
    ) -> Member:
        self._record_change(
            {
                "event": event,
                "member": name,
                "keys": list(keys),
                "roles": [*sorted(set(roles))],
                "sources": [*sorted(set(sources))],
            }
        )
        return governance.charter(self._stores).members[name]

    def _record_change(self, document: dict[str, Json]) -> None:
        self._stores.journal.lock()
        governance.check_change(governance.charter(self._stores), document, self._operator)
        with self.warrant("change-members", document):
            self._stores.journal.record([Event("member", document)])

    # -- rules and policy

    def standing(self) -> Standing:
        """How the workspace is governed, who may do what, and with how many others."""
        known = governance.charter(self._stores)
        text = known.rules or self._rules_draft()
        rules = Rules(text)
        drafts = []
        if known.is_governed:
            files = ((POLICY_FILE, self.policy_draft(), known.policy), (RULES_FILE, b"", text))
            drafts = [
                name
                for name, data, used in files
                if (data or self._rules_draft().encode("utf-8")) != used.encode("utf-8")
            ]
        return Standing(
            known.is_governed,
            self.members(),
            text,
            {action: governance.able(known, rules, action) for action in ACTIONS},
            tuple(drafts),
        )

    @property
    def is_governed(self) -> bool:
        """Whether rules say who may do what; else one person may do everything."""
        return governance.charter(self._stores).is_governed

    def start(self) -> Standing:
        """Begin to govern: from here on the rules say who may do what.

        Raises:
            UsageError: the members could not change members or rules, or release anything.
            ConflictError: it is governed already.
        """
        self.recorded_policy()
        known = governance.charter(self._stores)
        if known.is_governed:
            raise ConflictError("governed-already", "this workspace is governed already")
        self._put_in_force(self._rules_draft())
        return self.standing()

    def adopt_rules(self, path: Path | None = None) -> Standing:
        """Put other rules in force: a file, or the workspace's own edited ``governance.cedar``.

        Raises:
            UsageError: they do not fit the schema, would lock the workspace, or it is not
                governed yet and needs no adoption.
        """
        if not governance.charter(self._stores).is_governed:
            raise UsageError(
                "not-governed",
                "this workspace is not governed yet",
                why="its governance.cedar is what `governance start` will put in force",
                fix="edit that file, then run `credenza governance start`",
            )
        text = (homes.read_file(path) if path else self._rules_draft().encode()).decode("utf-8")
        terms: dict[str, Json] = {"digest": Rules(text).digest, "text": text}
        with self.warrant("change-rules", terms):
            self._put_in_force(text)
        return self.standing()

    def _put_in_force(self, text: str) -> None:
        governance.check_able(governance.charter(self._stores), text)
        document: dict[str, Json] = {"digest": Rules(text).digest, "text": text}
        self._stores.journal.record([Event("charter", document)])
        (self._home / RULES_FILE).write_text(text, encoding="utf-8")

    def _rules_draft(self) -> str:
        path = self._home / RULES_FILE
        return path.read_text("utf-8") if path.exists() else shipped_rules()

    def policy_draft(self) -> bytes:
        """The policy file as it stands; in force only where one person may do everything."""
        return homes.read_file(self._home / POLICY_FILE)

    def policy_in_force(self) -> bytes:
        """The policy that judges: the file, or in a governed workspace what the ledger holds."""
        known = governance.charter(self._stores)
        return known.policy.encode("utf-8") if known.is_governed else self.policy_draft()

    def recorded_policy(self) -> Policy:
        """The policy in force, after making sure that the ledger knows its text."""
        self._stores.journal.lock()
        data = self.policy_in_force()
        policy = load_policy(data)
        if governance.charter(self._stores).policy_digest != policy.digest:
            self._record_policy(data)
        return policy

    def adopt_policy(self, path: Path | None = None) -> Policy:
        """Put another policy in force: a file, or the workspace's own edited ``policy.toml``."""
        data = homes.read_file(path) if path else self.policy_draft()
        policy = load_policy(data)
        terms: dict[str, Json] = {"digest": policy.digest, "text": data.decode("utf-8")}
        with self.warrant("change-policy", terms):
            self._record_policy(data)
        (self._home / POLICY_FILE).write_bytes(data)
        return policy

    def _record_policy(self, data: bytes) -> None:
        document: dict[str, Json] = {"digest": sha256_hex(data), "text": data.decode("utf-8")}
        self._stores.journal.record([Event("policy", document)])

    def content(self, dataset: str, version: int) -> str:
        """Digest of the ledger's word on a version: what a request for it binds.

        Raises:
            NotFoundError: the ledger has no such version.
        """
        made = governance.charter(self._stores).versions.get((dataset, version))
        if made is None:
            raise NotFoundError("no-such-version", f"{dataset!r} has no version {version}")
        return made.digest

    def replay_policy(
        self, since: str, path: Path | None = None, dataset: str | None = None
    ) -> tuple[Replay, list[Other]]:
        """What another policy file would have made of what was judged; nothing is written.

        Args:
            since: first window, an ISO date; or the number of a ledger entry.
            path: the policy to try; the workspace's own draft by default.
            dataset: of this one only.
        """
        data = self.policy_draft() if path is None else homes.read_file(path)
        policy, cases = load_policy(data), judged_since(self._stores, since, dataset)
        return replay(cases, policy), list(others(cases, policy))

    def weigh(self, prefix: str) -> Weighing:
        """What decided about a batch, with the facts, and what would have changed it.

        Raises:
            ConflictError: it was not judged yet.
        """
        row = questions.batch_row(self._stores, prefix)
        if row.verdict_index is None:
            raise ConflictError("not-judged", f"batch {row.digest[:16]} was not judged yet")
        digest = str(self._stores.event(row.verdict_index)["policy"])
        now = load_policy(self.policy_in_force())
        return weigh(self._stores, row, policy_recorded(self._stores, digest), now)

    # -- requests and approvals

    def requests(self) -> list[Asked]:
        """Everything that was asked for, oldest first, and how far it got."""
        known = governance.charter(self._stores)
        return [
            governance.asked(self._stores, known, signed, self._now())
            for signed in known.requests.values()
        ]

    def request(self, prefix: str) -> Asked:
        """One request by its digest or the first digits of it."""
        known = governance.charter(self._stores)
        signed = governance.request_named(known, prefix)
        return governance.asked(self._stores, known, signed, self._now())

    def envelope(self, prefix: str) -> bytes:
        """A request as it was signed, to be approved where the approver's key is."""
        return governance.request_named(governance.charter(self._stores), prefix).envelope

    def approve(self, prefix: str, key: Path | str) -> Asked:
        """Approve a request with a member's key, as ``key_of`` takes it."""
        return self.accept(self.sign_approval(self.envelope(prefix), key, self._clock))

    @staticmethod
    def sign_approval(envelope: bytes, key: Path | str, clock: Callable[[], float]) -> bytes:
        """Sign an approval of a request: needs no workspace."""
        request = look_at(envelope)
        return sign_approval(
            sha256_hex(envelope), request.origin, instant(int(clock())), key_of(key)
        )

    def accept(self, envelope: bytes) -> Asked:
        """Record an approval, if it counts.

        Raises:
            UntrustedError: it is malformed, or nobody's who is registered.
            ForbiddenError: the rules do not let its signer approve this.
            ConflictError: its signer has approved it already, or it is done.
        """
        self._stores.journal.lock()
        known = governance.charter(self._stores)
        approval = read_approval(envelope, known.keys, self._stores.journal.ledger.origin)
        signed = governance.request_named(known, approval.approves)
        name = known.signer(approval)
        before = governance.asked(self._stores, known, signed, self._now())
        if before.judgement is None or name in before.judgement.approvers:
            raise ConflictError(
                "nothing-to-approve",
                f"request {signed.digest[:16]} needs no approval of {name}",
                why=before.why or f"it is {before.standing}",
                fix="run `credenza request list`",
            )
        governance.check_approver(
            known,
            Rules(known.rules),
            governance.thing_of(self._stores, known, before.request),
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
        return self.request(signed.digest)

    def audit(self) -> WarrantAudit:
        """Recompute from the ledger whether everything governed was allowed when it was done."""
        return audit_warrants(self._stores)

    def _now(self) -> int:
        return int(self._clock())
