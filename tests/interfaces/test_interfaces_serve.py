"""``credenza serve``: its token, where it listens, how it starts and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import UsageError
from credenza.interfaces.api.serving import listen, name_of, url_of
from credenza.interfaces.api.token import token_in
from credenza.interfaces.cli.main import main
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from tests.interfaces.conftest import Gate


def test_a_missing_token_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    before = os.umask(0)
    try:
        token = token_in(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == token + b"\n"
    assert len(token) == 43  # 256 bits
    assert token_in(path) == token
    assert token_in(tmp_path / "another") != token


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o610])
def test_a_token_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    token_in(path)
    path.chmod(mode)
    with pytest.raises(UsageError, match="token file") as refused:
        token_in(path)
    assert f"{mode:04o}" in refused.value.why


@pytest.mark.parametrize(
    "lying",
    [
        *(b"", b"\n", b"short\n", b"x" * 31, b"x" * 513, b"x" * 10_000),
        *(b"x" * 40 + b"\n" * 2, b"x" * 40 + b" y", b"x" * 40 + b"\x1b", b"x" * 40 + b"\r\n"),
        "ä".encode() * 40,
    ],
)
def test_a_file_that_holds_no_token_is_refused_and_kept(tmp_path: Path, lying: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(lying)
    path.chmod(0o600)
    with pytest.raises(UsageError) as refused:
        token_in(path)
    assert refused.value.code == "bad-token-file"
    assert path.read_bytes() == lying


def test_a_token_of_ones_own_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"own-" * 10)
    path.chmod(0o600)
    assert token_in(path) == b"own-" * 10


def test_a_token_file_that_is_no_file_is_refused() -> None:
    with pytest.raises(UsageError, match="token file") as refused:
        token_in(Path(os.devnull))
    assert refused.value.why == "it is no regular file"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "::ffff:192.0.2.1"])  # noqa: S104 - they are refused
def test_nothing_but_loopback_is_listened_on_unless_it_is_asked_for(host: str) -> None:
    with pytest.raises(UsageError) as refused:
        listen(host, 0)
    assert "not encrypted" in refused.value.why
    assert "--beyond-loopback" in refused.value.fix


def test_other_machines_are_let_in_when_it_is_asked_for() -> None:
    with listen("0.0.0.0", 0, beyond_loopback=True) as wide:  # noqa: S104 - asked for, and closed at once
        assert url_of(wide).startswith("http://0.0.0.0:")


@pytest.mark.parametrize("host", ["localhost", "evil.example", "", "127.0.0.1 ", "127.0.0.1:80"])
def test_what_is_no_address_is_not_looked_up(host: str) -> None:
    with pytest.raises(UsageError) as refused:
        listen(host, 0)
    assert "no IP address" in refused.value.why


def test_a_port_that_is_taken_is_said() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(UsageError) as refused:
        listen("127.0.0.1", first.getsockname()[1])
    assert "port" in refused.value.fix


def test_an_address_of_the_other_family_is_written_as_urls_have_it() -> None:
    assert (name_of("::1"), name_of("127.0.0.1")) == ("[::1]", "127.0.0.1")


def test_the_service_says_what_is_missing_when_its_extra_is_not_installed(
    gate: Gate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delitem(sys.modules, "credenza.interfaces.api.serving")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    token = tmp_path / "token"
    assert main(["serve", "--home", str(gate.home), "--token-file", str(token)]) == 2
    shown = capsys.readouterr().err
    assert "error[service-not-installed]" in shown
    assert "pip install 'credenza[service]'" in shown
    assert not token.exists()


def test_without_a_workspace_no_token_is_made_and_nothing_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    assert main(["serve", "--home", str(tmp_path / "none"), "--token-file", str(token)]) == 2
    assert "error[no-workspace]" in capsys.readouterr().err
    assert not token.exists()


def test_a_signal_ends_the_process_in_order_and_nothing_shows_the_token(
    gate: Gate, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token = token_in(token_file).decode()
    with Workspace.open(gate.home) as workspace:
        before = workspace.log.ledger.checkpoint()
    call = [sys.executable, "-m", "credenza", "serve", "--json", "--home", str(gate.home)]
    call += ["--token-file", str(token_file)]
    running = {
        one: subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for one in (signal.SIGTERM, signal.SIGINT)
    }
    for one, process in running.items():
        assert process.stderr is not None
        first = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", first)
        assert found, first + process.stderr.read()
        asked = urllib.request.Request(  # noqa: S310 - our own loopback service
            f"{found[0]}/v1/campaigns", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            assert json.load(answer)["campaigns"]
        process.send_signal(one)
        shown, log = process.communicate(timeout=60)
        assert process.returncode == 0, log
        assert json.loads(shown) == {"schema": "credenza.serve/1", "url": found[0]}
        assert log == "GET /v1/campaigns 200\n"
        assert token not in first + shown + log
    with Workspace.open(gate.home) as workspace:
        assert workspace.log.ledger.checkpoint() == before


def test_the_handlers_of_signals_are_as_before_when_it_has_ended(
    gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    words = ["--home", str(gate.home), "--token-file", str(tmp_path / "token")]
    assert main(["serve", *words, "--stop-after", "0.1"]) == 0
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
    assert "served http://127.0.0.1:" in capsys.readouterr().out
