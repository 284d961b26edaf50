"""The key ring follows TUF's client rules: python-tuf's own cases, by its names for them.

Each look at the simulated ring is also taken by python-tuf's ``Updater``, which must agree.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
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
from tuf.ngclient import FetcherInterface, Updater

from credenza.core.errors import UntrustedError
from credenza.provenance.keys import SigningKey, key_from_seed
from credenza.provenance.ring import Ring, RingFiles, check_fresh, follow
from credenza.provenance.ring_form import sign, tuf_key, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from credenza.provenance.ring_form import Part

ROOT, TIMESTAMP, SNAPSHOT, TARGETS = "root", "timestamp", "snapshot", "targets"
NOW_S = 1_700_000_000
LATER, PAST = dt.datetime(2900, 1, 1, tzinfo=dt.UTC), dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
UNTIL = "2800-01-01T00:00:00Z"


def key(number: int) -> SigningKey:
    return key_from_seed(number.to_bytes(32, "big"))


def held(*keys: SigningKey) -> dict[str, Key]:
    return {each.keyid: tuf_key(each.public) for each in keys}


class RingSimulator:
    """A ring's keepers, honest or not, in memory: what they publish is what they are set to.

    Attributes:
        signers: who signs each role, whatever the root says.
        fetched: files that are served in place of those that were published.
    """

    def __init__(self) -> None:
        self.signers = {
            ROOT: [key(1), key(2), key(3)],
            TIMESTAMP: [key(4)],
            SNAPSHOT: [key(5)],
            TARGETS: [key(6)],
        }
        self.root = Root(expires=LATER, consistent_snapshot=False)
        self.targets = Targets(expires=LATER)
        self.snapshot = Snapshot(expires=LATER)
        self.timestamp = Timestamp(expires=LATER)
        self.fetched: dict[str, bytes] = {}
        self._published: dict[str, bytes] = {}
        for role, threshold in ((ROOT, 2), (TIMESTAMP, 1), (SNAPSHOT, 1), (TARGETS, 1)):
            self.give(role, threshold)
        self.delegate("acme", key(20))
        self.publish_root()
        self.publish()

    def give(self, role: str, threshold: int = 1) -> None:
        """The root names the role's signers as they are now."""
        keys = held(*self.signers[role])
        self.root.roles[role] = Role(list(keys), threshold)
        self.root.keys = {**self.root.keys, **keys}

    def delegate(self, source: str, *keys: SigningKey, threshold: int = 1) -> None:
        known = self.targets.delegations or Delegations({}, {})
        role = DelegatedRole(
            source,
            list(held(*keys)),
            threshold,
            terminating=True,
            paths=["flights/*"],
            unrecognized_fields={"expires": UNTIL},
        )
        self.targets.delegations = Delegations(
            {**known.keys, **held(*keys)}, {**(known.roles or {}), source: role}
        )

    def publish_root(self, *more: SigningKey) -> None:
        name = f"{self.root.version}.root.json"
        self._published[name] = self.signed(self.root, *self.signers[ROOT], *more)

    def next_root(self, *more: SigningKey) -> None:
        self.root.version += 1
        self.publish_root(*more)

    def publish(self) -> None:
        """Targets, snapshot and timestamp, each naming the one before."""
        targets = self.signed(self.targets, *self.signers[TARGETS])
        self.snapshot.meta = {
            "targets.json": MetaFile.from_data(self.targets.version, targets, ["sha256"])
        }
        self.publish_online(targets)

    def publish_online(self, targets: bytes) -> None:
        snapshot = self.signed(self.snapshot, *self.signers[SNAPSHOT])
        self.timestamp.snapshot_meta = MetaFile.from_data(
            self.snapshot.version, snapshot, ["sha256"]
        )
        self._published |= {
            "targets.json": targets,
            "snapshot.json": snapshot,
            "timestamp.json": self.signed(self.timestamp, *self.signers[TIMESTAMP]),
        }

    def publish_next(self, *, targets: int = 0, snapshot: int = 1, timestamp: int = 1) -> None:
        """Publish with the versions raised by so much."""
        self.targets.version += targets
        self.snapshot.version += snapshot
        self.timestamp.version += timestamp
        self.publish()

    @staticmethod
    def signed(part: Part, *signers: SigningKey) -> bytes:
        found: Metadata[Part] = Metadata(part)
        for signer in signers:
            sign(found, signer.keyid, signer.private.sign(found.signed_bytes))
        return write(found)

    def file(self, name: str) -> bytes | None:
        return self.fetched.get(name, self._published.get(name))

    def files(self, after: int) -> RingFiles:
        """As a reader fetches them: roots one after another as long as there is a next."""
        roots: list[bytes] = []
        while (data := self.file(f"{after + len(roots) + 1}.root.json")) is not None:
            roots.append(data)
        rest = [self.file(f"{role}.json") or b"" for role in (TIMESTAMP, SNAPSHOT, TARGETS)]
        return RingFiles(tuple(roots), *rest)


