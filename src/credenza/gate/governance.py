"""Who may do what, as the ledger says: members, rules, and who signed for which request.

Everything is folded from the ledger itself and not from the SQL index, and every signature
is checked where it counts; so editing the catalog neither adds an approval nor takes a
member's removal back. Until the first charter is recorded one person may do everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from credenza.core.canonical import strict_json
from credenza.core.errors import (
    CredenzaError,
    ForbiddenError,
    NotFoundError,
    UntrustedError,
    UsageError,
)
from credenza.core.keys import check_public_key, keyid_of
from credenza.gate.approvals import Request, Signed, instant, read_approval, read_request
from credenza.gate.governance_rules import ACTIONS, ROLES, Rules, Thing
from credenza.provenance.roster import SOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from credenza.core.canonical import Json
    from credenza.core.types import Entry
    from credenza.gate.stores import Stores

    Document = Mapping[str, Json]

RING = "ring"
ESSENTIAL = ("change-members", "change-rules", "release")
"""What somebody must always be able to do: else a workspace is locked for good."""


@dataclass(frozen=True, slots=True)
class Member:
    """A registered person.

    Attributes:
        keys: Ed25519 public keys, 64 hex digits each.
        roles: of ``ROLES``.
        sources: that they belong to, beside those a key of which they hold.
        active: they were not removed.
    """

    name: str
    keys: tuple[str, ...]
    roles: tuple[str, ...]
    sources: tuple[str, ...] = ()
    active: bool = True


class Made(NamedTuple):
    """A version of a dataset as the ledger has it: its entry, what it added, its parent."""

    digest: str
    batches: tuple[str, ...]
    parent: int | None


@dataclass(slots=True)
class Charter:
    """What the ledger says so far; ``after`` takes one more entry.

    Attributes:
        size: entries seen.
        is_governed: a charter was recorded.
        rules: text of the rules in force.
        policy: text of the gate's policy in force.
        owners: member by the id of a key, for every key ever: keys never change hands.
        requests, approvals: what was signed, by the digest of the request.
        used: requests that were acted on.
        handed_in: members who handed a batch in, by batch.
        source_keys: public keys by source.
        versions: by dataset and number.
    """

    size: int = 0
    is_governed: bool = False
    rules: str = ""
    policy: str = ""
    policy_digest: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    requests: dict[str, Signed] = field(default_factory=dict)
    approvals: dict[str, list[Signed]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    handed_in: dict[str, set[str]] = field(default_factory=dict)
    source_keys: dict[str, set[str]] = field(default_factory=dict)
    versions: dict[tuple[str, int], Made] = field(default_factory=dict)

    def after(self, entry: Entry, document: Document, origin: str) -> None:
        """Take one more entry of one of the ``KINDS``; others change nothing here."""
        KINDS[entry.kind](self, entry, document, origin)

    @property
    def active(self) -> dict[str, Member]:
        """Members who were not removed."""
        return {name: one for name, one in self.members.items() if one.active}

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        """Their roles."""
        return {name: one.roles for name, one in self.active.items()}

    @property
    def keys(self) -> list[str]:
        """Their public keys."""
        return [key for one in self.active.values() for key in one.keys]

    def signer(self, signed: Signed) -> str:
        """The member who signed, if they still are one and the key is still theirs.

        Raises:
            ForbiddenError: they are not.
        """
        name = self.owners.get(signed.keyid, "")
        member = self.active.get(name)
        if member is None or signed.keyid not in map(keyid_of, member.keys):
            raise ForbiddenError(
                "no-member",
                "whoever signed this is no member of the workspace",
                why=f"the key {signed.keyid[:16]}… belongs to nobody who is registered now",
                fix="run `credenza member list`",
            )
        return name


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules make of a request.

    Attributes:
        requester: who asks.
        approvers: members whose approval counts, each another person with another key.
        eligible: members whose approval would count.
        void: approvals that do not count, each with the reason.
        needed: how many approvals would do; None when no number does.
        rules: the rules that decided.
        errors: rules that failed, which denies.
    """

    requester: str
    approvers: tuple[str, ...]
    eligible: tuple[str, ...]
    void: tuple[str, ...]
    allowed: bool
    needed: int | None
    rules: tuple[str, ...]
    errors: tuple[str, ...]


