"""The key ring as its keepers write it: a directory of TUF metadata.

``N.root.json`` for each version of the root, ``targets.json``, ``snapshot.json`` and
``timestamp.json``. What changes is a draft until enough keys have signed it, one after
another, on as many machines as there are keepers: the directory travels. ``publish``
then writes the snapshot and timestamp with which readers take it up.
"""

from __future__ import annotations

import os
import re
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
from credenza.core.types import Limits
from credenza.provenance.intake.limits import open_regular
from credenza.provenance.ring import EXPIRES, Ring, RingFiles, follow, mandates_of
from credenza.provenance.ring_form import (
    MAX_FILE_BYTES,
    check_keys,
    moment,
    read,
    sign,
    tuf_key,
    write,
)
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

_ROOT_FILE = re.compile(r"([1-9][0-9]{0,5})\.root\.json\Z")
_TIMESTAMP, _SNAPSHOT, _TARGETS = "timestamp.json", "snapshot.json", "targets.json"
_TUF_ROLES = {
    "root": (Root.type,),
    "targets": (Targets.type,),
    ONLINE: (Snapshot.type, Timestamp.type),
}


class Holders(NamedTuple):
    """Who holds a role: public keys (64 hex digits), and how many of them must sign."""

    keys: tuple[str, ...]
    threshold: int


class Page(NamedTuple):
    """How one metadata file stands.

    Attributes:
        signed: keys of its role that have signed it, of those the newest root names.
        expires_s: in seconds since the epoch.
    """

    role: str
    version: int
    expires_s: int
    signed: int
    threshold: int
    keys: int

    @property
    def complete(self) -> bool:
        """Enough keys have signed."""
        return self.signed >= self.threshold


class Outlook(NamedTuple):
    """A ring as a person looks at it."""

    pages: tuple[Page, ...]
    mandates: dict[str, Mandate]


# -- writing


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
    roots = _roots(directory)
    root, before = roots[-1], roots[-2] if len(roots) > 1 else roots[-1]
    targets = _load(directory, Targets, _TARGETS)
    signed = []
    if _add_signature(root, (before.signed, root.signed), key):
        _save(directory, f"{root.signed.version}.root.json", root)
        signed.append(Root.type)
    if _add_signature(targets, (root.signed,), key):
        _save(directory, _TARGETS, targets)
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
    root = _roots(directory)[-1]
    expires = moment(now_s + ONLINE_DAYS * DAY_S)
    targets = _bytes(directory / _TARGETS)
    version = read(Targets, targets).signed.version
    snapshot = Metadata(
        Snapshot(
            version=_latest(directory, Snapshot, _SNAPSHOT) + 1,
            expires=expires,
            meta={_TARGETS: MetaFile.from_data(version, targets, ["sha256"])},
        )
    )
    _add_signature(snapshot, (root.signed,), key)
    page = write(snapshot)
    timestamp = Metadata(
        Timestamp(
            version=_latest(directory, Timestamp, _TIMESTAMP) + 1,
            expires=expires,
            snapshot_meta=MetaFile.from_data(snapshot.signed.version, page, ["sha256"]),
        )
    )
    _add_signature(timestamp, (root.signed,), key)
    roots = tuple(write(one) for one in _roots(directory))
    ring = follow(None, RingFiles(roots, write(timestamp), page, targets))
    _save(directory, _SNAPSHOT, snapshot)
    _save(directory, _TIMESTAMP, timestamp)
    return ring


# -- reading


def published(directory: Path, after: int) -> RingFiles:
    """What a reader fetches who trusts version ``after`` of the root (0: none yet).

    Raises:
        NotFoundError: a file is missing.
        UntrustedError: one is not a regular file, or too large.
    """
    numbers = [number for number in _root_numbers(directory) if number > after]
    return RingFiles(
        tuple(_bytes(directory / f"{number}.root.json") for number in numbers),
        *(_bytes(directory / name) for name in (_TIMESTAMP, _SNAPSHOT, _TARGETS)),
    )


