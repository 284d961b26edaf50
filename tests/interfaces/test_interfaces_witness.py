"""Witnesses and monitors over real HTTP on loopback."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from credenza.interfaces.cli.main import main
from credenza.interfaces.web import WitnessServer, post
from credenza.provenance.keys import key_from_seed
from credenza.store.ledger.note import COSIGNATURE, ED25519, Verifier, read_vkey, write_vkey
from credenza.store.ledger.witness import TEXT, Response, Witness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from socketserver import BaseServer

    from tests.conftest import SourceSimulator

    from credenza.workspace import Workspace


def serving(server: BaseServer) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    return thread


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def three(workspace: Workspace, tmp_path: Path) -> Iterator[list[WitnessServer]]:
    """Three witnesses of the workspace's ledger; trust.txt asks for two of them."""
    log = read_vkey(workspace.log.vkey(), ED25519)
    lines, servers = [], []
    for n in range(3):
        name, key = f"eyes.example/w{n}", key_from_seed(bytes([50 + n]) * 32).private
        one = Witness(tmp_path / f"w{n}", name, key, {log.name: log})
        server = WitnessServer(("127.0.0.1", 0), one.add_checkpoint)
        serving(server)
        servers.append(server)
        vkey = write_vkey(Verifier(name, key.public_key(), COSIGNATURE))
        lines.append(f"witness w{n} {vkey} {server.url}")
    lines += ["group two 2 w0 w1 w2", "quorum two", ""]
    (tmp_path / "trust.txt").write_text("\n".join(lines))
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_quorum_cosigns_and_proofs_then_carry_it(
    workspace: Workspace,
    sources: SourceSimulator,
    three: list[WitnessServer],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trust, proof = str(tmp_path / "trust.txt"), str(tmp_path / "p")
    home = ["--home", str(workspace.home)]
    check = ["log", "verify", proof, "--trust", workspace.public_key]
    workspace.close()
    main(["log", "prove", "0", "--out", proof, *home])
    assert main(check) == 0
    assert main([*check, "--policy", trust]) == 3, "no witness has signed yet"
    for server in three[:1]:
        server.shutdown()
        server.server_close()
    for _ in range(2):
        assert main(["log", "cosign", "--policy", trust, *home]) == 0
        sources.submit(workspace, "anna", 0)
        workspace.close()
        three = three[1:]
    capsys.readouterr()
    main(["log", "prove", "0", "--out", proof, *home])
    assert main([*check, "--policy", trust]) == 0
    assert main(["log", "cosign", "--policy", trust, "--json", *home]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(told["cosigning"]["signed"]) == {"w1", "w2"}
    assert "no answer" in told["cosigning"]["refusals"]["w0"]


def test_without_a_quorum_cosigning_is_held(
    workspace: Workspace, three: list[WitnessServer], tmp_path: Path
) -> None:
    for server in three[:2]:
        server.shutdown()
        server.server_close()
    workspace.close()
    words = ["--policy", str(tmp_path / "trust.txt"), "--home", str(workspace.home)]
    assert main(["log", "cosign", *words]) == 4
    assert workspace.log.ledger.cosigned() is None


def test_a_witness_refuses_what_is_no_request_and_stays_up(three: list[WitnessServer]) -> None:
    url = three[0].url
    assert post(f"{url}/elsewhere", b"x")[0] == HTTPStatus.NOT_FOUND
    assert post(f"{url}/add-checkpoint", b"x" * 200_000)[0] in {
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        0,  # it hung up before everything was sent
    }
    assert post(f"{url}/add-checkpoint", b"nonsense")[0] == HTTPStatus.BAD_REQUEST
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{url}/add-checkpoint")  # noqa: S310 - our own loopback server


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: " + "9" * 5_000,
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: -1",
        "Content-Length: \u0663",
    ],
)
def test_a_witness_refuses_a_length_that_is_none_and_says_so(
    three: list[WitnessServer], head: str
) -> None:
    with socket.create_connection(("127.0.0.1", three[0].server_port)) as stranger:
        stranger.sendall(f"POST /add-checkpoint HTTP/1.1\r\n{head}\r\n\r\nabc".encode())
        answer = stranger.makefile("rb").read()
    assert answer.split(b" ", 2)[1] in {b"411", b"413"}


def test_a_witness_turns_away_whom_it_has_no_room_for() -> None:
    begun, enough = threading.Event(), threading.Event()

    def slow(_: bytes, __: int) -> Response:
        begun.set()
        enough.wait(20)
        return Response(HTTPStatus.OK, TEXT, b"done")

    with WitnessServer(("127.0.0.1", 0), slow, visitors=1) as server:
        serving(server)
        first: list[int] = []
        one = threading.Thread(
            target=lambda: first.append(post(f"{server.url}/add-checkpoint", b"x")[0])
        )
        one.start()
        begun.wait(20)
        assert post(f"{server.url}/add-checkpoint", b"x")[0] == 0
        enough.set()
        one.join(20)
        assert first == [HTTPStatus.OK]
        server.shutdown()


def test_an_answer_that_is_no_http_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            stranger, _ = server.accept()
            with stranger:
                stranger.recv(1_000)
                stranger.sendall(b"\x00\x01 not http\r\n\r\n")

        threading.Thread(target=babble, daemon=True).start()
        status, why = post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"hello")
    assert status == 0
    assert why.startswith(b"no answer")


def test_a_monitor_watches_a_published_ledger_over_http(
    workspace: Workspace,
    sources: SourceSimulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The simulated gate lives in the year of its data, and so must who watches it.
    monkeypatch.setattr("credenza.interfaces.watch.time.time", lambda: 1_800_000_000.0)
    sources.submit(workspace, "anna", 0)
    workspace.close()
    files = partial(Quiet, directory=str(workspace.home / "ledger"))
    with ThreadingHTTPServer(("127.0.0.1", 0), files) as server:
        serving(server)
        words = ["--trust", workspace.public_key, "--state", str(tmp_path / "eyes")]
        url = f"http://127.0.0.1:{server.server_port}"
        assert main(["log", "monitor", url, *words]) == 0
        (workspace.home / "ledger" / "checkpoint").unlink()
        assert main(["log", "monitor", url, *words]) == 3
        server.shutdown()
    assert len(list((tmp_path / "eyes").glob("alarm-*.json"))) == 1


def test_only_http_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--trust", "ab" * 32, "--state", str(tmp_path / "eyes")]
    assert main(["log", "monitor", "file:///etc", *words]) == 2
    assert "http" in capsys.readouterr().err
