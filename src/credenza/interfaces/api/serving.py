"""The server: where it listens, how much it takes at once, and how it ends."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from credenza.core.errors import UsageError
from credenza.core.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

CONNECTIONS_MAX = 64
"""Who comes beyond is answered 503 by the server itself."""
GOODBYE_S = 5
"""After a signal, answers under way have so long."""


def listen(host: str, port: int, *, beyond_loopback: bool = False) -> socket.socket:
    """A socket that listens on an address of this machine.

    Args:
        host: an IP address.
        port: 0 takes a free one.
        beyond_loopback: whether other machines may reach it.

    Raises:
        UsageError: no address, one that other machines reach, or one that cannot be had.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError as wrong:
        raise _cannot_listen(
            f"{quote(host)} is no IP address", "give one, such as 127.0.0.1"
        ) from wrong
    if not (address.is_loopback or beyond_loopback):
        raise _cannot_listen(
            f"{host} can be reached from other machines, and what is said there is not encrypted",
            "listen on 127.0.0.1 behind a TLS proxy, or say --beyond-loopback",
        )
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        return socket.create_server((host, port), family=family)
    except OSError as wrong:
        raise _cannot_listen(
            f"{host}, port {port}: {wrong.strerror}", "choose another port, or 0 for a free one"
        ) from wrong


def url_of(listening: socket.socket) -> str:
    """Where a socket listens, as clients write it."""
    host, port = listening.getsockname()[:2]
    return f"http://{name_of(host)}:{port}"


def name_of(host: str) -> str:
    """An IP address as it stands in URLs and Host headers."""
    return f"[{host}]" if ":" in host else host


def server_of(app: ASGIApp) -> uvicorn.Server:
    """An HTTP/1.1 server that believes no proxy's headers and keeps its own log out of it.

    Blind to a client that sends its request byte by byte: it holds one of the
    ``CONNECTIONS_MAX`` connections for as long as it likes. A proxy in front has a limit.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=GOODBYE_S,
        )
    )


def serve(app: ASGIApp, listening: socket.socket, stop_after_s: float | None = None) -> None:
    """Answer until SIGINT or SIGTERM, or for so many seconds; then end in order."""
    server = server_of(app)
    with _ended_by_signals(server):
        if stop_after_s is not None:
            stopping = threading.Timer(stop_after_s, _stop, [server])
            stopping.daemon = True
            stopping.start()
        server.run(sockets=[listening])


def _stop(server: uvicorn.Server) -> None:
    server.should_exit = True


@contextlib.contextmanager
def _ended_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Signals end the server and nothing else.

    While it runs, uvicorn's own handlers do that, but before and after, the interpreter's
    stand: uvicorn raises each signal again once it has ended, which would kill the process.
    """
    ours = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.signal(one, lambda *_: _stop(server)) for one in ours}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _cannot_listen(why: str, fix: str) -> UsageError:
    return UsageError("cannot-listen", "the service cannot listen there", why=why, fix=fix)
