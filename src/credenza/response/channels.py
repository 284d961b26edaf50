"""Channels: names such as ``prod`` that point to a version or a release of a dataset.

A move is a ledger event and nothing else, so going back costs the same for ten rows and
for ten billion. A channel says what *should* be trained on; what was, the training runs
say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.gate.excision import refuse_excised
from credenza.gate.journal import Event
from credenza.gate.releases import release_digest
from credenza.store.rows import ChannelRow, ReleaseRow, VersionRow

if TYPE_CHECKING:
    from credenza.gate.stores import Stores

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a channel points.

    Attributes:
        version: None when it was emptied.
        release: digest; "" for a version that was not released.
        index: ledger index of the move that brought it here.
        previous: ledger index of the move before, None for the first.
    """

    dataset: str
    name: str
    version: int | None
    release: str
    reason: str
    index: int
    previous: int | None


def channels(stores: Stores, dataset: str | None = None) -> list[Channel]:
    """Every channel where it points now, by dataset and name."""
    wanted = {} if dataset is None else {"dataset": dataset}
    with stores.journal.catalog.snapshot() as index:
        moves = index.find(ChannelRow, **wanted)
    newest = {(move.dataset, move.channel): _channel(move) for move in moves}
    return [newest[key] for key in sorted(newest)]


def channel(stores: Stores, dataset: str, name: str) -> Channel:
    """One channel.

    Raises:
        NotFoundError: nothing was ever moved there.
    """
    with stores.journal.catalog.snapshot() as index:
        move = index.newest(ChannelRow, dataset=dataset, channel=name)
    if move is None:
        known = ", ".join(one.name for one in channels(stores, dataset)) or "none"
        raise NotFoundError(
            "no-such-channel",
            f"{dataset!r} has no channel {name[:70]!r}",
            why=f"its channels are: {known}",
            fix=f"run `credenza channel move {dataset} NAME --version N`",
        )
    return _channel(move)


def history(stores: Stores, dataset: str, name: str) -> list[Channel]:
    """Where a channel pointed, oldest move first."""
    with stores.journal.catalog.snapshot() as index:
        moves = index.find(ChannelRow, dataset=dataset, channel=name)
    return [_channel(move) for move in moves]


def moved(  # noqa: PLR0917 - the words of one move
    stores: Stores, dataset: str, name: str, version: int | None, release: str, reason: str
) -> Event:
    """The event that points a channel to a version or a release, if it may be pointed there.

    Args:
        stores: the workspace.
        dataset: its name.
        name: the channel, made by its first move.
        version: of the dataset; the release's own when a release is given.
        release: first digits of its digest, "" for none.
        reason: goes into the ledger.

    Raises:
        UsageError: no reason, an unfit name, or neither version nor release.
        NotFoundError: no such version or release.
        ConflictError: it was recalled, or holds excised rows.
    """
    if not _NAME.match(name):
        raise UsageError(
            "bad-channel-name",
            f"{name[:80]!a} cannot name a channel",
            why="a name has up to 64 of a-z, 0-9, - and _, and starts with a letter or digit",
            fix="name it with 1 to 64 of a-z, 0-9, '.', '_', '-'",
        )
    if release:
        found = _release(stores, dataset, release)
        release, version = found.digest, found.version
    _check(stores, dataset, version)
    with stores.journal.catalog.snapshot() as index:
        now = index.newest(ChannelRow, dataset=dataset, channel=name)
    previous = None if now is None else now.index
    return _event("moved", (dataset, name), (version, release), previous, reason)


def back(stores: Stores, dataset: str, name: str, reason: str) -> Event:
    """The event that points a channel to where it pointed before; again, to before that.

    Raises:
        NotFoundError: no such channel, or it never pointed anywhere else.
        ConflictError: that was recalled, or holds excised rows.
    """
    now = channel(stores, dataset, name)
    before = _at(stores, now, now.previous)
    if before is None:
        raise NotFoundError(
            "no-earlier-target",
            f"channel {name!r} of {dataset!r} never pointed anywhere else",
            why="it goes back along its own moves",
            fix="move it to a version or a release",
        )
    return rolled_back(stores, before, reason)


def emptied(now: Channel, reason: str) -> Event:
    """The event after which a channel points nowhere, so that nobody trains from it."""
    return _event("emptied", (now.dataset, now.name), (None, ""), now.index, reason)


def rolled_back(stores: Stores, before: Channel, reason: str) -> Event:
    """The event that makes an earlier move of a channel its present one, if it may be."""
    if before.version is not None:
        _check(stores, before.dataset, before.version)
    if before.release:
        _release(stores, before.dataset, before.release)
    target = (before.version, before.release)
    return _event("rolled-back", (before.dataset, before.name), target, before.previous, reason)


def _event(
    event: str,
    place: tuple[str, str],
    target: tuple[int | None, str],
    previous: int | None,
    reason: str,
) -> Event:
    """The channel at ``place`` (dataset, name) comes to point to a version and a release."""
    if not reason.strip():
        raise UsageError(
            "no-reason",
            "moving a channel needs a reason",
            why="the ledger keeps who moved what people train on, and why",
            fix="add --reason",
        )
    (dataset, name), (version, release) = place, target
    return Event(
        "channel",
        {
            "event": event,
            "dataset": dataset,
            "channel": name,
            "version": version,
            "release": release,
            "previous": previous,
            "reason": reason,
        },
    )


def _check(stores: Stores, dataset: str, version: int | None) -> None:
    if version is None:
        raise UsageError(
            "no-target",
            "name a version or a release for the channel",
            why="a channel points to one or the other",
            fix="add --version or --release",
        )
    with stores.journal.catalog.snapshot() as index:
        known = index.get(VersionRow, dataset, version)
    if known is None:
        raise NotFoundError(
            "no-such-version",
            f"{dataset!r} has no version {version}",
            why="the ledger knows of no publication by that number",
            fix=f"run `credenza dataset log {dataset}`",
        )
    refuse_excised(stores, dataset, version)


def _release(stores: Stores, dataset: str, prefix: str) -> ReleaseRow:
    with stores.journal.catalog.snapshot() as index:
        by_digest = {row.digest: row for row in index.find(ReleaseRow, dataset=dataset)}
    found = by_digest[release_digest(prefix, by_digest)]
    if found.standing != "good":
        raise ConflictError(
            "recalled",
            f"release {found.digest[:16]} is {found.standing}",
            why=found.reason,
            fix="point the channel to another release",
        )
    return found


def _at(stores: Stores, now: Channel, place: int | None) -> Channel | None:
    if place is None:
        return None
    with stores.journal.catalog.snapshot() as index:
        found = index.get(ChannelRow, now.dataset, now.name, place)
    return None if found is None else _channel(found)


def _channel(row: ChannelRow) -> Channel:
    return Channel(
        row.dataset, row.channel, row.version, row.release, row.reason, row.index, row.previous
    )