class Wire(FetcherInterface):
    """What python-tuf fetches from a simulated ring."""

    def __init__(self, ring: RingSimulator) -> None:
        self._ring = ring

    def _fetch(self, url: str) -> Iterator[bytes]:
        data = self._ring.file(urlsplit(url).path.lstrip("/"))
        if data is None:
            raise DownloadHTTPError(url, 404)
        yield data


@dataclass
class Reader:
    """Who follows a ring, and python-tuf beside, which keeps its files in ``folder``."""

    ring: RingSimulator
    folder: Path
    trusted: Ring | None = None
    first: bytes = field(default=b"")

    def __post_init__(self) -> None:
        self.first = self.first or self.ring.file("1.root.json") or b""

    def look(self, *, agree: bool = True) -> Ring:
        """Look once more; ``agree=False`` where we refuse and python-tuf has no such rule."""
        other = self._look_of_tuf()
        try:
            now = follow(self.trusted, self.ring.files(self._root_version))
            check_fresh(now, NOW_S)
        except UntrustedError:
            assert not agree or not other, "we refuse and python-tuf accepts"
            raise
        assert not agree or other, "we accept and python-tuf refuses"
        self.trusted = now
        return now

    @property
    def _root_version(self) -> int:
        return 0 if self.trusted is None else self.trusted.versions[ROOT]

    def _look_of_tuf(self) -> bool:
        try:
            Updater(
                str(self.folder), "http://ring/", fetcher=Wire(self.ring), bootstrap=self.first
            ).refresh()
        except (DownloadError, RepositoryError):
            return False
        return True


@pytest.fixture
def ring() -> RingSimulator:
    return RingSimulator()


@pytest.fixture
def reader(ring: RingSimulator, tmp_path: Path) -> Reader:
    """One who has looked at the ring once."""
    made = Reader(ring, tmp_path)
    made.look()
    return made


def refused(reader: Reader, code: str, *, agree: bool = True) -> UntrustedError:
    with pytest.raises(UntrustedError) as refusal:
        reader.look(agree=agree)
    assert refusal.value.code == code, str(refusal.value)
    assert refusal.value.why
    assert refusal.value.fix
    return refusal.value


# -- test_updater_top_level_update.py: the root


def test_threat_05_first_time_refresh(ring: RingSimulator, tmp_path: Path) -> None:
    ring.next_root()
    seen = Reader(ring, tmp_path).look()
    assert seen.versions == {ROOT: 2, TIMESTAMP: 1, SNAPSHOT: 1, TARGETS: 1}
    mandate = seen.mandates["acme"]
    assert (mandate.keys, mandate.threshold) == ((key(20).public,), 1)
    assert mandate.datasets == ("flights",)


def test_threat_05_trusted_root_unsigned(ring: RingSimulator, tmp_path: Path) -> None:
    ring.fetched["1.root.json"] = ring.signed(ring.root, key(1))
    refused(Reader(ring, tmp_path), "ring-signatures")


def test_threat_05_trusted_root_expired(ring: RingSimulator, tmp_path: Path) -> None:
    ring.root.expires = PAST
    ring.publish_root()
    reader = Reader(ring, tmp_path)
    refused(reader, "ring-expired")
    ring.root.expires = LATER
    ring.next_root()
    assert reader.look().versions[ROOT] == 2


def test_threat_05_intermediate_root_expired(reader: Reader, ring: RingSimulator) -> None:
    ring.root.expires = PAST
    ring.next_root()
    ring.root.expires = LATER
    ring.next_root()
    assert reader.look().versions[ROOT] == 3


