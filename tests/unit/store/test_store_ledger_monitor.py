from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credenza.core.canonical import sha256_hex
from credenza.core.errors import UntrustedError
from credenza.core.keys import public_hex
from credenza.redteam.operator import OPERATOR_ATTACKS, forge
from credenza.store.ledger.files import lying_in
from credenza.store.ledger.ledger import Ledger
from credenza.store.ledger.monitor import Observation, Sight, observe
from credenza.store.ledger.note import COSIGNATURE, Verifier, write_vkey
from credenza.store.ledger.receipt import Promise, read_promise, sign_promise
from credenza.store.ledger.trust import TrustPolicy, read_trust

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ORIGIN = "example.com/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = Verifier(ORIGIN, KEY.public_key())
START_S = 1_800_000_000
DAY_S = 86_400
ENTRIES = 700


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Three tiles of history, an entry a minute, the second of three a submission."""
    made = Ledger.create(tmp_path / "true", ORIGIN, KEY)
    for n in range(7):
        items = [
            ("submission" if k % 3 == 1 else "verdict", sha256_hex(f"{n} {k}".encode()))
            for k in range(ENTRIES // 7)
        ]
        made.append_many(items, START_S + 60 * n)
    made.close()
    return made


def look(
    directory: Path,
    before: Sight | None = None,
    time_s: int = START_S + DAY_S,
    promises: Sequence[Promise] = (),
    trust: TrustPolicy | None = None,
) -> Observation:
    return observe(lying_in(directory), LOG, before, time_s=time_s, promises=promises, trust=trust)


def promised(ledger: Ledger, index: int) -> Promise:
    entry = next(ledger.entries(index, index + 1))
    return Promise(
        ORIGIN, index, entry.kind, entry.digest, "a batch", entry.time_s, entry.time_s + DAY_S
    )


def test_an_honest_ledger_that_grows_raises_nothing(ledger: Ledger, tmp_path: Path) -> None:
    promise = promised(ledger, 400)
    first = look(tmp_path / "true", promises=[promise])
    assert (first.size, first.read, first.alarms) == (ENTRIES, ENTRIES, ())
    assert look(tmp_path / "true", first.sight).read == 0
    with Ledger.open(tmp_path / "true", ORIGIN, KEY) as more:
        more.append_many([("verdict", sha256_hex(b"new"))] * 100, START_S + 2 * DAY_S)
    later = look(tmp_path / "true", first.sight, START_S + 2 * DAY_S, [promise])
    assert (later.size, later.read, later.alarms) == (ENTRIES + 100, 100, ())


@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        ("rewrite", "fork"),
        ("fork", "fork"),
        ("truncate", "rollback"),
        ("omit", "fork"),
        ("back-date", "back-dating"),
    ],
)
def test_threat_09_a_monitor_catches_what_the_operator_falsified(
    attack: str, kind: str, ledger: Ledger, tmp_path: Path
) -> None:
    seen = look(tmp_path / "true")
    forge(ledger, KEY, OPERATOR_ATTACKS[attack], tmp_path / "false")
    found = look(tmp_path / "false", seen.sight)
    assert [alarm.kind for alarm in found.alarms] == [kind]
    if kind != "back-dating":
        # What cannot be believed is not remembered, and both notes are kept.
        assert found.sight == seen.sight
        assert {"before", "now"} <= set(found.alarms[0].evidence)


def test_threat_09_a_falsified_ledger_passes_its_own_audit(ledger: Ledger, tmp_path: Path) -> None:
    for name, attack in OPERATOR_ATTACKS.items():
        forge(ledger, KEY, attack, tmp_path / name)
        assert not Ledger.open(tmp_path / name, ORIGIN).audit(KEY.public_key()).problems


def test_threat_09_a_dropped_submission_breaks_its_promise_to_whoever_looks_first(
    ledger: Ledger, tmp_path: Path
) -> None:
    submitted = max(entry.index for entry in ledger.entries() if entry.kind == "submission")
    promise = promised(ledger, submitted)
    forge(ledger, KEY, OPERATOR_ATTACKS["omit"], tmp_path / "false")
    assert [one.kind for one in look(tmp_path / "false", promises=[promise]).alarms] == ["omission"]
    assert not look(tmp_path / "true", promises=[promise]).alarms
    assert not look(tmp_path / "false").alarms, "without a receipt nobody can tell"


@pytest.mark.usefixtures("ledger")
def test_threat_09_a_promise_is_broken_only_when_its_time_has_come(tmp_path: Path) -> None:
    promise = Promise(ORIGIN, 10_000, "submission", sha256_hex(b"x"), "b", START_S, START_S + DAY_S)
    assert not look(tmp_path / "true", time_s=START_S + DAY_S, promises=[promise]).alarms
    late = look(tmp_path / "true", time_s=START_S + DAY_S + 1, promises=[promise])
    assert [alarm.kind for alarm in late.alarms] == ["omission"]


@pytest.mark.usefixtures("ledger")
def test_threat_09_an_altered_entry_or_tile_is_an_alarm(tmp_path: Path) -> None:
    directory = tmp_path / "true"
    honest, read = lying_in(directory), set[str]()

    def noting(path: str) -> bytes | None:
        read.add(path)
        return honest(path)

    observe(noting, LOG, None, time_s=START_S + DAY_S)
    tiles = [directory / path for path in sorted(read) if path.startswith("tile/")]
    assert len(tiles) > 3
    for path in tiles:
        original = path.read_bytes()
        path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        assert [alarm.kind for alarm in look(directory).alarms] == ["altered"], path.name
        path.write_bytes(original)
    assert not look(tmp_path / "true").alarms


@pytest.mark.usefixtures("ledger")
def test_threat_09_an_entry_from_the_future_is_an_alarm(tmp_path: Path) -> None:
    found = look(tmp_path / "true", time_s=START_S - 3_600)
    assert {alarm.kind for alarm in found.alarms} == {"post-dating"}


@pytest.mark.usefixtures("ledger")
def test_threat_09_back_dating_within_the_slack_of_clocks_is_not_seen(tmp_path: Path) -> None:
    seen = look(tmp_path / "true", time_s=START_S + 600)
    with Ledger.open(tmp_path / "true", ORIGIN, KEY) as more:
        more.append_many([("verdict", sha256_hex(b"new"))], START_S + 400)
    assert not look(tmp_path / "true", seen.sight).alarms


@pytest.mark.usefixtures("ledger")
def test_threat_09_a_missing_quorum_is_an_alarm(tmp_path: Path) -> None:
    eyes = Verifier("eyes.example/w", KEY.public_key(), COSIGNATURE)
    demanding = read_trust(f"witness w {write_vkey(eyes)}\nquorum w\n")
    found = look(tmp_path / "true", trust=demanding)
    assert [alarm.kind for alarm in found.alarms] == ["no-quorum"]


def test_threat_09_a_receipt_of_another_operator_or_altered_is_refused(ledger: Ledger) -> None:
    promise = promised(ledger, 3)
    envelope = sign_promise(promise, KEY)
    assert read_promise(envelope, public_hex(KEY)) == promise
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(UntrustedError):
        read_promise(envelope, public_hex(other))
    with pytest.raises(UntrustedError):
        read_promise(envelope[:-9] + b"A" + envelope[-8:], public_hex(KEY))