def outlook(directory: Path) -> Outlook:
    """How the drafts and what is published stand.

    Raises:
        NotFoundError: there is no ring.
    """
    roots = _roots(directory)
    targets = _load(directory, Targets, _TARGETS)
    before = roots[-2:][0].signed  # a root is judged by the one before it, and by itself
    root = min(_page(roots[-1], before), _page(roots[-1], roots[-1].signed), key=_open)
    pages = [root, _page(targets, roots[-1].signed)]
    if (directory / _TIMESTAMP).exists():
        pages.append(_page(_load(directory, Snapshot, _SNAPSHOT), roots[-1].signed))
        pages.append(_page(_load(directory, Timestamp, _TIMESTAMP), roots[-1].signed))
    return Outlook(tuple(pages), mandates_of(targets.signed, min(p.expires_s for p in pages)))


def outlook_of(ring: Ring) -> Outlook:
    """The same of a ring that is followed."""
    root = ring.root.signed
    pages = (
        _page(ring.root, root),
        _page(ring.targets, root),
        _page(ring.snapshot, root),
        _page(ring.timestamp, root),
    )
    return Outlook(pages, dict(ring.mandates))


# -- inside


def _open(page: Page) -> int:
    """Signatures beyond the threshold; below zero, how many are missing."""
    return page.signed - page.threshold


def _page(found: Metadata[Part], root: Root) -> Page:
    result = root.get_verification_result(found.signed.type, found.signed_bytes, found.signatures)
    return Page(
        found.signed.type,
        found.signed.version,
        int(found.signed.expires.timestamp()),
        len(result.signed),
        result.threshold,
        len(root.roles[found.signed.type].keyids),
    )


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
    roots = _roots(directory)
    newest = roots[-1].signed
    judges = [one.signed for one in roots[-2:]]
    if all(_page(roots[-1], judge).complete for judge in judges):
        newest.version += 1
    newest.expires = moment(now_s + ROOT_DAYS * DAY_S)
    return newest


def _targets_draft(directory: Path, now_s: int) -> Targets:
    found = _load(directory, Targets, _TARGETS)
    if _page(found, _roots(directory)[-1].signed).complete:
        found.signed.version += 1
    found.signed.expires = moment(now_s + TARGETS_DAYS * DAY_S)
    return found.signed


def _save_root(directory: Path, root: Root) -> None:
    check_keys(root.keys, root.roles.values())
    _save(directory, f"{root.version}.root.json", Metadata(root))


def _save_targets(directory: Path, targets: Targets) -> None:
    mandates_of(targets, 0)
    _save(directory, _TARGETS, Metadata(targets))


def _latest(directory: Path, kind: type[Part], name: str) -> int:
    """The version that lies there; 0 when none was published yet."""
    return _load(directory, kind, name).signed.version if (directory / name).exists() else 0


def _root_numbers(directory: Path) -> list[int]:
    """Versions of the root that lie there, in order."""
    names = sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []
    numbers = sorted(int(found[1]) for name in names if (found := _ROOT_FILE.match(name)))
    if not numbers:
        raise NotFoundError(
            "no-ring",
            f"there is no key ring in {directory.name!r}",
            why="it holds no N.root.json",
            fix="make one with `credenza ring init`",
        )
    return numbers


def _roots(directory: Path) -> list[Metadata[Root]]:
    return [_load(directory, Root, f"{number}.root.json") for number in _root_numbers(directory)]


def _load(directory: Path, kind: type[Part], name: str) -> Metadata[Part]:
    return read(kind, _bytes(directory / name))


def _bytes(path: Path) -> bytes:
    if not path.exists():
        raise NotFoundError(
            "no-ring",
            f"the key ring has no {path.name}",
            why="it is not complete" if path.name == _TARGETS else "it was not published yet",
            fix="have its keepers sign, then run `credenza ring publish`",
        )
    with os.fdopen(open_regular(path, Limits(file_bytes=MAX_FILE_BYTES)), "rb") as file:
        return file.read(MAX_FILE_BYTES)


def _save(directory: Path, name: str, found: Metadata[Part]) -> None:
    """Whole or not at all: a keeper's machine may stop at any moment."""
    page = write(found)
    waiting = directory / f".{name}"
    with waiting.open("wb") as file:
        file.write(page)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(directory / name)