def test_threat_05_intermediate_root_incorrectly_signed(
    reader: Reader, ring: RingSimulator
) -> None:
    ring.signers[ROOT] = [key(7), key(8)]
    ring.next_root()
    ring.signers[ROOT] = [key(1), key(2)]
    ring.next_root()
    refused(reader, "ring-signatures")


def test_threat_05_final_root_incorrectly_signed(reader: Reader, ring: RingSimulator) -> None:
    ring.signers[ROOT] = [key(1)]
    ring.next_root()
    refused(reader, "ring-signatures")


def test_threat_05_new_root_same_version(reader: Reader, ring: RingSimulator) -> None:
    ring.fetched["2.root.json"] = ring.file("1.root.json") or b""
    refused(reader, "ring-rollback")


def test_threat_05_new_root_nonconsecutive_version(reader: Reader, ring: RingSimulator) -> None:
    ring.root.version = 3
    ring.publish_root()
    ring.fetched["2.root.json"] = ring.file("3.root.json") or b""
    refused(reader, "ring-rollback")


def test_threat_05_final_root_expired(reader: Reader, ring: RingSimulator) -> None:
    ring.root.expires = PAST
    ring.next_root()
    assert "root" in refused(reader, "ring-expired").what


# -- timestamp


def test_threat_05_new_timestamp_unsigned(reader: Reader, ring: RingSimulator) -> None:
    ring.signers[TIMESTAMP] = []
    ring.publish_next()
    refused(reader, "ring-signatures")