def charter(stores: Stores) -> Charter:
    """The charter as of the newest entry that this process knows.

    Complexity:
        Reads the ledger once for each process (a quarter of a million entries a second),
        then only what is new; documents only of the ``KINDS`` that matter here.
    """
    known, ledger = stores.charter, stores.journal.ledger
    for entry in ledger.entries(known.size):
        known.size = entry.index + 1
        if entry.kind in KINDS:
            learn(stores, known, entry, stores.journal.document(entry.digest))
    return known


def learn(stores: Stores, known: Charter, entry: Entry, document: Document) -> None:
    """Let the charter take one more entry of one of the ``KINDS``."""
    known.after(entry, document, stores.journal.ledger.origin)
    if entry.kind == RING:
        targets = stores.journal.blobs.get(str(document["targets"]))
        for name, keys in delegated_keys(targets).items():
            known.source_keys.setdefault(name, set()).update(keys)


def delegated_keys(targets: bytes) -> dict[str, set[str]]:
    """Public keys by source in the TUF targets of a key ring that was accepted.

    Read without the package that verified it, which only workspaces with a ring need.
    """
    signed = cast("dict[str, Any]", strict_json(targets))["signed"]
    delegations = signed.get("delegations") or {"keys": {}, "roles": []}
    return {
        role["name"]: {delegations["keys"][one]["keyval"]["public"] for one in role["keyids"]}
        for role in delegations["roles"]
    }


def judge(stores: Stores, known: Charter, signed: Signed, time_s: int) -> Judgement:
    """Whether a request may be acted on now.

    Approvals are counted by person *and* by key material; those of former members, of the
    requester and of owners do not count, whatever the rules say of the latter. Blind to one
    person who was registered twice, which is why a change of members takes two people.

    Raises:
        ForbiddenError: the requester is no member.
        UsageError: the request is void: used, expired, or made under other rules.
    """
    request = cast("Request", signed.request)
    requester = known.signer(signed)
    _check_alive(known, signed, time_s, stores.journal.ledger.origin)
    rules, thing = Rules(known.rules), thing_of(stores, known, request)
    counted: dict[str, str] = {}
    void: list[str] = []
    for approval in known.approvals.get(signed.digest, []):
        try:
            name = known.signer(approval)
            check_approver(known, rules, thing, request.action, requester, name)
            if name in counted or approval.keyid in (signed.keyid, *counted.values()):
                raise ForbiddenError("counted-already", f"{name} has approved it already")  # noqa: TRY301 - said like the others
        except ForbiddenError as wrong:
            void.append(wrong.what)
        else:
            counted[name] = approval.keyid
    ruling = rules.may_do(requester, request.action, thing, known.roles, len(counted))
    return Judgement(
        requester,
        tuple(counted),
        tuple(
            name
            for name in known.active
            if name not in {requester, *counted}
            and rules.may_approve(name, request.action, thing, known.roles, requester).allowed
        ),
        tuple(void),
        ruling.allowed,
        rules.approvals_needed(requester, request.action, thing, known.roles),
        ruling.rules,
        ruling.errors,
    )


def check_approver(  # noqa: PLR0917 - who, what and under which rules
    known: Charter, rules: Rules, thing: Thing, action: str, requester: str, name: str
) -> None:
    """See that a member's approval counts.

    Raises:
        ForbiddenError: it does not.
    """
    ruling = rules.may_approve(name, action, thing, known.roles, requester)
    if name == requester or not ruling.allowed:
        told = "; ".join((*ruling.errors, *ruling.rules)) or "no rule permits it"
        raise ForbiddenError(
            "may-not-approve",
            f"{name} may not approve {action} of {thing.name[:64]} for {requester}",
            why=told if name != requester else "nobody approves their own request",
            fix="ask another member: `credenza governance show` says who may",
        )


