from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from credenza.core.errors import ConflictError, NotFoundError, UntrustedError, UsageError
from credenza.core.types import Limits, Standing
from credenza.provenance.keyring import (
    Roster,
    key_from_seed,
    load_key,
    new_key,
    save_key,
)

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.canonical import Json

A, B, C = (key_from_seed(letter * 32) for letter in (b"a", b"b", b"c"))
SESAME = "open sesame"
ADDED: dict[str, Json] = {"event": "source-added", "source": "ua-ewr", "keys": [A.public]}


def test_a_saved_key_is_the_same_key_and_nobody_elses_to_read(tmp_path: Path) -> None:
    key = new_key()
    save_key(key, tmp_path / "k.pem")
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600
    assert load_key(tmp_path / "k.pem").public == key.public
    assert key.public not in (tmp_path / "k.pem").read_text()
    assert "PRIVATE" in (tmp_path / "k.pem").read_text()


def test_a_key_does_not_show_its_secret() -> None:
    assert repr(key_from_seed(b"s" * 32)) == "SigningKey()"


def test_a_seed_of_another_length_makes_no_key() -> None:
    with pytest.raises(UsageError):
        key_from_seed(b"short")


def test_a_passphrase_is_needed_again(tmp_path: Path) -> None:
    save_key(A, tmp_path / "k.pem", passphrase=SESAME)
    assert load_key(tmp_path / "k.pem", passphrase=SESAME).public == A.public
    for wrong in (None, "open barley"):
        with pytest.raises(UsageError) as refusal:
            load_key(tmp_path / "k.pem", passphrase=wrong)
        assert refusal.value.code == "bad-key-file"


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    save_key(A, tmp_path / "k.pem")
    with pytest.raises(ConflictError):
        save_key(B, tmp_path / "k.pem")
    assert load_key(tmp_path / "k.pem").public == A.public


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    save_key(A, tmp_path / "k.pem")
    (tmp_path / "k.pem").chmod(0o640)
    with pytest.raises(UsageError) as refusal:
        load_key(tmp_path / "k.pem")
    assert refusal.value.code == "key-permissions"


def test_a_missing_key_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_key(tmp_path / "none.pem")


def test_threat_01_a_key_of_another_scheme_is_refused(tmp_path: Path) -> None:
    ec = generate_private_key(SECP256R1())
    pem = ec.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "k.pem").write_bytes(pem)
    (tmp_path / "k.pem").chmod(0o600)
    with pytest.raises(UsageError) as refusal:
        load_key(tmp_path / "k.pem")
    assert refusal.value.code == "not-ed25519"


def test_registrations_add_up_to_sources() -> None:
    roster = Roster.fold(
        [
            {**ADDED, "group": "united", "limits": {"rows": 1000}},
            {"event": "key-added", "source": "ua-ewr", "key": B.public},
        ]
    )
    source = roster.source("ua-ewr")
    assert source.keys == (A.public, B.public)
    assert (source.group, source.standing) == ("united", Standing.ACTIVE)
    assert source.limits == Limits(rows=1000)
    assert roster.owner(B.keyid) == source
    assert roster.owner("0" * 64) is None


def test_a_roster_is_a_value_that_later_events_leave_alone() -> None:
    before = Roster.fold([ADDED])
    after = before.after({"event": "source-frozen", "source": "ua-ewr", "reason": "drift"})
    assert before.source("ua-ewr").standing is Standing.ACTIVE
    assert after.source("ua-ewr").standing is Standing.FROZEN


def test_a_frozen_source_can_return_and_a_revoked_one_cannot() -> None:
    roster = Roster.fold([ADDED, {"event": "source-frozen", "source": "ua-ewr"}])
    back = roster.after({"event": "source-unfrozen", "source": "ua-ewr"})
    assert back.source("ua-ewr").standing is Standing.ACTIVE
    gone = roster.after({"event": "source-revoked", "source": "ua-ewr"})
    for event in ("source-unfrozen", "source-frozen", "source-revoked"):
        with pytest.raises(ConflictError):
            gone.after({"event": event, "source": "ua-ewr"})


def test_threat_02_one_key_cannot_be_registered_under_two_sources() -> None:
    roster = Roster.fold([ADDED, {**ADDED, "source": "dl-jfk", "keys": [B.public]}])
    doubled: tuple[dict[str, Json], ...] = (
        {"event": "source-added", "source": "aa-lga", "keys": [A.public]},
        {"event": "key-added", "source": "dl-jfk", "key": A.public},
        {"event": "key-added", "source": "ua-ewr", "key": A.public},
        {"event": "source-added", "source": "b6-jfk", "keys": [C.public, B.public]},
    )
    for event in doubled:
        with pytest.raises(UntrustedError) as refusal:
            roster.after(event)
        assert refusal.value.code == "key-taken"


def test_threat_02_one_key_cannot_be_listed_twice_for_one_source() -> None:
    with pytest.raises(UntrustedError) as refusal:
        Roster.fold([{**ADDED, "keys": [A.public, A.public]}])
    assert refusal.value.code == "key-taken"


def test_threat_05_a_revoked_sources_key_never_becomes_anothers() -> None:
    gone = Roster.fold([ADDED, {"event": "source-revoked", "source": "ua-ewr"}])
    with pytest.raises(UntrustedError) as refusal:
        gone.after({"event": "source-added", "source": "heir", "keys": [A.public]})
    assert refusal.value.code == "key-taken"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event": "source-blessed", "source": "ua-ewr"},
        {"event": ["source-added"], "source": "ua-ewr"},
        {"event": "source-added", "source": "ua-ewr"},
        {**ADDED, "scheme": "rsa"},
        {**ADDED, "source": "UA EWR"},
        {**ADDED, "source": "ua-ewr\n"},
        {**ADDED, "keys": []},
        {**ADDED, "keys": "x"},
        {**ADDED, "keys": [7]},
        {**ADDED, "group": "United Airlines"},
        {**ADDED, "limits": {"patience": 3}},
        {**ADDED, "limits": {"rows": 0}},
        {**ADDED, "limits": {"rows": True}},
    ],
)
def test_a_registration_without_one_meaning_is_refused(event: dict[str, Json]) -> None:
    with pytest.raises(UntrustedError):
        Roster().after(event)


def test_events_about_strangers_name_the_known_sources() -> None:
    with pytest.raises(NotFoundError) as refusal:
        Roster.fold([ADDED]).after({"event": "source-frozen", "source": "nobody"})
    assert refusal.value.why == "registered: ua-ewr"
    with pytest.raises(ConflictError):
        Roster.fold([ADDED]).after({**ADDED, "keys": [B.public]})
