"""The roster: who may send, and which keys sign for whom until when.

Registrations say which sources there are. Their keys are those they were registered with,
or, once a key ring is followed, those that the ring delegates: a roster has one answer.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from credenza.core.errors import ConflictError, NotFoundError, UntrustedError
from credenza.core.keys import check_public_key, keyid_of
from credenza.core.types import Limits, Source, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from credenza.core.canonical import Json

SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Mandate:
    """What a key ring lets one source do.

    Attributes:
        keys: public keys as 64 hex digits, by distinct key material.
        threshold: how many of them must sign a batch.
        datasets: those it may send to.
        until_s: when this lapses, in seconds since the epoch.
    """

    keys: tuple[str, ...]
    threshold: int
    datasets: tuple[str, ...]
    until_s: int


@dataclass(frozen=True, slots=True)
class Roster:
    """Every registered source, as the registrations and the key ring so far say.

    A value: ``after`` and ``under`` give the next roster and leave this one alone. It
    never forgets a key, so a key that was once a source's can never become another's.

    Attributes:
        sources: source by id.
        owners: source id by key id, of delegated sources too that are not registered yet.
        mandates: what the key ring lets each source do; None without a ring.
    """

    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))
    owners: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    mandates: Mapping[str, Mandate] | None = None

    @staticmethod
    def fold(events: Iterable[Mapping[str, Json]]) -> Roster:
        """The roster that the events add up to, in their order.

        Raises:
            UntrustedError: an event is malformed or breaks a rule; see ``after``.
        """
        roster = Roster()
        for event in events:
            roster = roster.after(event)
        return roster

    def after(self, event: Mapping[str, Json]) -> Roster:
        """The roster with one more registration.

        Events are objects with exactly these fields (``?`` may be left out)::

            {"event": "source-added", "source": ID, "keys": [HEX, …],
             "group"?: NAME, "limits"?: {FIELD: INTEGER, …}}
            {"event": "key-added", "source": ID, "key": HEX}
            {"event": "source-frozen", "source": ID, "reason"?: TEXT}
            {"event": "source-unfrozen", "source": ID, "reason"?: TEXT}
            {"event": "source-revoked", "source": ID, "reason"?: TEXT}

        Raises:
            UntrustedError: ``bad-registration``, ``bad-key``, ``key-taken``, or
                ``not-delegated`` when there is a key ring and it says otherwise.
            ConflictError: the source exists already.
            NotFoundError: the source does not exist.
        """
        name = event.get("event")
        known = _EVENTS.get(name) if isinstance(name, str) else None
        if known is None:
            raise _bad(f"the known events are: {', '.join(sorted(_EVENTS))}")
        required, optional, apply = known
        fields = set(event) - {"event"}
        if not required <= fields <= required | optional:
            raise _bad(f"{name!r} has the fields {', '.join(sorted(required | optional))}")
        source = event["source"]
        if not isinstance(source, str) or not SOURCE_ID.match(source):
            raise _bad("a source's id is 1 to 64 of a-z, 0-9, '.', '_', '-'")
        return apply(self, source, event)

    def under(self, mandates: Mapping[str, Mandate]) -> Roster:
        """The roster from the moment on at which a key ring says that.

        A source keeps its group, standing and limits; whose role the ring does not have
        keeps no key, and so sends nothing.

        Raises:
            UntrustedError: ``key-taken``: a key was another source's before.
        """
        owners = dict(self.owners)
        for name, mandate in mandates.items():
            for key in mandate.keys:
                if owners.setdefault(keyid_of(key), name) != name:
                    raise _taken(name, owners[keyid_of(key)])
        sources = {name: _mandated(source, mandates) for name, source in self.sources.items()}
        return Roster(MappingProxyType(sources), MappingProxyType(owners), mandates)

    def source(self, source_id: str) -> Source:
        """The source of that id.

        Raises:
            NotFoundError: no such source; the message lists the known ones.
        """
        found = self.sources.get(source_id)
        if found is None:
            listed = ", ".join(sorted(self.sources)[:12]) or "none"
            raise NotFoundError(
                "unknown-source",
                f"no source is called {source_id[:64]!r}",
                why=f"registered: {listed}{', …' if len(self.sources) > 12 else ''}",
                fix="run `credenza source add`",
            )
        return found

    def owner(self, keyid: str) -> Source | None:
        """The one source whose key it is or once was, or None."""
        return self.sources.get(self.owners.get(keyid, ""))

    def _with(self, source: Source, new_keys: tuple[str, ...] = ()) -> Roster:
        owners = dict(self.owners)
        if self.mandates is None:
            for key in new_keys:
                if keyid_of(key) in owners:
                    raise _taken(source.id, owners[keyid_of(key)])
                owners[keyid_of(key)] = source.id
        else:
            _check_delegated(source.id, new_keys, self.mandates)
            source = _mandated(source, self.mandates)
        return Roster(
            MappingProxyType({**self.sources, source.id: source}),
            MappingProxyType(owners),
            self.mandates,
        )


def _mandated(source: Source, mandates: Mapping[str, Mandate]) -> Source:
    found = mandates.get(source.id)
    if found is None:
        return dataclasses.replace(source, keys=(), threshold=1, datasets=(), until_s=None)
    return dataclasses.replace(
        source,
        keys=found.keys,
        threshold=found.threshold,
        datasets=found.datasets,
        until_s=found.until_s,
    )


def _check_delegated(name: str, keys: tuple[str, ...], mandates: Mapping[str, Mandate]) -> None:
    """With a ring, nobody registers a key that the ring's keepers did not delegate."""
    found = mandates.get(name)
    if not keys or (found is not None and set(keys) <= set(found.keys)):
        return
    raise UntrustedError(
        "not-delegated",
        f"the key ring does not give {name!r} such a key",
        why="it has no role of that name"
        if found is None
        else f"its role has {len(found.keys)} keys, all of them others",
        fix="have the ring's keepers run `credenza ring delegate`, then `credenza ring import`",
    )


