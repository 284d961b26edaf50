"""The key ring as its keepers write it: a directory of TUF metadata.

What changes is a draft until enough keys have signed it, one after another, on as many
machines as there are keepers: the directory travels. ``publish`` puts complete drafts in
place, with a snapshot and timestamp with which readers take them up; it goes on saying
weekly what is now while a draft still waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)

from credenza.core.errors import ConflictError, NotFoundError, UntrustedError, UsageError
from credenza.provenance.ring import EXPIRES, Ring, RingFiles, follow, mandates_of
from credenza.provenance.ring_directory import (
    DRAFT_ROOT,
    DRAFT_TARGETS,
    SNAPSHOT_FILE,
    TARGETS_FILE,
    TIMESTAMP_FILE,
    load,
    load_any,
    load_roots,
    no_ring,
    root_file,
    save,
)
from credenza.provenance.ring_form import (
    check_keys,
    moment,
    sign,
    tuf_key,
    write,
)
from credenza.provenance.roster import SOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from credenza.provenance.keys import SigningKey
    from credenza.provenance.ring_form import Part
    from credenza.provenance.roster import Mandate

ROOT_DAYS = 365
TARGETS_DAYS = 90
ONLINE_DAYS = 7
DAY_S = 86_400

ONLINE = "online"
"""The keepers' name for snapshot and timestamp together: they are signed by one key."""

_TUF_ROLES = {
    "root": (Root.type,),
    "targets": (Targets.type,),
    ONLINE: (Snapshot.type, Timestamp.type),
}


class Holders(NamedTuple):
    """Who holds a role: public keys (64 hex digits), and how many of them must sign."""

    keys: tuple[str, ...]
    threshold: int


def begin(directory: Path, root: Holders, targets: Holders, online: Holders, now_s: int) -> None:
    """Write the drafts of a new ring, which delegates nothing yet.

    Raises:
        ConflictError: something lies there already.
        UsageError: a threshold cannot be reached.
        UntrustedError: a key is unfit.
    """
    if directory.exists() and any(directory.iterdir()):
        raise ConflictError(
            "ring-exists",
            f"{directory.name!r} is not empty",
            why="a ring is never begun over something else",
            fix="choose another directory",
        )
    directory.mkdir(parents=True, exist_ok=True)
    draft = Root(expires=moment(now_s + ROOT_DAYS * DAY_S), consistent_snapshot=False)
    for role, holders in (("root", root), ("targets", targets), (ONLINE, online)):
        _give(draft, role, holders)
    _save_root(directory, draft)
    _save_targets(directory, Targets(expires=moment(now_s + TARGETS_DAYS * DAY_S)))


def delegate(directory: Path, source: str, mandate: Mandate, now_s: int) -> None:
    """Draft a source's role, or another one in its place: that is how its keys rotate.

    Args:
        directory: of the ring.
        source: its id.
        mandate: its keys, how many of them must sign a batch, the datasets it may send
            to, and until when.
        now_s: in seconds since the epoch; the draft stands ``TARGETS_DAYS`` from then.

    Raises:
        UsageError: a name is none, or the threshold cannot be reached.
        UntrustedError: a key is unfit or another source's.
    """
    for name in (source, *mandate.datasets):
        if not SOURCE_ID.match(name):
            raise UsageError(
                "bad-name",
                f"{name[:70]!r} is no name of a source or dataset",
                why="a name is 1 to 64 of a-z, 0-9, '.', '_', '-'",
                fix="write it with 1 to 64 of a-z, 0-9, '.', '_', '-'",
            )
    draft = _targets_draft(directory, now_s)
    roles = _roles(draft)
    keys = _named(mandate.keys, mandate.threshold)
    roles[source] = DelegatedRole(
        source,
        list(keys),
        mandate.threshold,
        terminating=True,
        paths=[f"{dataset}/*" for dataset in mandate.datasets],
        unrecognized_fields={EXPIRES: f"{moment(mandate.until_s):%Y-%m-%dT%H:%M:%SZ}"},
    )
    known = draft.delegations.keys if draft.delegations else {}
    draft.delegations = _delegations({**known, **keys}, roles)
    _save_targets(directory, draft)


def revoke(directory: Path, source: str, now_s: int) -> None:
    """Draft the end of a source's role: once published, none of its keys signs for it.

    Raises:
        NotFoundError: the ring has no role for it.
    """
    draft = _targets_draft(directory, now_s)
    roles = _roles(draft)
    if draft.delegations is None or source not in roles:
        raise NotFoundError(
            "not-delegated",
            f"the key ring has no role for {source!r}",
            why=f"it has: {', '.join(sorted(roles)) or 'none'}",
            fix="delegate it first: `credenza ring delegate`",
        )
    del roles[source]
    draft.delegations = _delegations(draft.delegations.keys, roles)
    _save_targets(directory, draft)


