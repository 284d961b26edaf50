"""Content behind URLs becomes rows: fetched, digested, held back, fetched again.

An index of URLs is a promise that somebody else keeps: whoever owns the domain later
serves what he likes (split view), and whoever knows when a snapshot is taken edits the
page just before (frontrunning). So the bytes are taken in once, with their digest in
the row that is signed, and nothing is fetched at training time; pages are visited in a
random order at random moments, and only what a second visit finds unchanged goes in.

Source:
    Carlini et al., "Poisoning Web-Scale Training Datasets is Practical",
    arXiv:2302.10149.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from credenza.core.errors import UntrustedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

URL, SHA256 = "url", "sha256"
MOST_URLS = 1_000_000
ADDED = ("final_url", "redirects", "media_type", "certificate_sha256", "retrieved_s")


class Fetched(NamedTuple):
    """What a server answered.

    Attributes:
        body: its bytes, within the limits.
        chain: every URL on the way, the one that was asked first, the last that answered.
        media_type: as the server says.
        certificate: SHA-256 of the server's certificate in hex, "" without TLS.
    """

    body: bytes
    chain: tuple[str, ...]
    media_type: str
    certificate: str


class Get(Protocol):
    """Fetches one URL, or raises ``UntrustedError`` with the reason."""

    def __call__(self, url: str) -> Fetched:
        """The answer at this moment."""
        ...


class Refused(NamedTuple):
    """A URL that is not in the batch, and why."""

    url: str
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What became of a list of URLs.

    Attributes:
        table: the columns of the list, and of each page its bytes, text and retrieval.
        refused: those that stay out, in the order of the list.
    """

    table: pa.Table
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When pages are visited.

    Attributes:
        spread_s: the first visits are spread over so many seconds, at random.
        hold_s: so many seconds pass at least before a page is visited again; 0 for no
            second visit.
    """

    spread_s: float = 0.0
    hold_s: float = 0.0


class Time(NamedTuple):
    """The time, and a way to let it pass: seconds since the epoch, and a sleep."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


def retrieve(
    index: pa.Table, get: Get, schedule: Schedule, time: Time, rng: np.random.Generator
) -> Retrieved:
    """Visit every URL of an index, twice if the schedule holds back.

    A page stays out when it cannot be fetched, when its digest is not the one in the
    index's column ``sha256``, or when the second visit finds other bytes. Blind to a
    page that was poisoned before the first visit and left so until the second: the
    longer the hold, the longer a vandal has to stay unnoticed by the page's keepers.

    Args:
        index: a text column ``url``, perhaps ``sha256`` of the content as indexed, and
            any columns that go with a page, such as its label.
        get: fetches one URL.
        schedule: how visits are spread and repeated.
        time: the clock.
        rng: draws order and moments; from the operating system, or an attacker who
            guesses the seed knows when to edit.

    Raises:
        UsageError: the index has no such column, or none of its URLs can be used.
    """
    urls = _urls(index)
    start = time.now()
    moments = start + rng.uniform(0.0, schedule.spread_s, len(urls))
    first: dict[int, tuple[Fetched, float]] = {}
    refused: dict[int, Refused] = {}
    for at in np.argsort(moments, kind="stable").tolist():
        _wait(time, float(moments[at]))
        visit = _visit(urls[at], get, _indexed(index, at))
        if isinstance(visit, Refused):
            refused[at] = visit
        else:
            first[at] = (visit, time.now())
    if schedule.hold_s > 0:
        for at in rng.permutation(sorted(first)).tolist():
            fetched, seen = first[at]
            _wait(time, seen + schedule.hold_s)
            again = _visit(urls[at], get, sha256(fetched.body).hexdigest())
            if isinstance(again, Refused):
                refused[at] = again
                del first[at]
    if not first:
        why = "; ".join(f"{one.url[:80]!a}: {one.why}" for one in list(refused.values())[:3])
        raise UsageError(
            "no-content",
            "none of the URLs gave content that can be used",
            why=why,
            fix="fetch one of them by hand, mend the index, and submit again",
        )
    kept = sorted(first)
    return Retrieved(
        _rows(index.take(kept), [first[at] for at in kept]),
        tuple(refused[at] for at in sorted(refused)),
    )


def _urls(index: pa.Table) -> list[str]:
    if URL not in index.column_names:
        raise UsageError(
            "no-url-column",
            "the index has no column 'url'",
            why=f"its columns are {', '.join(index.column_names[:20])}",
            fix="give the column of URLs the name 'url'",
        )
    taken = sorted({"content", "text", *ADDED} & set(index.column_names))
    if taken:
        raise UsageError(
            "reserved-column",
            f"the index brings a column called {taken[0]!r}",
            why="the fetched table has a column of that name",
            fix="rename it: what is fetched goes there",
        )
    urls = [str(url) for url in index[URL].to_pylist()]
    if not 0 < len(urls) <= MOST_URLS:
        raise UsageError(
            "bad-index",
            f"an index has 1 to {MOST_URLS} URLs, not {len(urls)}",
            why="one batch is fetched in one visit",
            fix="split or fill the index",
        )
    return urls


def _indexed(index: pa.Table, at: int) -> str:
    return str(index[SHA256][at].as_py() or "") if SHA256 in index.column_names else ""


def _visit(url: str, get: Get, expected: str) -> Fetched | Refused:
    try:
        fetched = get(url)
    except UntrustedError as wrong:
        return Refused(url, wrong.code, wrong.why or wrong.what)
    digest = sha256(fetched.body).hexdigest()
    if expected and digest != expected.lower():
        why = f"its SHA-256 is {digest[:16]}…, not {expected[:16]}… as before"
        return Refused(url, "content-changed", why)
    return fetched


def _wait(time: Time, until: float) -> None:
    left = until - time.now()
    if left > 0:
        time.sleep(left)


def _rows(index: pa.Table, visits: list[tuple[Fetched, float]]) -> pa.Table:
    bodies = [fetched.body for fetched, _ in visits]
    columns = {
        SHA256: pa.array([sha256(body).hexdigest() for body in bodies]),
        "content": pa.array(bodies, pa.binary()),
        "text": pa.array([_text(fetched) for fetched, _ in visits], pa.string()),
        "final_url": pa.array([fetched.chain[-1] for fetched, _ in visits]),
        "redirects": pa.array([len(fetched.chain) - 1 for fetched, _ in visits], pa.int64()),
        "media_type": pa.array([fetched.media_type for fetched, _ in visits]),
        "certificate_sha256": pa.array([fetched.certificate for fetched, _ in visits]),
        "retrieved_s": pa.array([int(seen) for _, seen in visits], pa.int64()),
    }
    for name, column in columns.items():
        if name in index.column_names:
            index = index.set_column(index.column_names.index(name), name, column)
        else:
            index = index.append_column(name, column)
    return index


def _text(fetched: Fetched) -> str | None:
    """The page as text, when it says that it is some and is UTF-8."""
    if not fetched.media_type.startswith(("text/", "application/json")):
        return None
    try:
        return fetched.body.decode("utf-8")
    except UnicodeDecodeError:
        return None
