"""A workspace that follows a key ring: the ring says who signs, the ledger says what it said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PendingError,
    UntrustedError,
    UsageError,
)
from credenza.core.keys import keyid_of
from credenza.gate import registry
from credenza.gate.journal import Event
from credenza.provenance.keys import SigningKey, key_from_seed, save_key
from credenza.provenance.ring_keeping import DAY_S, ONLINE_DAYS, Holders
from credenza.workspace import Workspace
from credenza.workspace.ring import Keepers
from credenza.workspace.warrants import Acting

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.gate.reception import Receipt

NOW_S = 1_800_000_000.0


class Clock:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


class Town:
    """Keepers with their ring, a workspace, and senders, all with keys in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.keepers = Keepers(folder / "ring", clock=self.clock)
        self.workspace = Workspace.init(folder / "home", clock=self.clock)
        pq.write_table(pa.table({"hour": [7, 19], "late": ["no", "yes"]}), folder / "june.parquet")
        root = Holders(tuple(self.key(name).public for name in "abc"), 2)
        self.keepers.begin(root, self.holders("steward"), [self.key("online").public])
        self.keepers.delegate("acme", self.holders("acme"), ["trips"])

    def key(self, name: str) -> SigningKey:
        made = key_from_seed(name.encode().ljust(32, b"."))
        if not (self.folder / f"{name}.key").exists():
            save_key(made, self.folder / f"{name}.key")
        return made

    def holders(self, *names: str, threshold: int = 1) -> Holders:
        return Holders(tuple(self.key(name).public for name in names), threshold)

    def publish(self, *signers: str) -> None:
        for name in signers:
            self.keepers.sign(str(self.folder / f"{name}.key"))
        self.keepers.publish(str(self.folder / "online.key"))

    def take(self) -> None:
        self.workspace.ring.take(self.folder / "ring")

    def submit(self, source: str, *keys: str, dataset: str = "trips") -> Receipt:
        return self.workspace.submit(
            [self.folder / "june.parquet"],
            source=source,
            key=[self.folder / f"{name}.key" for name in keys],
            dataset=dataset,
            label="late",
            collected=("2026-01-05", "2026-01-12"),
        )

    def refused(self, code: str, source: str, *keys: str, dataset: str = "trips") -> None:
        with pytest.raises(UntrustedError) as refusal:
            self.submit(source, *keys, dataset=dataset)
        assert refusal.value.code == code, str(refusal.value)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
    made.publish("a", "b", "steward")
    return made


def test_threat_05_the_ring_says_which_keys_sign_where_until_when(town: Town) -> None:
    town.key("mallory")
    town.take()
    town.workspace.add_source("acme")
    source = town.workspace.source("acme")
    assert source.keys == (town.key("acme").public,)
    assert source.until_s == NOW_S + ONLINE_DAYS * DAY_S
    town.refused("wrong-key", "acme", "mallory")
    town.refused("out-of-scope", "acme", "acme", dataset="hotels")
    assert town.submit("acme", "acme").status == "waiting"
    town.clock.now_s += ONLINE_DAYS * DAY_S
    town.refused("keys-lapsed", "acme", "acme")


def test_threat_16_a_governed_workspace_follows_a_ring_once_two_people_want_it(
    town: Town,
) -> None:
    pytest.importorskip("cedarpy")
    for name in ("ida", "otto"):
        town.workspace.members.add(name, [town.key(name).public], ["steward"])
    town.workspace.governance.start()
    with pytest.raises(ForbiddenError, match="who asks to follow ring"):
        town.take()
    town.workspace.warrants.acting = Acting(town.folder / "ida.key")
    with pytest.raises(PendingError):
        town.take()
    request = town.workspace.requests.all()[-1].digest
    town.workspace.requests.approve(request, town.folder / "otto.key")
    town.workspace.warrants.acting = Acting(request=request)
    town.take()
    town.workspace.warrants.acting = Acting()  # what the keepers publish is theirs to decide
    town.keepers.delegate("bolt", town.holders("bolt"), ["trips"])
    town.publish("steward")
    town.take()
    assert "bolt" in town.workspace.ring.outlook().mandates
    assert town.workspace.governance.audit().problems == ()


def test_threat_05_a_key_that_the_ring_does_not_delegate_is_not_registered(town: Town) -> None:
    town.take()
    for name, key in (("acme", "mallory"), ("mallory", "mallory")):
        with pytest.raises(UntrustedError) as refusal:
            town.workspace.add_source(name, [town.key(key).public])
        assert refusal.value.code == "not-delegated"


