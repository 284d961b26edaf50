"""The little HTTP that the gate needs: files fetched, requests posted, a witness served."""

from __future__ import annotations

import http.client
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeVar

from credenza.core.errors import UntrustedError, UsageError
from credenza.store.ledger.witness import REQUEST_BYTES_MAX, TEXT, Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from credenza.store.ledger.files import Fetch

    Request: TypeAlias = "socket.socket | tuple[bytes, socket.socket]"

TIMEOUT_S = 20
ANSWER_S = 120
"""A whole answer takes no longer, however slowly it drips."""
ANSWER_BYTES_MAX = 32 * 2**20
PATH = "/add-checkpoint"
_LENGTH_DIGITS = 9
VISITORS_MAX = 64

T = TypeVar("T")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer to report, not an order to follow."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def in_time(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` gives or raises, if it is done in time.

    For waiting on strangers: a socket's own timeout begins anew with every byte. What is too
    late goes on in a thread of its own until its socket gives up, and nobody hears of it.

    Raises:
        TimeoutError: it was not done in time.
    """
    given: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as wrong:  # noqa: BLE001 - it is raised again below
            raised.append(wrong)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not given:
        raise TimeoutError(f"no whole answer within {seconds:g} s")
    return given[0]


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
    try:
        scheme = urllib.parse.urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in {"http", "https"}:
        raise UsageError(
            "bad-url",
            f"{url[:200]!a} is not a URL",
            why="it has no scheme and host that can be asked",
            fix="give it with http:// or https://",
        )


def _ask(request: urllib.request.Request, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
    try:
        return in_time(ANSWER_S, lambda: _answer(request, timeout_s))
    except (OSError, http.client.HTTPException) as wrong:  # no answer, or none in HTTP
        return 0, f"no answer: {wrong}".encode()


def _answer(request: urllib.request.Request, timeout_s: float) -> tuple[int, bytes]:
    try:
        with _OPENER.open(request, timeout=timeout_s) as answer:
            return answer.status, _bounded(answer.read(ANSWER_BYTES_MAX + 1))
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, _bounded(answer.read(ANSWER_BYTES_MAX + 1))


def _bounded(body: bytes) -> bytes:
    if len(body) > ANSWER_BYTES_MAX:
        raise UntrustedError(
            "too-long",
            "a server's answer is too long",
            why="over 32 MiB",
            fix="ask whoever runs that server",
        )
    return body


class WitnessServer(ThreadingHTTPServer):
    """Serves ``add-checkpoint`` of one witness, a thread a request, to so many at once.

    Args:
        address: host and port; port 0 takes a free one.
        answer: the witness: request body and seconds since the epoch to a response.
        visitors: connections that are held at once; who comes then is turned away.
    """

    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[bytes, int], Response],
        *,
        visitors: int = VISITORS_MAX,
    ) -> None:
        super().__init__(address, _WitnessHandler)
        self.answer = answer
        self._room = threading.BoundedSemaphore(visitors)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def process_request(self, request: Request, client_address: object) -> None:
        """Answer on a thread of its own, while there is room."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Request, client_address: object) -> None:
        """Answer, or hang up on who drips; then make room for the next."""
        late = threading.Timer(ANSWER_S, self.shutdown_request, [request])
        late.daemon = True
        late.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self._room.release()

    def handle_error(self, request: Request, client_address: object) -> None:
        """Keep quiet about strangers who went away; a defect of ours is told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _WitnessHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "credenza-witness"
    sys_version = ""
    timeout = TIMEOUT_S
    server: WitnessServer

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding"):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "say how long the request is")
        elif self.path != PATH:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is only {PATH}")
        elif not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "say how long the request is")
        elif len(length) > _LENGTH_DIGITS or int(length) > REQUEST_BYTES_MAX:
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