def _check_alive(known: Charter, signed: Signed, time_s: int, origin: str) -> None:
    request = cast("Request", signed.request)
    rules = Rules(known.rules).digest
    reasons = (
        (signed.digest in known.used, "it was acted on already"),
        (request.origin != origin, "it is for another ledger"),
        (request.expires <= instant(time_s), f"it expired at {request.expires}"),
        (request.size > known.size, "it speaks of a ledger longer than this one"),
        (request.rules != rules, "the rules of governance were changed since"),
        (request.policy != known.policy_digest, "the policy was changed since"),
    )
    for applies, why in reasons:
        if applies:
            raise UsageError(
                "void-request",
                f"request {signed.digest[:16]} is void",
                why=why,
                fix="ask again with `--as KEY`",
            )


# ------------------------------------------------------------------ what is acted on


def thing_of(stores: Stores, known: Charter, request: Request) -> Thing:
    """What a request is about, and who has an interest in it.

    Batches are read from the content store by their digest, so their source is the one
    that was signed, whatever the catalog says.
    """
    kind = ACTIONS.get(request.action)
    if kind is None:
        raise UsageError(
            "no-such-action",
            f"no action is called {request.action!r}",
            why=f"the actions are: {', '.join(ACTIONS)}",
        )
    name = str(request.terms.get(kind.lower(), "workspace"))
    return _THINGS[kind](stores, known, name, request.terms)


def _workspace(stores: Stores, known: Charter, name: str, terms: Document) -> Thing:  # noqa: ARG001 - one signature
    return Thing("Workspace", name)


def _incident(stores: Stores, known: Charter, name: str, terms: Document) -> Thing:  # noqa: ARG001 - one signature
    return Thing("Incident", name)


def _source(stores: Stores, known: Charter, name: str, terms: Document) -> Thing:  # noqa: ARG001 - one signature
    keys = terms.get("keys")
    new = set(map(str, keys)) if isinstance(keys, list) else set()
    return Thing("Source", name, _owners_of(known, {name}, new))


def _batch(stores: Stores, known: Charter, name: str, terms: Document) -> Thing:  # noqa: ARG001 - one signature
    manifest = stores.manifest(name)
    owners = _owners_of(known, {manifest.source}) | known.handed_in.get(name, set())
    return Thing(
        "Batch", name, owners, (("Source", manifest.source), ("Dataset", manifest.dataset))
    )


def _dataset(stores: Stores, known: Charter, name: str, terms: Document) -> Thing:
    """A dataset; whoever owns a source in the version that is asked for owns a part of it."""
    version = terms.get("version")
    at = version if isinstance(version, int) else None
    batches: set[str] = set()
    while at is not None:
        made = known.versions.get((name, at))
        batches.update(made.batches if made else ())
        at = made.parent if made else None
    owners = frozenset[str]().union(*(known.handed_in.get(one, set()) for one in batches))
    if any(_owned_by(known, member) for member in known.active.values()):
        sources = {stores.manifest(digest).source for digest in batches}
        owners |= _owners_of(known, sources)
    return Thing("Dataset", name, owners)


_THINGS = {
    "Workspace": _workspace,
    "Incident": _incident,
    "Source": _source,
    "Batch": _batch,
    "Dataset": _dataset,
}


def _owners_of(known: Charter, sources: Iterable[str], keys: Iterable[str] = ()) -> frozenset[str]:
    asked, held = set(sources), set(keys)
    return frozenset(
        name
        for name, member in known.active.items()
        if asked & _owned_by(known, member) or held & set(member.keys)
    )


def _owned_by(known: Charter, member: Member) -> set[str]:
    """Sources that a member belongs to, or a key of which is theirs."""
    held = {name for name, keys in known.source_keys.items() if keys & set(member.keys)}
    return held | set(member.sources)


# ------------------------------------------------------------------ changes of the charter


def check_change(known: Charter, event: Document, operator: str) -> None:
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
    roles, keys = _texts(event.get("roles")), _texts(event.get("keys"))
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
        _member(then, None, event, "")
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
    return UsageError("bad-member", what, fix="run `credenza member list`")


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


# ------------------------------------------------------------------ the fold


def _member(known: Charter, entry: Entry | None, document: Document, origin: str) -> None:  # noqa: ARG001 - one signature
    name = str(document["member"])
    if document["event"] == "member-removed":
        before = known.members[name]
        known.members[name] = Member(name, before.keys, before.roles, before.sources, active=False)
        return
    keys = _texts(document["keys"])
    known.members[name] = Member(name, keys, _texts(document["roles"]), _texts(document["sources"]))
    known.owners.update({keyid_of(key): name for key in keys})


