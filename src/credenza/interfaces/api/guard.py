"""What stands before every page: the Host check, the token, hardening headers, the log.

Names in paths and queries are strangers' words: the log says the path through ``plain`` and
never the query, and no header of a request.
"""

from __future__ import annotations

import hmac
import re
import traceback
from typing import TYPE_CHECKING

from credenza.core.errors import CredenzaError, ForbiddenError, UsageError
from credenza.interfaces.api.answers import said
from credenza.interfaces.cli.terminal import plain
from credenza.interfaces.documents import error_document

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNAUTHORIZED = 401
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
# Pictures and JSON need nothing; a page that frames or scripts them gets nothing.
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    ),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)


class Guard:
    """Lets a request through that names this service and shows its token.

    A page in a browser whose name was turned to loopback (DNS rebinding) still sends its own
    name as the Host, and is refused before the token is looked at. There is no CORS header,
    so no other site's page may send the token either.

    Args:
        inner: the pages.
        token: that every request has to show.
        names: hosts under which the service is known, besides those of loopback.
        tell: takes each line of the log.
    """

    def __init__(
        self, inner: ASGIApp, token: bytes, names: Collection[str], tell: Callable[[str], None]
    ) -> None:
        self._inner = inner
        self._token = token
        self._names = LOOPBACK | {name.lower() for name in names}
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and write one line of it."""
        status = 500

        async def harden(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            await (self._refusal(scope) or self._inner)(scope, receive, harden)
        except Exception:  # noqa: BLE001 - the caller was answered; what is left is to say it here
            for line in traceback.format_exc().splitlines():
                self._tell(plain(line, limit=2_000))
        self._tell(f"{plain(scope['method'], limit=20)} {plain(scope['path'])} {status}")

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Why a request goes no further, or None."""
        if not self._is_named(_only(scope, b"host")):
            return _refused(
                UsageError(
                    "wrong-host",
                    "this service is not known by that name",
                    why="the Host header names another host, as a page would that has its own "
                    "name resolve to this machine",
                    fix="ask under 127.0.0.1 or localhost, or start the service with --name",
                )
            )
        kind, _, shown = _only(scope, b"authorization").partition(b" ")
        if kind.lower() != b"bearer" or not hmac.compare_digest(shown.strip(b" "), self._token):
            return _refused(
                ForbiddenError(
                    "no-token",
                    "the service tells nothing without its token",
                    why="the header `Authorization: Bearer TOKEN` is missing, or its token is "
                    "another",
                    fix="send what stands in the service's token file",
                ),
                status=UNAUTHORIZED,
            )
        return None

    def _is_named(self, host: bytes) -> bool:
        found = _HOST.fullmatch(host.decode("latin-1"))
        return found is not None and found[1].lower() in self._names


def _only(scope: Scope, name: bytes) -> bytes:
    """A header's value; "" where it is missing or stands there twice."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else b""


def _refused(error: CredenzaError, status: int | None = None) -> ASGIApp:
    headers = {"WWW-Authenticate": "Bearer"} if status == UNAUTHORIZED else None
    return said(error_document(error), status=status or error.http_status, headers=headers)
