"""Who may ask the service, under which name, and what every answer carries."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.interfaces.conftest import Service

PATHS = ("/v1/health", "/v1/campaigns", "/openapi.json", "/v1/monitor?dataset=trips", "/nowhere")
TOKEN = "t" * 43


def raw(service: Service, *lines: bytes) -> bytes:
    """Bytes for bytes; what came back until the service hung up."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as wire:
        wire.sendall(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
        wire.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: wire.recv(65_536), b""))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer " + "u" * 43,
        "Bearer " + TOKEN[:-1],
        "Bearer " + TOKEN + "t",
        "Basic " + TOKEN,
        TOKEN,
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        "Bearer \xff" + TOKEN,
    ],
)
def test_nothing_is_told_without_the_token(path: str, shown: str, service: Service) -> None:
    answer = service.get(path, Authorization=shown)
    assert (answer.status, answer.document["code"]) == (401, "no-token")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN.encode() not in answer.body


def test_a_token_in_the_query_or_shown_twice_opens_nothing(service: Service) -> None:
    assert service.get(f"/v1/health?token={TOKEN}", Authorization="").status == 401
    shown = b"Authorization: Bearer " + TOKEN.encode()
    answer = raw(service, b"GET /v1/health HTTP/1.1", b"Host: localhost", shown, shown)
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_the_scheme_of_the_token_may_be_written_in_any_case(service: Service) -> None:
    assert service.get("/v1/health", Authorization=f"bearer {TOKEN}").status == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:80", "gate.example:443"]
)
def test_the_service_answers_to_loopback_and_to_the_names_that_it_was_given(
    host: str, service: Service
) -> None:
    assert service.get("/v1/health", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "localhost@evil.example",
        "127.0.0.1, evil.example",
        "0.0.0.0",  # noqa: S104 - it is refused
        "127.1",
        "localhost.",
        "[::1",
        "gate.example.",
        "evil.gate.example",
        "localhost:x",
    ],
)
def test_a_page_whose_name_was_turned_to_loopback_is_refused_with_the_right_token(
    host: str, service: Service
) -> None:
    answer = service.get("/v1/health", Host=host)
    assert (answer.status, answer.document["code"]) == (400, "wrong-host")


def test_a_request_without_a_host_is_refused(service: Service) -> None:
    shown = b"Authorization: Bearer " + TOKEN.encode()
    answer = raw(service, b"GET /v1/health HTTP/1.0", shown)
    assert b" 400 " in answer.splitlines()[0]


def test_what_is_no_http_is_refused_and_the_service_stays_up(service: Service) -> None:
    for line in (b"\x1b[31m", b"GET / HTTP/9.9", b"GET  / HTTP/1.1", b"\x16\x03\x01\x02\x00"):
        assert b"HTTP/1.1 400 " in raw(service, line)
    huge = b"X: " + b"x" * 200_000
    with contextlib.suppress(ConnectionError):  # it hung up before everything was sent
        assert b" 400 " in raw(service, b"GET / HTTP/1.1", huge)
    assert service.get("/v1/health").status == 200


@pytest.mark.parametrize("path", [*PATHS, "/v1/campaigns/trips/2024-02-26/1/chart.svg"])
@pytest.mark.parametrize("shown", [f"Bearer {TOKEN}", ""])
def test_every_answer_is_hardened_and_open_to_no_other_site(
    path: str, shown: str, service: Service
) -> None:
    told = service.get(path, Authorization=shown, Origin="https://evil.example").headers
    assert told["x-content-type-options"] == "nosniff"
    assert told["cache-control"] == "no-store"
    assert told["content-security-policy"].startswith("default-src 'none';")
    assert "sandbox" in told["content-security-policy"]
    assert told["referrer-policy"] == "no-referrer"
    assert told["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in told if name.startswith("access-control")]
    assert "server" not in told


def test_a_browsers_question_whether_another_site_may_ask_is_not_answered(
    service: Service,
) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for shown in ("", f"Bearer {TOKEN}"):
        answer = service.get("/v1/health", "OPTIONS", Authorization=shown, **asked)
        assert answer.status in {401, 405}
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_log_says_method_path_and_status_and_nothing_that_steers_a_terminal(
    service: Service,
) -> None:
    hostile = quote("\x1b]0;owned\x07\u202e\n200", safe="")
    service.get(f"/v1/campaigns/{hostile}?dataset=secret-name&token={TOKEN}", Cookie=TOKEN)
    assert service.has_logged("GET /v1/campaigns/\\x1b]0;owned\\x07\\u202e\\x0a200 404")
    assert not [line for line in service.log if TOKEN in line or "secret-name" in line]
    kinds = {unicodedata.category(character) for line in service.log for character in line}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


WORDS = st.text(max_size=20)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["v1", "campaigns", "monitor", "trips", "..", "chart.svg"]) | WORDS),
    st.lists(st.tuples(st.sampled_from(["dataset", "x"]) | WORDS, WORDS), max_size=2),
    st.sampled_from(["GET", "HEAD", "POST", "BREW"]),
)
def test_whatever_is_asked_is_answered_in_one_of_the_ways_that_are_described(
    service: Service, path: list[str], query: list[tuple[str, str]], method: str
) -> None:
    asked = "/" + "/".join(quote(word, safe="", errors="replace") for word in path)
    pairs = [
        (quote(name, errors="replace"), quote(value, errors="replace")) for name, value in query
    ]
    answer = service.get(f"{asked}?{'&'.join('='.join(pair) for pair in pairs)}", method)
    assert answer.status in {200, 400, 404, 405}
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status != 200 and method != "HEAD":
        told = json.loads(answer.body)
        assert told["schema"] == "credenza.error/1"
        assert re.fullmatch(r"[a-z-]+", told["code"])
    assert not set(answer.body) & {0x1B, 0x07}