def _charter(known: Charter, entry: Entry, document: Document, origin: str) -> None:  # noqa: ARG001 - one signature
    known.is_governed = True
    known.rules = str(document["text"])


def _policy(known: Charter, entry: Entry, document: Document, origin: str) -> None:  # noqa: ARG001 - one signature
    known.policy, known.policy_digest = str(document["text"]), str(document["digest"])


def _request(known: Charter, entry: Entry, document: Document, origin: str) -> None:  # noqa: ARG001 - one signature
    envelope = str(document["envelope"]).encode("utf-8")
    try:
        signed = read_request(envelope, known.keys)
    except CredenzaError:  # nobody's signature: it asks for nothing
        return
    known.requests[signed.digest] = signed


def _approval(known: Charter, entry: Entry, document: Document, origin: str) -> None:  # noqa: ARG001 - one signature
    envelope = str(document["envelope"]).encode("utf-8")
    try:
        signed = read_approval(envelope, known.keys, origin)
    except CredenzaError:  # nobody's signature: it approves of nothing
        return
    known.approvals.setdefault(signed.approves, []).append(signed)


def _act(known: Charter, entry: Entry, document: Document, origin: str) -> None:  # noqa: ARG001 - one signature
    digest = str(document["request"])
    known.used.add(digest)
    signed = known.requests.get(digest)
    if signed is not None and signed.request is not None and signed.request.action == "submit":
        batch = str(signed.request.terms["batch"])
        known.handed_in.setdefault(batch, set()).add(known.owners[signed.keyid])


def _source_event(known: Charter, entry: Entry, document: Document, origin: str) -> None:  # noqa: ARG001 - one signature
    keys = {*_texts(document.get("keys")), str(document.get("key", ""))} - {""}
    known.source_keys.setdefault(str(document["source"]), set()).update(keys)


def _nothing(known: Charter, entry: Entry, document: Document, origin: str) -> None:
    """What it says lies in the content store: see ``learn``."""


def _version(known: Charter, entry: Entry, document: Document, origin: str) -> None:  # noqa: ARG001 - one signature
    parent = document["parent"]
    known.versions[str(document["dataset"]), int(cast("int", document["number"]))] = Made(
        entry.digest, _texts(document["batches"]), parent if isinstance(parent, int) else None
    )


KINDS = {
    "member": _member,
    "charter": _charter,
    "policy": _policy,
    "request": _request,
    "approval": _approval,
    "act": _act,
    "source": _source_event,
    "version": _version,
    RING: _nothing,
}
"""Kinds of entries that say who may do what, and what each changes."""


# ------------------------------------------------------------------ what was asked for


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and how far it got.

    Attributes:
        standing: "open", "approved", "done" or "void".
        judgement: None once it is done or void.
        why: it is void.
    """

    digest: str
    request: Request
    requester: str
    standing: str
    judgement: Judgement | None
    why: str = ""


def asked(stores: Stores, known: Charter, signed: Signed, time_s: int) -> Asked:
    """How far a request got."""
    request = cast("Request", signed.request)
    requester = known.owners[signed.keyid]
    if signed.digest in known.used:
        return Asked(signed.digest, request, requester, "done", None)
    try:
        judgement = judge(stores, known, signed, time_s)
    except CredenzaError as wrong:
        return Asked(signed.digest, request, requester, "void", None, wrong.why)
    standing = "approved" if judgement.allowed else "open"
    return Asked(signed.digest, request, requester, standing, judgement)


def request_named(known: Charter, prefix: str) -> Signed:
    """The request whose digest begins with ``prefix``.

    Raises:
        NotFoundError: none does, or several.
    """
    found = [one for one in known.requests if len(prefix) > 3 and one.startswith(prefix)]
    if len(found) == 1:
        return known.requests[found[0]]
    raise NotFoundError(
        "no-such-request",
        f"{len(found) or 'no'} request{'s begin' if found else ' begins'} with {prefix[:70]!r}",
        why="a request is named by its digest or at least its first four digits",
        fix="run `credenza request list`",
    )