def test_threat_05_new_timestamp_version_rollback(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next(timestamp=1)
    reader.look()
    ring.publish_next(snapshot=0, timestamp=-1)
    refused(reader, "ring-rollback")


def test_threat_05_new_timestamp_snapshot_rollback(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next(snapshot=1)
    reader.look()
    ring.publish_next(snapshot=-1)
    refused(reader, "ring-rollback")


def test_threat_05_new_timestamp_expired(reader: Reader, ring: RingSimulator) -> None:
    ring.timestamp.expires = PAST
    ring.publish_next()
    assert "timestamp" in refused(reader, "ring-expired").what


def test_threat_05_new_timestamp_fast_forward_recovery(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next(timestamp=99_998)
    reader.look()
    ring.signers[TIMESTAMP] = [key(9)]  # its key was stolen: the root names another
    ring.give(TIMESTAMP)
    ring.next_root()
    ring.timestamp.version = 1
    ring.publish_next(timestamp=0)
    assert reader.look().versions[TIMESTAMP] == 1


def test_threat_05_a_fast_forward_without_rotation_is_not_recovered_from(
    reader: Reader, ring: RingSimulator
) -> None:
    ring.publish_next(timestamp=99_998)
    reader.look()
    ring.next_root()
    ring.timestamp.version = 2
    ring.publish_next(timestamp=0)
    refused(reader, "ring-rollback")


def test_threat_05_two_timestamps_of_one_version_are_no_ring(
    reader: Reader, ring: RingSimulator
) -> None:
    ring.publish_next(targets=1, timestamp=0)
    refused(reader, "ring-mix", agree=False)  # python-tuf goes on with the one it has


def test_threat_05_a_frozen_ring_is_followed_until_its_timestamp_expires(
    reader: Reader, ring: RingSimulator
) -> None:
    ring.timestamp.expires = dt.datetime.fromtimestamp(NOW_S + 60, tz=dt.UTC)
    ring.publish_next()
    held_back = follow(reader.trusted, ring.files(1))
    check_fresh(held_back, NOW_S + 59)
    with pytest.raises(UntrustedError) as refusal:
        check_fresh(held_back, NOW_S + 60)
    assert refusal.value.code == "ring-expired"
    assert held_back.mandates["acme"].until_s == NOW_S + 60


# -- snapshot


def test_threat_05_new_snapshot_hash_mismatch(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next()
    ring.snapshot.expires -= dt.timedelta(days=1)
    ring.fetched["snapshot.json"] = ring.signed(ring.snapshot, *ring.signers[SNAPSHOT])
    refused(reader, "ring-mix")


def test_threat_05_new_snapshot_unsigned(reader: Reader, ring: RingSimulator) -> None:
    ring.signers[SNAPSHOT] = []
    ring.publish_next()
    refused(reader, "ring-signatures")


def test_threat_05_new_snapshot_version_mismatch(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next()
    assert ring.timestamp.snapshot_meta.version == 2
    ring.timestamp.snapshot_meta.version = 3
    ring.fetched["timestamp.json"] = ring.signed(ring.timestamp, *ring.signers[TIMESTAMP])
    refused(reader, "ring-mix")


def test_threat_05_new_snapshot_version_rollback(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next(targets=1)
    reader.look()
    ring.publish_next(targets=-1)
    refused(reader, "ring-rollback")


def test_threat_05_new_snapshot_fast_forward_recovery(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next(snapshot=99_998)
    reader.look()
    for role in (SNAPSHOT, TIMESTAMP):
        ring.signers[role] = [key(9)]
        ring.give(role)
    ring.next_root()
    ring.snapshot.version = 1
    ring.publish_next(snapshot=0)
    assert reader.look().versions[SNAPSHOT] == 1


def test_threat_05_new_snapshot_expired(reader: Reader, ring: RingSimulator) -> None:
    ring.snapshot.expires = PAST
    ring.publish_next()
    assert "snapshot" in refused(reader, "ring-expired").what


# -- targets


def test_threat_05_new_targets_hash_mismatch(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next(targets=1)
    ring.delegate("mallory", key(66))
    ring.fetched["targets.json"] = ring.signed(ring.targets, *ring.signers[TARGETS])
    refused(reader, "ring-mix")


def test_threat_05_new_targets_unsigned(reader: Reader, ring: RingSimulator) -> None:
    ring.signers[TARGETS] = []
    ring.publish_next(targets=1)
    refused(reader, "ring-signatures")


def test_threat_05_new_targets_version_mismatch(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next(targets=1)
    ring.snapshot.meta["targets.json"].version = 3
    ring.publish_online(ring.file("targets.json") or b"")
    refused(reader, "ring-mix")


def test_threat_05_new_targets_expired(reader: Reader, ring: RingSimulator) -> None:
    ring.targets.expires = PAST
    ring.publish_next(targets=1)
    assert "targets" in refused(reader, "ring-expired").what


def test_threat_05_targets_fast_forward_recovery(reader: Reader, ring: RingSimulator) -> None:
    ring.publish_next(targets=99_998)
    reader.look()
    ring.signers[SNAPSHOT] = [key(9)]
    ring.give(SNAPSHOT)
    ring.next_root()
    ring.targets.version = 1
    ring.publish_next()
    assert reader.look().versions[TARGETS] == 1


def test_threat_05_a_mix_of_two_moments_is_refused(reader: Reader, ring: RingSimulator) -> None:
    old = {f"{role}.json": ring.file(f"{role}.json") or b"" for role in (SNAPSHOT, TARGETS)}
    ring.delegate("ajax", key(21))
    ring.publish_next(targets=1)
    for name, data in old.items():
        ring.fetched = {name: data}
        refused(reader, "ring-mix")
    ring.fetched = {}
    assert set(reader.look().mandates) == {"acme", "ajax"}


# -- test_updater_key_rotations.py


@pytest.mark.parametrize(
    ("signers", "after", "threshold", "passes"),
    [
        ([1, 2, 3], [1, 2, 3], 2, True),
        ([1, 2, 4], [1, 2, 4], 2, True),
        ([1, 2, 4, 5], [4, 5, 6], 2, True),
        ([1, 4, 5], [4, 5, 6], 2, False),  # too few of the old
        ([1, 2, 4], [4, 5, 6], 2, False),  # too few of the new
        ([4, 5, 6], [4, 5, 6], 2, False),  # none of the old
        ([1, 2], [1, 2, 3], 3, False),  # the threshold grew
        ([1, 2, 3], [1, 2, 3], 3, True),
        ([1, 2], [1], 1, True),  # and shrank
        ([1], [1], 1, False),  # but the old one still held
    ],
)
def test_threat_05_root_rotation(
    signers: list[int], after: list[int], threshold: int, passes: bool, tmp_path: Path
) -> None:
    ring = RingSimulator()  # two of the keys 1, 2, 3
    reader = Reader(ring, tmp_path)
    reader.look()
    ring.signers[ROOT] = [key(number) for number in after]
    ring.give(ROOT, threshold)
    ring.signers[ROOT] = [key(number) for number in signers]
    ring.next_root()
    if passes:
        assert reader.look().versions[ROOT] == 2
    else:
        refused(reader, "ring-signatures")


@pytest.mark.parametrize("role", [TIMESTAMP, SNAPSHOT, TARGETS])
def test_threat_05_non_root_rotations(role: str, reader: Reader, ring: RingSimulator) -> None:
    ring.signers[role] = [key(30), key(31)]
    ring.publish_next(targets=1)
    refused(reader, "ring-signatures")  # new keys before the root names them
    ring.give(role, threshold=2)
    ring.next_root()
    assert reader.look().versions[role] == 2
    ring.signers[role] = [key(30)]
    ring.publish_next(targets=1)
    refused(reader, "ring-signatures")


def test_threat_05_a_signature_that_does_not_count_is_refused(
    reader: Reader, ring: RingSimulator
) -> None:
    ring.signers[TARGETS] = [key(6), key(99)]
    ring.publish_next(targets=1)
    refused(reader, "ring-signatures", agree=False)  # python-tuf leaves it aside


# -- what a ring says, and what no ring may say


def test_threat_02_python_tuf_takes_one_key_under_two_ids_and_a_ring_does_not(
    ring: RingSimulator, tmp_path: Path
) -> None:
    one = key(6)
    twin = Key.from_dict("another-name", tuf_key(one.public).to_dict())
    ring.root.keys["another-name"] = twin
    ring.root.roles[TARGETS] = Role([one.keyid, "another-name"], 2)
    ring.publish_root()
    targets: Metadata[Targets] = Metadata(ring.targets)
    for name in (one.keyid, "another-name"):
        sign(targets, name, one.private.sign(targets.signed_bytes))
    ring.snapshot.meta["targets.json"] = MetaFile.from_data(1, write(targets), ["sha256"])
    ring.publish_online(write(targets))
    reader = Reader(ring, tmp_path)
    assert reader._look_of_tuf()
    refused(reader, "two-ids", agree=False)


def test_threat_02_a_delegated_key_has_one_name_and_one_source(
    reader: Reader, ring: RingSimulator
) -> None:
    ring.delegate("ajax", key(20))
    ring.publish_next(targets=1)
    assert "two sources" in refused(reader, "bad-ring", agree=False).why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"paths": ["*"]}, "DATASET"),
        ({"paths": ["../*"]}, "DATASET"),
        ({"paths": []}, "paths"),
        ({"terminating": False}, "paths"),
        ({"threshold": 2}, "2 signatures of 1"),
        ({"unrecognized_fields": {}}, "expiry"),
        ({"unrecognized_fields": {"expires": "soon"}}, "moment"),
        ({"unrecognized_fields": {"expires": "2026-02-30T00:00:00Z"}}, "does not exist"),
        ({"unrecognized_fields": {"expires": UNTIL, "also": "x"}}, "expiry"),
        ({"name": "No Source"}, "named like"),
    ],
)
def test_a_delegation_without_one_meaning_is_refused(
    change: dict[str, object], why: str, reader: Reader, ring: RingSimulator
) -> None:
    assert ring.targets.delegations is not None
    assert ring.targets.delegations.roles is not None
    role = ring.targets.delegations.roles.pop("acme")
    for name, value in change.items():
        setattr(role, name, value)
    ring.targets.delegations.roles[role.name] = role
    ring.publish_next(targets=1)
    assert why in refused(reader, "bad-ring", agree=False).why


def test_a_ring_lists_no_targets(reader: Reader, ring: RingSimulator) -> None:
    ring.targets.unrecognized_fields["note"] = "hello"
    ring.publish_next(targets=1)
    assert "unknown field" in refused(reader, "bad-ring", agree=False).why


def test_a_mandate_ends_with_the_first_part_of_the_ring_that_does(
    reader: Reader, ring: RingSimulator
) -> None:
    assert reader.trusted is not None
    assert reader.trusted.mandates["acme"].until_s == 26_192_246_400  # 2800-01-01
    ring.snapshot.expires = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    ring.publish_next()
    assert reader.look().mandates["acme"].until_s == 4_102_444_800
