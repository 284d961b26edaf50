"""What a request is about, and which members have an interest in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from credenza.core.errors import UsageError
from credenza.gate.governance.charter import texts
from credenza.gate.governance.rules import ACTIONS, Thing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from credenza.core.canonical import Json
    from credenza.gate.governance.charter import Charter, Member
    from credenza.gate.governance.statements import Request
    from credenza.gate.stores import Stores


class _Asked(NamedTuple):
    """What is looked up to find a thing's owners."""

    stores: Stores
    known: Charter
    name: str
    terms: Mapping[str, Json]


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
            fix="ask for one of these",
        )
    name = str(request.terms.get(kind.lower(), "workspace"))
    return _THINGS[kind](_Asked(stores, known, name, request.terms))


def _workspace(asked: _Asked) -> Thing:
    return Thing("Workspace", asked.name)


def _incident(asked: _Asked) -> Thing:
    """An incident; whoever owns a source that it is about has an interest in its end."""
    sources = texts(asked.terms.get("sources"))
    return Thing("Incident", asked.name, _owners_of(asked.known, sources))


def _source(asked: _Asked) -> Thing:
    new = {*texts(asked.terms.get("keys")), str(asked.terms.get("key", ""))}
    return Thing("Source", asked.name, _owners_of(asked.known, {asked.name}, new))


def _batch(asked: _Asked) -> Thing:
    manifest = asked.stores.manifest(asked.name)
    handed_in = asked.known.handed_in.get(asked.name, set())
    return Thing(
        "Batch",
        asked.name,
        _owners_of(asked.known, {manifest.source}) | handed_in,
        (("Source", manifest.source), ("Dataset", manifest.dataset)),
    )


def _dataset(asked: _Asked) -> Thing:
    """A dataset; whoever owns a source in the version that is asked for owns a part of it."""
    known, version = asked.known, asked.terms.get("version")
    at = version if isinstance(version, int) else None
    batches: set[str] = set()
    while at is not None:
        made = known.versions.get((asked.name, at))
        batches.update(made.batches if made else ())
        at = made.parent if made else None
    owners = frozenset[str]().union(*(known.handed_in.get(one, set()) for one in batches))
    if any(_owned_by(known, member) for member in known.active.values()):
        sources = {asked.stores.manifest(digest).source for digest in batches}
        owners |= _owners_of(known, sources)
    return Thing("Dataset", asked.name, owners)


_THINGS: Mapping[str, Callable[[_Asked], Thing]] = {
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