def test_threat_05_rotation_and_revocation_take_effect_with_the_import(town: Town) -> None:
    town.take()
    town.workspace.add_source("acme")
    town.submit("acme", "acme")
    town.keepers.delegate("acme", town.holders("acme2"), ["trips"])
    town.publish("steward")
    assert town.key("acme2").public not in town.workspace.source("acme").keys
    town.take()
    town.refused("wrong-key", "acme", "acme")
    town.submit("acme", "acme2")
    town.keepers.revoke("acme")
    town.publish("steward")
    town.take()
    town.refused("wrong-key", "acme", "acme2")


def test_threat_05_a_source_of_before_the_ring_sends_only_what_the_ring_lets_it(
    town: Town,
) -> None:
    for name in ("acme", "ajax"):
        town.workspace.add_source(name, [town.key(name).public])
    town.submit("ajax", "ajax")
    town.take()
    town.submit("acme", "acme")
    town.refused("wrong-key", "ajax", "ajax")


def test_threat_02_a_batch_needs_as_many_keys_as_the_ring_says(town: Town) -> None:
    town.keepers.delegate("ajax", town.holders("ajax1", "ajax2", "ajax3", threshold=2), ["trips"])
    town.publish("steward")
    town.take()
    for name in ("acme", "ajax"):
        town.workspace.add_source(name)
    town.refused("too-few-signatures", "ajax", "ajax1")
    town.refused("bad-envelope", "ajax", "ajax1", "ajax1")
    town.refused("wrong-key", "ajax", "ajax1", "acme")
    receipt = town.submit("ajax", "ajax1", "ajax3")
    keyids = sorted(keyid_of(town.key(name).public) for name in ("ajax1", "ajax3"))
    row = town.workspace._row(receipt.batch)
    assert town.workspace._stores.submission(row)["keyids"] == keyids


def test_threat_05_an_older_ring_is_not_taken_and_one_is_taken_once(town: Town) -> None:
    old = {path.name: path.read_bytes() for path in (town.folder / "ring").iterdir()}
    town.take()
    with pytest.raises(ConflictError):
        town.take()
    town.keepers.revoke("acme")
    town.publish("steward")
    town.take()
    for name, data in old.items():
        (town.folder / "ring" / name).write_bytes(data)
    with pytest.raises(UntrustedError) as refusal:
        town.take()
    assert refusal.value.code == "ring-rollback"


def test_threat_05_a_draft_rules_nothing_and_holds_nothing_up(town: Town) -> None:
    town.take()
    town.keepers.delegate("mallory", town.holders("mallory"), ["trips"])
    with pytest.raises(ConflictError):
        town.take()  # the same as before
    town.clock.now_s += DAY_S
    town.publish()  # the timestamp is renewed while the draft waits for its signature
    town.take()
    assert set(town.workspace.ring.outlook().mandates) == {"acme"}
    assert [page.is_draft for page in town.keepers.outlook().pages] == [False, True, False, False]
    town.publish("steward")
    town.take()
    assert set(town.workspace.ring.outlook().mandates) == {"acme", "mallory"}


def test_threat_05_an_expired_or_unsigned_ring_is_not_taken(town: Town) -> None:
    town.clock.now_s += ONLINE_DAYS * DAY_S
    with pytest.raises(UntrustedError) as refusal:
        town.take()
    assert refusal.value.code == "ring-expired"
    with pytest.raises(NotFoundError):
        town.workspace.ring.outlook()
    fresh = Keepers(town.folder / "fresh", clock=town.clock)
    with pytest.raises(NotFoundError):
        fresh.outlook()
    fresh.begin(town.holders("d"), town.holders("e"), [town.key("f").public])
    with pytest.raises(NotFoundError):
        town.workspace.ring.take(town.folder / "fresh")
    with pytest.raises(UntrustedError) as refusal:
        fresh.publish(str(town.folder / "f.key"))
    assert refusal.value.code == "ring-signatures"


def test_threat_05_a_new_root_is_signed_by_the_keepers_of_the_old_one(town: Town) -> None:
    town.take()
    town.keepers.rotate("root", town.holders("d", "e", "f", threshold=2))
    town.publish("d", "e")
    assert town.keepers.outlook().pages[0].is_draft
    town.publish("a", "c")
    town.take()
    assert town.workspace.ring.outlook().pages[0].version == 2
    assert not any(page.is_draft for page in town.keepers.outlook().pages)


