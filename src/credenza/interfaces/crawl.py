"""Fetches a page of the web for an index: bounded, one hop at a time, nowhere private."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import socket
import ssl
import urllib.parse

from credenza.core.errors import UntrustedError
from credenza.interfaces.web import in_time
from credenza.provenance.urls import Fetched

HOPS_MAX = 5
PAGE_BYTES_MAX = 32 * 2**20
TIMEOUT_S = 20.0
PAGE_S = 120.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
OK = 200
USER_AGENT = "credenza"

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Crawler:
    """Gets pages over http and https, following redirects itself and noting each.

    It connects to the very address that it checked, so a name that answers once with a
    public address and then with a private one (DNS rebinding) does not lead inside.

    Args:
        allow_private: also fetch from loopback and private networks.
        page_bytes: most that is read of one page.
        page_s: longest that a page may take, redirects included: a server that sends a byte
            now and then must not hold up all the others.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        page_bytes: int = PAGE_BYTES_MAX,
        page_s: float = PAGE_S,
    ) -> None:
        self._allow_private = allow_private
        self._page_bytes = page_bytes
        self._page_s = page_s
        self._tls = ssl.create_default_context()

    def __call__(self, url: str) -> Fetched:
        """The page behind a URL.

        Raises:
            UntrustedError: no usable URL, no answer, another status than 200, too many
                redirects, too many bytes, fewer than were promised, too late, or an address
                that is not public.
        """
        try:
            return in_time(self._page_s, lambda: self._page(url))
        except TimeoutError as wrong:
            raise _refused("no-answer", str(wrong)) from wrong

    def _page(self, url: str) -> Fetched:
        chain = [url]
        while True:
            status, location, fetched = self._hop(chain)
            if status not in REDIRECTS:
                break
            chain.append(_joined(chain[-1], location))
            if len(chain) > HOPS_MAX + 1:
                raise _refused("too-many-redirects", f"more than {HOPS_MAX} redirects")
        if status != OK:
            raise _refused("bad-status", f"the server answered {status}")
        return fetched

    def _hop(self, chain: list[str]) -> tuple[int, str, Fetched]:
        parts = _split(chain[-1])
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
        if body and answer.length:  # what is read in parts is not compared by the library
            raise _refused("cut-off", f"{answer.length} bytes that were promised did not come")
        media_type = (answer.getheader("Content-Type") or "").split(";")[0].strip().lower()
        fetched = Fetched(body, tuple(chain), media_type[:100], certificate)
        return answer.status, answer.getheader("Location") or "", fetched

    def _address(self, host: str, port: int) -> str:
        """An address of the host that may be connected to."""
        found = [
            str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ]
        for address in found:
            if self._allow_private or is_public(address):
                return address
        raise _refused("private-address", f"{host[:100]!a} is on a private network")


def is_public(address: str) -> bool:
    """Whether an address, and any IPv4 address that it carries, is one of the public internet.

    A gateway hands what is sent to some IPv6 addresses (IPv4-mapped, 6to4, NAT64) on to the
    IPv4 address inside, which may be a private one.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    carried = [found]
    if isinstance(found, ipaddress.IPv6Address):
        inside = [found.ipv4_mapped, found.sixtofour]
        if found in _NAT64:
            inside.append(ipaddress.IPv4Address(int(found) % 2**32))
        carried += [one for one in inside if one is not None]
    return all(one.is_global and not one.is_multicast for one in carried)


def _split(url: str) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(url)
    except ValueError as wrong:
        raise _refused("bad-url", f"{url[:200]!a}: {wrong}") from wrong


def _joined(base: str, location: str) -> str:
    _split(location)  # refused before it is joined
    return urllib.parse.urljoin(base, location)


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
    return UntrustedError(
        code,
        "a page could not be fetched",
        why=why,
        fix="see whether it opens in a browser, and submit again",
    )
