"""The little HTTP that the gate needs: files fetched, requests posted, a witness served."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError, UsageError
from credenza.store.ledger.witness import REQUEST_BYTES_MAX, TEXT, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.store.ledger.files import Fetch

TIMEOUT_S = 20
ANSWER_BYTES_MAX = 32 * 2**20
PATH = "/add-checkpoint"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer to report, not an order to follow."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def fetch_from(base: str) -> Fetch:
    """Reads files under a URL by their paths; None for one that is not there.

    Raises:
        UsageError: ``base`` is no HTTP URL.
    """
    check_url(base)

    def fetch(path: str) -> bytes | None:
        status, body = _ask(urllib.request.Request(f"{base.rstrip('/')}/{path}"))  # noqa: S310 - checked above
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            raise UntrustedError(
                "no-answer",
                "the ledger could not be read",
                why=f"{path}: status {status}",
                fix="check the URL, and try again",
            )
        return body

    return fetch


def post(
    url: str,
    body: bytes,
    content_type: str = "application/octet-stream",
    timeout_s: float = TIMEOUT_S,
) -> tuple[int, bytes]:
    """Post a body; status and body of the answer, 0 and a reason when there is none.

    Raises:
        UsageError: no HTTP URL.
    """
    check_url(url)
    headers = {"Content-Type": content_type}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - checked above
    return _ask(request, timeout_s)


def check_url(url: str) -> None:
    """Refuse everything but http and https.

    Raises:
        UsageError: another scheme, or none.
    """
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise UsageError(
            "bad-url", f"{url[:200]!a} is not a URL", fix="give it with http:// or https://"
        )


def _ask(request: urllib.request.Request, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
    try:
        with _OPENER.open(request, timeout=timeout_s) as answer:
            return answer.status, _bounded(answer.read(ANSWER_BYTES_MAX + 1))
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, _bounded(answer.read(ANSWER_BYTES_MAX + 1))
    except (OSError, urllib.error.URLError) as wrong:
        return 0, f"no answer: {wrong}".encode()


def _bounded(body: bytes) -> bytes:
    if len(body) > ANSWER_BYTES_MAX:
        raise UntrustedError("too-long", "a server's answer is too long", why="over 32 MiB")
    return body


class WitnessServer(ThreadingHTTPServer):
    """Serves ``add-checkpoint`` of one witness, on as many threads as there are requests.

    Args:
        address: host and port; port 0 takes a free one.
        answer: the witness: request body and seconds since the epoch to a response.
    """

    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(self, address: tuple[str, int], answer: Callable[[bytes, int], Response]) -> None:
        super().__init__(address, _WitnessHandler)
        self.answer = answer

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


class _WitnessHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "credenza-witness"
    sys_version = ""
    timeout = TIMEOUT_S
    server: WitnessServer

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != PATH:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is only {PATH}")
        elif not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "say how long the request is")
        elif int(length) > REQUEST_BYTES_MAX:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a checkpoint is smaller")
        else:
            self._say(self.server.answer(self.rfile.read(int(length)), int(time.time())))

    def log_message(self, *_: object) -> None:
        """Keep quiet: paths and headers are the stranger's."""

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        # Its body was not read, so the connection cannot go on.
        self.close_connection = True
        self._say(Response(status, TEXT, f"{why}\n".encode()))

    def _say(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.media_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)