def rotate(directory: Path, role: str, holders: Holders, now_s: int) -> None:
    """Draft a root that gives ``root``, ``targets`` or ``online`` to other keys.

    Raises:
        UsageError: there is no such role, or the threshold cannot be reached.
        UntrustedError: a key is unfit.
    """
    draft = _root_draft(directory, now_s)
    _give(draft, role, holders)
    _save_root(directory, draft)
    if role == "targets":  # what the former keys signed counts no more: the new ones sign it again
        _save_targets(directory, _targets_draft(directory, now_s))


def renew(directory: Path, role: str, now_s: int) -> None:
    """Draft ``root`` or ``targets`` again as it is, with an expiry from now on.

    Raises:
        UsageError: it is neither; the online role is renewed by ``publish``.
    """
    if role == "root":
        _save_root(directory, _root_draft(directory, now_s))
    elif role == "targets":
        _save_targets(directory, _targets_draft(directory, now_s))
    else:
        raise UsageError(
            "no-such-role",
            f"{role!r} is not renewed by itself",
            why="root and targets are; snapshot and timestamp are made anew by publishing",
            fix="run `credenza ring publish`",
        )


def sign_drafts(directory: Path, key: SigningKey) -> list[str]:
    """Put a key's signature under every draft that waits for it; the drafts' roles.

    Raises:
        UsageError: no draft waits for that key.
    """
    root = load_any(directory, Root, DRAFT_ROOT)
    targets = load_any(directory, Targets, DRAFT_TARGETS)
    before = [one.signed for one in load_roots(directory)[-1:]]
    signed = []
    if root is not None and _add_signature(root, (*before, root.signed), key):
        save(directory, DRAFT_ROOT, root)
        signed.append(Root.type)
    judges = before if root is None else [root.signed]
    if targets is not None and _add_signature(targets, judges, key):
        save(directory, DRAFT_TARGETS, targets)
        signed.append(Targets.type)
    if not signed:
        raise UsageError(
            "nothing-to-sign",
            "no draft of this ring waits for that key",
            why=f"its key id is {key.keyid[:16]}; what is drafted has its signature, or its role "
            "has other keys",
            fix="look at `credenza ring show`",
        )
    return signed


def publish(directory: Path, key: SigningKey, now_s: int) -> Ring:
    """Put in place what enough keys have signed, with a snapshot and timestamp for readers.

    Drafts that lack signatures stay drafts, and what was published stands for longer.

    Raises:
        UntrustedError: nothing can be published: signatures are missing, or the key is
            not the online one.
        NotFoundError: there is no ring.
    """
    wrong: UntrustedError | None = None
    for roots, targets in _candidates(directory):
        try:
            ring = _published(directory, roots, targets, key, now_s)
        except UntrustedError as refusal:
            wrong = wrong or refusal
            continue
        save(directory, root_file(ring.root.signed.version), ring.root)
        save(directory, TARGETS_FILE, ring.targets)
        save(directory, SNAPSHOT_FILE, ring.snapshot)
        save(directory, TIMESTAMP_FILE, ring.timestamp)
        _drop_published(directory, ring)
        return ring
    raise wrong or no_ring(directory)


def _candidates(
    directory: Path,
) -> Iterator[tuple[list[Metadata[Root]], Metadata[Targets]]]:
    """Roots and targets that could be published, the newest first."""
    roots, draft = load_roots(directory), load_any(directory, Root, DRAFT_ROOT)
    drafted = load_any(directory, Targets, DRAFT_TARGETS)
    current = load_any(directory, Targets, TARGETS_FILE)
    for chain in ([*roots, draft] if draft else [], roots):
        for targets in (drafted, current):
            if chain and targets is not None:
                yield [one for one in chain if one is not None], targets


