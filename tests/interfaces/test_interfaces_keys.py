from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import UsageError
from credenza.interfaces.cli.main import main
from credenza.workspace.keys import key_of

if TYPE_CHECKING:
    from pathlib import Path


def test_an_encrypted_key_is_opened_with_the_passphrase_it_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CREDENZA_PASSPHRASE", "open sesame")
    assert main(["key", "new", "k.key", "--encrypt"]) == 0
    assert "ENCRYPTED" in (tmp_path / "k.key").read_text()
    assert key_of("k.key").public == (tmp_path / "k.key.pub").read_text().strip()
    monkeypatch.delenv("CREDENZA_PASSPHRASE")
    with pytest.raises(UsageError):
        key_of("k.key")


def test_a_workspace_is_made_with_a_key_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPERATOR", "ab" * 32)
    assert main(["init", str(tmp_path / "home"), "--key", "env:OPERATOR"]) == 0
    assert key_of("env:OPERATOR").public in capsys.readouterr().out
    monkeypatch.delenv("OPERATOR")
    assert main(["source", "add", "acme", "--key", "0" * 64, "--home", str(tmp_path / "home")]) == 2
