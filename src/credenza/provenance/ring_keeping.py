"""The key ring as its keepers write it: a directory of TUF metadata.

``N.root.json`` for each version of the root, ``targets.json``, ``snapshot.json`` and
``timestamp.json``. What changes is a draft until enough keys have signed it, one after
another, on as many machines as there are keepers: the directory travels. ``publish``
then writes the snapshot and timestamp with which readers take it up.
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

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.provenance.ring import EXPIRES, Ring, RingFiles, follow, mandates_of
from credenza.provenance.ring_directory import (
    SNAPSHOT_FILE,
    TARGETS_FILE,
    TIMESTAMP_FILE,
    file_bytes,
    latest_version,
    load,
    load_roots,
    save,
)
from credenza.provenance.ring_form import (
    check_keys,
    moment,
    read,
    sign,
    tuf_key,
    write,
)
from credenza.provenance.ring_outlook import page_of
from credenza.provenance.roster import SOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Iterable
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
    roots = load_roots(directory)
    root, before = roots[-1], roots[-2] if len(roots) > 1 else roots[-1]
    targets = load(directory, Targets, TARGETS_FILE)
    signed = []
    if _add_signature(root, (before.signed, root.signed), key):
        save(directory, f"{root.signed.version}.root.json", root)
        signed.append(Root.type)
    if _add_signature(targets, (root.signed,), key):
        save(directory, TARGETS_FILE, targets)
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
    """Write the snapshot and timestamp of what is signed, so that readers take it up.

    Raises:
        UntrustedError: a draft lacks signatures, or the key is not the online one;
            nothing is written then.
    """
    root = load_roots(directory)[-1]
    expires = moment(now_s + ONLINE_DAYS * DAY_S)
    targets = file_bytes(directory / TARGETS_FILE)
    version = read(Targets, targets).signed.version
    snapshot = Metadata(
        Snapshot(
            version=latest_version(directory, Snapshot, SNAPSHOT_FILE) + 1,
            expires=expires,
            meta={TARGETS_FILE: MetaFile.from_data(version, targets, ["sha256"])},
        )
    )
    _add_signature(snapshot, (root.signed,), key)
    page = write(snapshot)
    timestamp = Metadata(
        Timestamp(
            version=latest_version(directory, Timestamp, TIMESTAMP_FILE) + 1,
            expires=expires,
            snapshot_meta=MetaFile.from_data(snapshot.signed.version, page, ["sha256"]),
        )
    )
    _add_signature(timestamp, (root.signed,), key)
    roots = tuple(write(one) for one in load_roots(directory))
    ring = follow(None, RingFiles(roots, write(timestamp), page, targets))
    save(directory, SNAPSHOT_FILE, snapshot)
    save(directory, TIMESTAMP_FILE, timestamp)
    return ring


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
            "no-such-role", f"a ring has no role {role!r}", why=f"it has: {', '.join(_TUF_ROLES)}"
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
    """The newest root, one version on if it is complete."""
    roots = load_roots(directory)
    newest = roots[-1].signed
    judges = [one.signed for one in roots[-2:]]
    if all(page_of(roots[-1], judge).complete for judge in judges):
        newest.version += 1
    newest.expires = moment(now_s + ROOT_DAYS * DAY_S)
    return newest


def _targets_draft(directory: Path, now_s: int) -> Targets:
    found = load(directory, Targets, TARGETS_FILE)
    if page_of(found, load_roots(directory)[-1].signed).complete:
        found.signed.version += 1
    found.signed.expires = moment(now_s + TARGETS_DAYS * DAY_S)
    return found.signed


def _save_root(directory: Path, root: Root) -> None:
    check_keys(root.keys, root.roles.values())
    save(directory, f"{root.version}.root.json", Metadata(root))


def _save_targets(directory: Path, targets: Targets) -> None:
    mandates_of(targets, 0)
    save(directory, TARGETS_FILE, Metadata(targets))
