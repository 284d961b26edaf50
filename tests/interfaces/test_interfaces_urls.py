"""A list of URLs becomes a signed batch, over real HTTP on loopback."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import UntrustedError
from credenza.interfaces.cli.main import main
from credenza.interfaces.crawl import Crawler, is_public

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import SourceSimulator

    from credenza.workspace import Workspace


class Pages(BaseHTTPRequestHandler):
    """/plain, /moved, /loop, /missing, /huge, and /turning, which is A once and then B.

    /short promises more than it sends, /drip sends nothing for as long as it is let, and
    /nowhere redirects to what is no URL.
    """

    turns = 0
    enough = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/drip":
            self.enough.wait(20)
            return
        if self.path == "/nowhere":
            self.send_response(302)
            self.send_header("Location", "http://[no-address]/")
            self.end_headers()
            return
        if self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "500")
            self.end_headers()
            self.wfile.write(b"half a page")
            return
        if self.path in {"/moved", "/loop", "/inside"}:
            to = {"/moved": "/plain", "/loop": "/loop", "/inside": "ftp://127.0.0.1/x"}[self.path]
            self.send_response(302)
            self.send_header("Location", to)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b"plain"
        if self.path == "/huge":
            body = b"x" * 5_000
        if self.path == "/turning":
            type(self).turns += 1
            body = b"A" if self.turns == 1 else b"B"
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def base() -> Iterator[str]:
    Pages.turns = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_redirects_are_followed_and_noted(base: str) -> None:
    fetched = Crawler(allow_private=True)(f"{base}/moved")
    assert (fetched.body, fetched.media_type) == (b"plain", "text/plain")
    assert fetched.chain == (f"{base}/moved", f"{base}/plain")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/loop", "too-many-redirects"),
        ("/missing", "bad-status"),
        ("/huge", "too-long"),
        ("/inside", "bad-url"),
        ("/nowhere", "bad-url"),
        ("/short", "cut-off"),
    ],
)
def test_what_cannot_be_used_says_why(path: str, code: str, base: str) -> None:
    with pytest.raises(UntrustedError) as refused:
        Crawler(allow_private=True, page_bytes=1_000)(f"{base}{path}")
    assert refused.value.code == code


def test_a_server_that_drips_holds_up_nobody_for_long(base: str) -> None:
    Pages.enough.clear()
    with pytest.raises(UntrustedError, match="could not be fetched") as refused:
        Crawler(allow_private=True, page_s=0.2)(f"{base}/drip")
    Pages.enough.set()
    assert refused.value.why == "no whole answer within 0.2 s"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "2002:a00:1::",  # 6to4 of 10.0.0.1
        "224.0.0.1",
        "fe80::1%eth0",
    ],
)
def test_an_address_that_leads_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url", ["http://[", "file:///etc/passwd", "gopher://x/", "http://", "nonsense"]
)
def test_only_the_web_is_fetched(url: str) -> None:
    with pytest.raises(UntrustedError) as refused:
        Crawler(allow_private=True)(url)
    assert refused.value.code == "bad-url"


def test_private_addresses_are_not_fetched_unless_asked_for(base: str) -> None:
    with pytest.raises(UntrustedError) as refused:
        Crawler()(f"{base}/plain")
    assert refused.value.code == "private-address"


def test_a_dead_server_is_an_answer_and_no_traceback() -> None:
    with pytest.raises(UntrustedError) as refused:
        Crawler(allow_private=True)("http://127.0.0.1:9/")
    assert refused.value.code == "no-answer"


def test_threat_07_a_page_that_turns_after_the_first_visit_is_left_out_of_the_batch(
    base: str,
    workspace: Workspace,
    sources: SourceSimulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace.close()
    index = tmp_path / "index.csv"
    rows = [f"{base}/{page},{label}" for page, label in (("plain", "a"), ("turning", "b"))]
    index.write_text("\n".join(["url,label", *rows]) + "\n")
    words = ["--source", "anna", "--key", str(sources.keys["anna"]), "--dataset", "pages"]
    words += ["--home", str(workspace.home), "--label", "label", "--allow-private"]
    code = main(["submit", "--urls", str(index), "--hold", "0.05", *words])
    shown = capsys.readouterr()
    assert code == 4, shown.err
    assert "left out" in shown.out
    assert "turning" in shown.out
    [batch] = [one for one in workspace.batches() if one.dataset == "pages"]
    assert batch.records == 1
    assert main(["submit", "--urls", str(index), str(index), *words]) == 2