def _taken(name: str, other: str) -> UntrustedError:
    return UntrustedError(
        "key-taken",
        f"a key of {name!r} is registered already",
        why=f"it belongs to {other!r}; one key under two names would count twice",
        fix="make a new key with `credenza key new`",
    )


def _added(roster: Roster, source_id: str, event: Mapping[str, Json]) -> Roster:
    if source_id in roster.sources:
        raise ConflictError(
            "source-exists",
            f"the source {source_id!r} is registered already",
            why=f"it is {roster.sources[source_id].standing.value}; a source is registered once",
            fix=f"see `credenza source show {source_id}`; `credenza source add-key` adds a key",
        )
    keys = event["keys"]
    if not isinstance(keys, list) or not keys:
        raise _bad("a source has at least one key")
    group = event.get("group", "")
    if not isinstance(group, str) or (group and not SOURCE_ID.match(group)):
        raise _bad("a group's name is written like a source's id")
    limits = event.get("limits", {})
    allowed = {item.name for item in dataclasses.fields(Limits)}
    if not isinstance(limits, dict) or not set(limits) <= allowed:
        raise _bad(f"the known limits are: {', '.join(sorted(allowed))}")
    numbers = {
        name: value
        for name, value in limits.items()
        if isinstance(value, int) and not isinstance(value, bool) and value > 0
    }
    if len(numbers) != len(limits):
        raise _bad("limits are integers above 0")
    checked = tuple(_key(key) for key in keys)
    source = Source(id=source_id, keys=checked, group=group, limits=Limits(**numbers))
    return roster._with(source, checked)  # noqa: SLF001 - the roster's own events


def _key_added(roster: Roster, source_id: str, event: Mapping[str, Json]) -> Roster:
    source, key = roster.source(source_id), _key(event["key"])
    more = dataclasses.replace(source, keys=(*source.keys, key))
    return roster._with(more, (key,))  # noqa: SLF001 - the roster's own events


def _moves_to(
    standing: Standing, *, since: frozenset[Standing]
) -> Callable[[Roster, str, Mapping[str, Json]], Roster]:
    def apply(roster: Roster, source_id: str, event: Mapping[str, Json]) -> Roster:
        source = roster.source(source_id)
        if not isinstance(event.get("reason", ""), str):
            raise _bad("a reason is text")
        if source.standing not in since:
            raise ConflictError(
                "standing",
                f"{source_id!r} cannot become {standing.value}",
                why=f"it is {source.standing.value}",
                fix="register another source: revocation is for good",
            )
        return roster._with(  # noqa: SLF001 - the roster's own events
            dataclasses.replace(source, standing=standing)
        )

    return apply


def _key(value: Json) -> str:
    if not isinstance(value, str):
        raise _bad("a key is 64 hex digits")
    return check_public_key(value)


def _bad(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-registration",
        "this registration has no meaning",
        why=why,
        fix="run `credenza log audit`: the ledger holds an event that no command writes",
    )


# Required fields, optional fields, and what the event does.
_EVENTS: Mapping[
    str,
    tuple[
        frozenset[str],
        frozenset[str],
        Callable[[Roster, str, Mapping[str, Json]], Roster],
    ],
] = {
    "source-added": (frozenset({"source", "keys"}), frozenset({"group", "limits"}), _added),
    "key-added": (frozenset({"source", "key"}), frozenset(), _key_added),
    "source-frozen": (
        frozenset({"source"}),
        frozenset({"reason"}),
        _moves_to(Standing.FROZEN, since=frozenset({Standing.ACTIVE})),
    ),
    "source-unfrozen": (
        frozenset({"source"}),
        frozenset({"reason"}),
        _moves_to(Standing.ACTIVE, since=frozenset({Standing.FROZEN})),
    ),
    "source-revoked": (
        frozenset({"source"}),
        frozenset({"reason"}),
        _moves_to(Standing.REVOKED, since=frozenset({Standing.ACTIVE, Standing.FROZEN})),
    ),
}
