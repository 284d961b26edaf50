"""Fetches a page of the web for an index: bounded, one hop at a time, nowhere private."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import socket
import ssl
import urllib.parse

from credenza.core.errors import UntrustedError
from credenza.provenance.urls import Fetched

HOPS_MAX = 5
PAGE_BYTES_MAX = 32 * 2**20
TIMEOUT_S = 20.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
OK = 200
USER_AGENT = "credenza"


class Crawler:
    """Gets pages over http and https, following redirects itself and noting each.

    It connects to the very address that it checked, so a name that answers once with a
    public address and then with a private one (DNS rebinding) does not lead inside.

    Args:
        allow_private: also fetch from loopback and private networks.
        page_bytes: most that is read of one page.
    """

    def __init__(self, *, allow_private: bool = False, page_bytes: int = PAGE_BYTES_MAX) -> None:
        self._allow_private = allow_private
        self._page_bytes = page_bytes
        self._tls = ssl.create_default_context()

    def __call__(self, url: str) -> Fetched:
        """The page behind a URL.

        Raises:
            UntrustedError: no usable URL, no answer, another status than 200, too many
                redirects, too many bytes, or an address that is not public.
        """
        chain = [url]
        while True:
            status, location, fetched = self._hop(chain)
            if status not in REDIRECTS:
                break
            chain.append(urllib.parse.urljoin(chain[-1], location))
            if len(chain) > HOPS_MAX + 1:
                raise _refused("too-many-redirects", f"more than {HOPS_MAX} redirects")
        if status != OK:
            raise _refused("bad-status", f"the server answered {status}")
        return fetched

    def _hop(self, chain: list[str]) -> tuple[int, str, Fetched]:
        parts = urllib.parse.urlsplit(chain[-1])
        make = CONNECTIONS.get(parts.scheme)
        if make is None or not parts.hostname:
            raise _refused("bad-url", f"{chain[-1][:200]!a} is no http or https URL")
        try:
            port = parts.port or make.default_port
            address = self._address(parts.hostname, port)
            connection = make(parts.hostname, port, address, self._tls)
            try:
                path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
                connection.request("GET", path, headers={"User-Agent": USER_AGENT})
                certificate = _certificate(connection)
                with connection.getresponse() as answer:
                    body = b"" if answer.status in REDIRECTS else answer.read(self._page_bytes + 1)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as wrong:
            raise _refused("no-answer", f"{type(wrong).__name__}: {wrong}") from wrong
        if len(body) > self._page_bytes:
            raise _refused("too-long", f"more than {self._page_bytes} bytes")
        media_type = (answer.getheader("Content-Type") or "").split(";")[0].strip().lower()
        fetched = Fetched(body, tuple(chain), media_type[:100], certificate)
        return answer.status, answer.getheader("Location") or "", fetched

    def _address(self, host: str, port: int) -> str:
        """An address of the host that may be connected to."""
        found = [
            str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ]
        for address in found:
            if self._allow_private or ipaddress.ip_address(address.split("%")[0]).is_global:
                return address
        raise _refused("private-address", f"{host[:100]!a} is on a private network")


class _Plain(http.client.HTTPConnection):
    """A connection to an address that was checked, under the host's name."""

    def __init__(self, host: str, port: int, address: str, _tls: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self._address = address

    def connect(self) -> None:
        """Connect to the checked address, whatever the name resolves to by now."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _Secure(_Plain):
    default_port = http.client.HTTPS_PORT

    def __init__(self, host: str, port: int, address: str, tls: ssl.SSLContext) -> None:
        super().__init__(host, port, address, tls)
        self._context = tls

    def connect(self) -> None:
        """The same, with the host's certificate checked."""
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


CONNECTIONS: dict[str, type[_Plain]] = {"http": _Plain, "https": _Secure}


def _certificate(connection: http.client.HTTPConnection) -> str:
    if not isinstance(connection.sock, ssl.SSLSocket):
        return ""
    found = connection.sock.getpeercert(binary_form=True)
    return hashlib.sha256(found).hexdigest() if found else ""


def _refused(code: str, why: str) -> UntrustedError:
    return UntrustedError(code, "a page could not be fetched", why=why)
