"""The charter: members, rules, requests and approvals, as the ledger's entries add up.

A pure fold: it touches no store, and every signature is checked where it counts. So editing
the SQL index neither adds an approval nor takes a member's removal back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

from credenza.core.errors import CredenzaError, ForbiddenError, NotFoundError
from credenza.core.keys import keyid_of
from credenza.gate.governance.statements import Signed, read_approval, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.canonical import Json
    from credenza.core.types import Entry

    Document = Mapping[str, Json]


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


class News(NamedTuple):
    """An entry that governs: its digest, its document, and the ledger that it stands in."""

    digest: str
    document: Document
    origin: str


@dataclass(slots=True)
class Charter:
    """What the ledger says so far; ``take`` counts one more entry.

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
        follows_ring: a key ring says which keys sign for whom.
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
    follows_ring: bool = False
    versions: dict[tuple[str, int], Made] = field(default_factory=dict)

    def take(self, entry: Entry, document: Document, origin: str) -> None:
        """Take one more entry of one of the ``KINDS`` from the ledger called ``origin``."""
        KINDS[entry.kind](self, News(entry.digest, document, origin))

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

    def content(self, dataset: str, version: int) -> str:
        """Digest of the ledger's word on a version: what a request for it binds.

        Raises:
            NotFoundError: the ledger has no such version.
        """
        made = self.versions.get((dataset, version))
        if made is None:
            raise NotFoundError(
                "no-such-version",
                f"{dataset!r} has no version {version}",
                why="the ledger knows of no publication by that number",
                fix=f"run `credenza dataset log {dataset}`",
            )
        return made.digest

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


def enrol(known: Charter, document: Document) -> None:
    """Add, change or remove the member that a document of kind "member" names."""
    name = str(document["member"])
    if document["event"] == "member-removed":
        before = known.members[name]
        known.members[name] = Member(name, before.keys, before.roles, before.sources, active=False)
        return
    keys = texts(document["keys"])
    known.members[name] = Member(name, keys, texts(document["roles"]), texts(document["sources"]))
    known.owners.update({keyid_of(key): name for key in keys})


def _member(known: Charter, news: News) -> None:
    enrol(known, news.document)


def _charter(known: Charter, news: News) -> None:
    known.is_governed = True
    known.rules = str(news.document["text"])


def _policy(known: Charter, news: News) -> None:
    known.policy = str(news.document["text"])
    known.policy_digest = str(news.document["digest"])


def _request(known: Charter, news: News) -> None:
    try:
        signed = read_request(_envelope(news.document), known.keys)
    except CredenzaError:  # nobody's signature: it asks for nothing
        return
    known.requests[signed.digest] = signed


def _approval(known: Charter, news: News) -> None:
    try:
        signed = read_approval(_envelope(news.document), known.keys, news.origin)
    except CredenzaError:  # nobody's signature: it approves of nothing
        return
    known.approvals.setdefault(signed.approves, []).append(signed)


def _act(known: Charter, news: News) -> None:
    digest = str(news.document["request"])
    known.used.add(digest)
    signed = known.requests.get(digest)
    if signed is not None and signed.request is not None and signed.request.action == "submit":
        batch = str(signed.request.terms["batch"])
        known.handed_in.setdefault(batch, set()).add(known.owners[signed.keyid])


def _source(known: Charter, news: News) -> None:
    document = news.document
    keys = {*texts(document.get("keys")), str(document.get("key", ""))} - {""}
    known.source_keys.setdefault(str(document["source"]), set()).update(keys)


def _version(known: Charter, news: News) -> None:
    document = news.document
    parent = document["parent"]
    known.versions[str(document["dataset"]), int(cast("int", document["number"]))] = Made(
        news.digest, texts(document["batches"]), parent if isinstance(parent, int) else None
    )


KINDS: Mapping[str, Callable[[Charter, News], None]] = {
    "member": _member,
    "charter": _charter,
    "policy": _policy,
    "request": _request,
    "approval": _approval,
    "act": _act,
    "source": _source,
    "version": _version,
}
"""Kinds of entries that say who may do what, and what each changes."""


def texts(value: Json) -> tuple[str, ...]:
    """The items of a JSON list as text; () for anything else."""
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _envelope(document: Document) -> bytes:
    return str(document["envelope"]).encode("utf-8")