def test_threat_05_every_role_is_given_to_other_keys_by_a_new_root(town: Town) -> None:
    town.take()
    town.keepers.rotate("targets", town.holders("steward2"))
    town.keepers.rotate("online", town.holders("online2"))
    town.publish("a", "b")  # the old online key: what was published stands for longer
    town.take()
    for name in ("steward2",):
        town.keepers.sign(str(town.folder / f"{name}.key"))
    town.keepers.publish(str(town.folder / "online2.key"))
    town.take()
    versions = {page.role: page.version for page in town.workspace.ring.outlook().pages}
    assert versions == {"root": 2, "targets": 2, "snapshot": 3, "timestamp": 3}
    with pytest.raises(UntrustedError):
        town.publish()  # the old online key counts no more


def test_a_keeper_is_told_what_cannot_be_before_anybody_signs(town: Town) -> None:
    twice = Holders((town.key("d").public,) * 2, 2)
    with pytest.raises(UsageError) as refusal:
        town.keepers.rotate("root", twice)
    assert refusal.value.code == "bad-threshold"
    with pytest.raises(UsageError):
        town.keepers.delegate("No Source", town.holders("d"), ["trips"])
    with pytest.raises(UsageError):
        town.keepers.delegate("ajax", town.holders("d"), ["../trips"])
    with pytest.raises(UntrustedError):  # one key speaks for one source
        town.keepers.delegate("ajax", town.holders("acme"), ["trips"])
    with pytest.raises(UsageError):
        town.keepers.sign(str(town.folder / "a.key"))  # nothing waits for it
    with pytest.raises(NotFoundError):
        town.keepers.revoke("ajax")
    with pytest.raises(ConflictError):
        town.keepers.begin(twice, twice, [])
    assert not any(page.is_draft for page in town.keepers.outlook().pages)


def test_a_role_is_renewed_and_its_draft_waits_for_signatures(town: Town) -> None:
    town.take()
    before = town.workspace.ring.outlook().pages
    town.clock.now_s += DAY_S
    for role in ("root", "targets"):
        town.keepers.renew(role)
    assert [page.is_draft for page in town.keepers.outlook().pages][:2] == [True, True]
    town.publish("a", "b", "steward")
    town.take()
    after = town.workspace.ring.outlook().pages
    for old, new in zip(before, after, strict=True):
        assert (new.version, new.expires_s) == (old.version + 1, old.expires_s + DAY_S)
    with pytest.raises(UsageError):
        town.keepers.renew("online")


def test_a_ring_is_replayed_with_the_ledger_long_after_it_expired(town: Town) -> None:
    town.take()
    town.workspace.add_source("acme")
    town.keepers.delegate("acme", town.holders("acme2"), ["trips", "hotels"])
    town.publish("steward")
    town.take()
    town.workspace.freeze_source("acme", "key may be stolen")
    before, dump = town.workspace.source("acme"), town.workspace.log.catalog_dump()
    town.workspace.log.rebuild_catalog()
    assert town.workspace.log.catalog_dump() == dump
    town.workspace.close()
    town.clock.now_s += 10 * 365 * DAY_S
    with Workspace.open(town.folder / "home", clock=town.clock) as later:
        assert later.source("acme") == before
        assert later.log.audit().problems == ()


def test_threat_05_a_ring_slipped_into_the_ledger_is_refused_by_whoever_reads_it(
    town: Town,
) -> None:
    town.take()
    mine = Keepers(town.folder / "mine", clock=town.clock)
    mallory = town.holders("mallory")
    mine.begin(mallory, mallory, mallory.keys)
    mine.sign(str(town.folder / "mallory.key"))
    mine.publish(str(town.folder / "mallory.key"))
    blobs = town.workspace._stores.journal.blobs
    names = ("1.root.json", "timestamp.json", "snapshot.json", "targets.json")
    digests = blobs.put_many([(town.folder / "mine" / name).read_bytes() for name in names])
    document = dict(zip(("timestamp", "snapshot", "targets"), digests[1:], strict=True))
    town.workspace._stores.journal.record([Event("ring", {"roots": [digests[0]], **document})])
    with pytest.raises(UntrustedError):
        registry.roster(town.workspace._stores)