def _published(
    directory: Path,
    roots: list[Metadata[Root]],
    targets: Metadata[Targets],
    key: SigningKey,
    now_s: int,
) -> Ring:
    """The ring that readers would see with these; refused unless they would follow it."""
    expires, judge = moment(now_s + ONLINE_DAYS * DAY_S), roots[-1].signed
    before = load_any(directory, Snapshot, SNAPSHOT_FILE)
    snapshot = Metadata(
        Snapshot(
            version=1 if before is None else before.signed.version + 1,
            expires=expires,
            meta={
                TARGETS_FILE: MetaFile.from_data(targets.signed.version, write(targets), ["sha256"])
            },
        )
    )
    _add_signature(snapshot, (judge,), key)
    latest = load_any(directory, Timestamp, TIMESTAMP_FILE)
    timestamp = Metadata(
        Timestamp(
            version=1 if latest is None else latest.signed.version + 1,
            expires=expires,
            snapshot_meta=MetaFile.from_data(snapshot.signed.version, write(snapshot), ["sha256"]),
        )
    )
    _add_signature(timestamp, (judge,), key)
    files = RingFiles(
        tuple(write(one) for one in roots), write(timestamp), write(snapshot), write(targets)
    )
    return follow(None, files)


def _drop_published(directory: Path, ring: Ring) -> None:
    """Drafts that are in place now are none any more."""
    root, targets = (
        load_any(directory, Root, DRAFT_ROOT),
        load_any(directory, Targets, DRAFT_TARGETS),
    )
    if root is not None and root.signed.version <= ring.root.signed.version:
        (directory / DRAFT_ROOT).unlink()
    if targets is not None and targets.signed.version <= ring.targets.signed.version:
        (directory / DRAFT_TARGETS).unlink()


# -- inside


def _add_signature(found: Metadata[Part], judges: Iterable[Root], key: SigningKey) -> bool:
    """Sign a draft if that key may; signatures that no longer count go."""
    role = found.signed.type
    results = [
        root.get_verification_result(role, found.signed_bytes, found.signatures) for root in judges
    ]
    if all(result.verified for result in results):
        return False
    good = {keyid for result in results for keyid in result.signed}
    waiting = {keyid for result in results for keyid in result.unsigned}
    found.signatures = {name: one for name, one in found.signatures.items() if name in good}
    if key.keyid not in waiting:
        return False
    sign(found, key.keyid, key.private.sign(found.signed_bytes))
    return True


def _give(root: Root, role: str, holders: Holders) -> None:
    if role not in _TUF_ROLES:
        raise UsageError(
            "no-such-role",
            f"a ring has no role {role!r}",
            why=f"it has: {', '.join(_TUF_ROLES)}",
            fix="see `credenza ring show`",
        )
    keys = _named(holders.keys, holders.threshold)
    for name in _TUF_ROLES[role]:
        root.roles[name] = Role(list(keys), holders.threshold)
    root.keys = _used({**root.keys, **keys}, root.roles.values())


def _named(keys: Iterable[str], threshold: int) -> dict[str, Key]:
    """Keys by their names, so that one that is given twice is one."""
    found = {key.keyid: key for key in map(tuf_key, keys)}
    if not 1 <= threshold <= len(found):
        raise UsageError(
            "bad-threshold",
            f"{threshold} signatures of {len(found)} different keys cannot be",
            why="a threshold is at least 1, and at most the number of different keys",
            fix="give more keys, or a lower --threshold",
        )
    return found


def _used(keys: dict[str, Key], roles: Iterable[Role]) -> dict[str, Key]:
    named = {keyid for role in roles for keyid in role.keyids}
    return {keyid: keys[keyid] for keyid in sorted(named)}


def _roles(targets: Targets) -> dict[str, DelegatedRole]:
    found = targets.delegations and targets.delegations.roles
    return dict(found or {})


def _delegations(keys: dict[str, Key], roles: dict[str, DelegatedRole]) -> Delegations:
    return Delegations(_used(keys, roles.values()), dict(sorted(roles.items())))


def _root_draft(directory: Path, now_s: int) -> Root:
    """The draft that is there, or one of the version after the newest root."""
    found = load_any(directory, Root, DRAFT_ROOT)
    if found is None:
        roots = load_roots(directory)
        if not roots:
            raise no_ring(directory)
        found = roots[-1]
        found.signed.version += 1
    found.signed.expires = moment(now_s + ROOT_DAYS * DAY_S)
    return found.signed


def _targets_draft(directory: Path, now_s: int) -> Targets:
    found = load_any(directory, Targets, DRAFT_TARGETS)
    if found is None:
        found = load(directory, Targets, TARGETS_FILE)
        found.signed.version += 1
    found.signed.expires = moment(now_s + TARGETS_DAYS * DAY_S)
    return found.signed


def _save_root(directory: Path, root: Root) -> None:
    check_keys(root.keys, root.roles.values())
    save(directory, DRAFT_ROOT, Metadata(root))


def _save_targets(directory: Path, targets: Targets) -> None:
    mandates_of(targets, 0)
    save(directory, DRAFT_TARGETS, Metadata(targets))
