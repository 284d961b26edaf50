from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UntrustedError, UsageError
from credenza.provenance.urls import Fetched, Retrieved, Schedule, Time, retrieve

DAY_S = 86_400.0


@dataclass
class Clock:
    """Time that passes when somebody sleeps."""

    at: float = 1_700_000_000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Wiki:
    """Pages that a vandal edits, and that their keepers put right after a while.

    Attributes:
        edits: by URL, when the vandal edits it and when it is reverted.
    """

    clock: Clock
    edits: dict[str, tuple[float, float]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, url: str) -> Fetched:
        self.asked.append(url)
        start, end = self.edits.get(url, (np.inf, np.inf))
        is_poisoned = start <= self.clock.now() < end
        body = b"POISON" if is_poisoned else f"page {url}".encode()
        return Fetched(body, (url,), "text/html", "")


def index(count: int = 200) -> pa.Table:
    return pa.table(
        {
            "url": [f"https://wiki.example/{n}" for n in range(count)],
            "label": ["a", "b"] * (count // 2),
        }
    )


def run(wiki: Wiki, schedule: Schedule, seed: int = 0, pages: pa.Table | None = None) -> Retrieved:
    time = Time(wiki.clock.now, wiki.clock.sleep)
    rng = np.random.default_rng(seed)
    return retrieve(index() if pages is None else pages, wiki, schedule, time, rng)


def poisoned(found: Retrieved) -> float:
    return float(np.mean([body == b"POISON" for body in found.table["content"].to_pylist()]))


def test_pages_come_with_their_digest_and_their_retrieval() -> None:
    found = run(Wiki(Clock()), Schedule())
    assert not found.refused
    assert found.table["label"].to_pylist()[:2] == ["a", "b"]
    row = found.table.slice(3, 1).to_pylist()[0]
    assert row["text"] == "page https://wiki.example/3"
    assert row["sha256"] == hashlib.sha256(row["content"]).hexdigest()
    assert (row["redirects"], row["final_url"]) == (0, "https://wiki.example/3")


def test_threat_07_a_page_that_is_not_what_was_indexed_stays_out() -> None:
    clock = Clock()
    pages = index()
    digests = [
        hashlib.sha256(f"page {url}".encode()).hexdigest() for url in pages["url"].to_pylist()
    ]
    pages = pages.append_column("sha256", pa.array(digests))
    wiki = Wiki(clock, {"https://wiki.example/7": (0.0, np.inf)})
    found = run(wiki, Schedule(), pages=pages)
    assert [(one.url[-2:], one.code) for one in found.refused] == [("/7", "content-changed")]
    assert poisoned(found) == 0.0


def test_threat_07_a_page_that_changes_between_two_visits_stays_out() -> None:
    clock = Clock()
    wiki = Wiki(clock, {"https://wiki.example/7": (clock.at + 60, np.inf)})
    found = run(wiki, Schedule(hold_s=3_600))
    assert [one.url for one in found.refused] == ["https://wiki.example/7"]
    assert found.table.num_rows == 199


def test_threat_08_a_vandal_who_knows_a_fixed_schedule_poisons_everything() -> None:
    """The control: without spread and hold the attack works."""
    clock = Clock()
    wiki = Wiki(clock, dict.fromkeys(index()["url"].to_pylist(), (clock.at - 60, clock.at + 600)))
    assert poisoned(run(wiki, Schedule())) == 1.0


def test_threat_08_random_moments_and_a_second_visit_leave_the_vandal_little() -> None:
    clock = Clock()
    start = clock.at
    rng = np.random.default_rng(5)
    # Each page may be edited once in the week, for ten minutes until somebody reverts it.
    edits = {
        url: (moment, moment + 600.0)
        for url, moment in zip(
            index()["url"].to_pylist(), start + rng.uniform(0, 7 * DAY_S, 200), strict=True
        )
    }
    spread = poisoned(run(Wiki(Clock(start), edits), Schedule(spread_s=7 * DAY_S)))
    held = run(Wiki(Clock(start), edits), Schedule(spread_s=7 * DAY_S, hold_s=DAY_S))
    assert spread <= 0.02, "ten minutes of a week"
    assert poisoned(held) == 0.0


def test_poison_that_stays_longer_than_the_hold_gets_in() -> None:
    """What the second visit is blind to."""
    clock = Clock()
    wiki = Wiki(clock, {"https://wiki.example/7": (0.0, clock.at + 30 * DAY_S)})
    assert poisoned(run(wiki, Schedule(spread_s=DAY_S, hold_s=DAY_S))) > 0


def test_the_order_of_visits_follows_the_draw_and_not_the_list() -> None:
    first, second, again = (Wiki(Clock()) for _ in range(3))
    for wiki, seed in ((first, 1), (second, 2), (again, 1)):
        run(wiki, Schedule(spread_s=DAY_S, hold_s=60), seed)
    assert first.asked != second.asked
    assert first.asked == again.asked
    assert first.asked[:200] != index()["url"].to_pylist()


def test_a_page_that_cannot_be_fetched_is_named_and_the_others_go_on() -> None:
    wiki = Wiki(Clock())

    def flaky(url: str) -> Fetched:
        if url.endswith("/9"):
            raise UntrustedError("no-answer", "a page could not be fetched", why="it hung up")
        return wiki(url)

    time = Time(wiki.clock.now, wiki.clock.sleep)
    found = retrieve(index(), flaky, Schedule(), time, np.random.default_rng(0))
    assert [one.why for one in found.refused] == ["it hung up"]
    assert found.table.num_rows == 199


def test_an_index_without_urls_or_without_any_content_is_the_callers_mistake() -> None:
    wiki = Wiki(Clock())
    with pytest.raises(UsageError, match="no column 'url'"):
        run(wiki, Schedule(), pages=pa.table({"link": ["x"]}))
    with pytest.raises(UsageError, match="1 to"):
        run(wiki, Schedule(), pages=pa.table({"url": pa.array([], pa.string())}))
    with pytest.raises(UsageError, match="brings a column"):
        run(wiki, Schedule(), pages=pa.table({"url": ["x"], "content": ["y"]}))
    wrong = pa.table({"url": ["https://wiki.example/1"], "sha256": ["0" * 64]})
    with pytest.raises(UsageError, match="none of the URLs"):
        run(wiki, Schedule(), pages=wrong)
