from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.provenance.keys import key_from_seed, load_key, new_key, save_key

if TYPE_CHECKING:
    from pathlib import Path

A, B = (key_from_seed(letter * 32) for letter in (b"a", b"b"))
SESAME = "open sesame"


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
