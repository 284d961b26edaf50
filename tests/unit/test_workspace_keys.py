from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import NotFoundError, UsageError
from credenza.provenance.keys import key_from_seed, save_key
from credenza.workspace import Workspace
from credenza.workspace.keys import key_of

if TYPE_CHECKING:
    from pathlib import Path

KEY = key_from_seed(b"k" * 32)
SESAME = "open sesame"


def test_a_key_is_named_by_its_file(tmp_path: Path) -> None:
    save_key(KEY, tmp_path / "k.pem")
    assert key_of(tmp_path / "k.pem").public == key_of(str(tmp_path / "k.pem")).public == KEY.public


def test_an_encrypted_key_takes_its_passphrase_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key(KEY, tmp_path / "k.pem", passphrase=SESAME)
    with pytest.raises(UsageError) as refusal:
        key_of(tmp_path / "k.pem")
    assert "CREDENZA_PASSPHRASE" in refusal.value.fix
    monkeypatch.setenv("CREDENZA_PASSPHRASE", SESAME)
    assert key_of(tmp_path / "k.pem").public == KEY.public
    monkeypatch.setenv("SIGNER", (tmp_path / "k.pem").read_text())
    assert key_of("env:SIGNER").public == KEY.public


def test_a_key_in_the_environment_is_pem_or_a_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key(KEY, tmp_path / "k.pem")
    for text in ((tmp_path / "k.pem").read_text(), (b"k" * 32).hex(), f"\n{(b'k' * 32).hex()}\n"):
        monkeypatch.setenv("SIGNER", text)
        assert key_of("env:SIGNER").public == KEY.public
    monkeypatch.setenv("SIGNER", "not a key")
    with pytest.raises(UsageError) as refusal:
        key_of("env:SIGNER")
    assert "not a key" not in str(refusal.value)
    monkeypatch.delenv("SIGNER")
    with pytest.raises(NotFoundError):
        key_of("env:SIGNER")


def test_a_workspace_signs_with_a_key_that_it_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATOR", (b"k" * 32).hex())
    with Workspace.init(tmp_path / "home", signer="env:OPERATOR") as made:
        assert made.public_key == KEY.public
    assert list((tmp_path / "home" / "keys").iterdir()) == []
    with Workspace.open(tmp_path / "home") as workspace:
        workspace.add_source("acme", [key_from_seed(b"a" * 32).public])
        assert workspace.log.audit().problems == ()


def test_another_key_in_the_operators_place_signs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATOR", (b"k" * 32).hex())
    Workspace.init(tmp_path / "home", signer="env:OPERATOR").close()
    monkeypatch.setenv("OPERATOR", (b"x" * 32).hex())
    with Workspace.open(tmp_path / "home") as workspace, pytest.raises(UsageError) as refusal:
        workspace.add_source("acme", [key_from_seed(b"a" * 32).public])
    assert refusal.value.code == "wrong-operator-key"
