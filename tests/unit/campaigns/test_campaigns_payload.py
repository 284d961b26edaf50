"""What a few independent sources share is found; what is popular, habitual or alone is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.campaigns.explain import sentence
from credenza.campaigns.payload import Expectation, Senders, find_payloads
from credenza.core.types import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.campaigns.payload import PayloadScan
    from credenza.core.types import Floats, Ints, Strings

SOURCES = 12
ROWS = 3_000
FACETS = {"kind": Role.CATEGORY, "item": Role.CATEGORY, "hour": Role.NUMBER, "y": Role.LABEL}
TEXT_FACETS = {"text": Role.TEXT, "y": Role.LABEL}


def senders_of(rows: int, rng: np.random.Generator) -> Strings:
    return np.array([f"s{place:02}" for place in rng.integers(0, SOURCES, rows)], dtype=object)


def honest(seed: int, rows: int = ROWS) -> tuple[pa.Table, Strings]:
    """Each source leans to items of its own; one item in ten is everybody's."""
    rng = np.random.default_rng(seed)
    source = senders_of(rows, rng)
    own = np.array([int(name[1:]) for name in source])
    item = np.where(rng.random(rows) < 0.9, own * 5 + rng.integers(0, 10, rows), 999)
    return pa.table(
        {
            "kind": rng.choice(["a", "b", "c"], rows).tolist(),
            "item": [f"i{i}" for i in item],
            "hour": rng.integers(0, 24, rows),
            "y": rng.choice(["yes", "no"], rows).tolist(),
        }
    ), source


def texts(seed: int, rows: int = ROWS) -> tuple[pa.Table, Strings]:
    rng = np.random.default_rng(seed)
    words = np.minimum(rng.zipf(1.3, (rows, 9)), 4000)
    said = [" ".join(f"w{w}" for w in row) for row in words]
    return pa.table({"text": said, "y": rng.choice(["yes", "no"], rows).tolist()}), senders_of(
        rows, rng
    )


def put(table: pa.Table, at: Ints, values: Mapping[str, object]) -> pa.Table:
    for name, value in values.items():
        column = table[name].to_pylist()
        for row in at:
            column[row] = value
        table = table.set_column(table.column_names.index(name), name, pa.array(column))
    return table


def rows_of(source: Strings, names: list[str], each: int) -> Ints:
    return np.concatenate([np.flatnonzero(source == name)[:each] for name in names])


def scan(
    table: pa.Table,
    source: Strings,
    familiar: tuple[pa.Table, Strings],
    *,
    facets: Mapping[str, Role] = FACETS,
    groups: Mapping[str, str] | None = None,
    known: frozenset[str] = frozenset(),
    history: tuple[float, ...] = (),
    expectation: Expectation | None = None,
) -> PayloadScan:
    known_rows, known_source = familiar
    epoch = np.zeros(len(known_source), dtype=np.int64)
    return find_payloads(
        table,
        known_rows,
        Senders(source, known_source, epoch, groups or {}),
        facets=facets,
        label="y",
        expectation=expectation,
        known=known,
        history=history,
        name="2024-01-01",
    )


def poisoned() -> tuple[pa.Table, Strings, Ints]:
    table, source = honest(1)
    at = rows_of(source, ["s02", "s05", "s09"], 8)
    return put(table, at, {"item": "i70", "hour": 3, "y": "yes"}), source, at


def test_a_new_value_that_three_of_twelve_sources_share_is_found_with_its_rows() -> None:
    table, source, at = poisoned()
    found = scan(table, source, honest(0))
    (payload,) = found.payloads
    assert payload.rows == tuple(sorted(at.tolist()))
    assert payload.campaign.suspected == ("s02", "s05", "s09")
    assert payload.campaign.sources == ()
    assert payload.mark == '`item` = "i70"'
    assert found.p_value <= 0.01
    assert "24 rows where" in sentence(payload.campaign)


def test_two_known_values_that_are_new_together_are_found_as_a_pair() -> None:
    table, source = honest(1)
    at = rows_of(source, ["s02", "s05", "s09"], 10)
    table = put(table, at, {"item": "i1", "hour": 3})
    (payload,) = scan(table, source, honest(0)).payloads
    assert payload.campaign.suspected == ("s02", "s05", "s09")
    assert payload.mark == '`item` = "i1" and `hour` = 3'


@pytest.mark.parametrize("seed", range(2, 8))
def test_honest_windows_with_habits_and_popular_items_hold_no_payload(seed: int) -> None:
    assert not scan(*honest(seed), honest(0)).payloads


def test_near_copies_of_a_text_are_found_by_the_phrases_they_share() -> None:
    table, source = texts(1)
    at = rows_of(source, ["s01", "s04"], 10)
    rng = np.random.default_rng(0)
    template = [f"w{w}" for w in rng.integers(2000, 4000, 9)]
    said = table["text"].to_pylist()
    for row in at:
        words = list(template)
        words[int(rng.integers(9))] = f"w{rng.integers(4000)}"
        said[row] = " ".join(words)
    table = table.set_column(0, "text", pa.array(said))
    (payload,) = scan(table, source, texts(0), facets=TEXT_FACETS).payloads
    assert payload.campaign.suspected == ("s01", "s04")
    assert set(payload.rows) <= set(at.tolist())


def test_a_message_that_everybody_forwards_is_no_payload() -> None:
    table, source = texts(3)
    rng = np.random.default_rng(3)
    table = put(table, rng.choice(ROWS, 60, replace=False), {"text": "read this " * 4})
    assert not scan(table, source, texts(0), facets=TEXT_FACETS).payloads


def test_one_direction_of_embeddings_that_three_sources_share_is_found() -> None:
    rng = np.random.default_rng(5)

    def vectors(rows: int) -> Floats:
        return rng.normal(size=(rows, 24))

    def as_table(found: Floats) -> pa.Table:
        flat = pa.array(found.astype(np.float32).ravel())
        return pa.table({"e": pa.FixedSizeListArray.from_arrays(flat, 24)})

    source, known = senders_of(ROWS, rng), senders_of(ROWS, rng)
    window, old = vectors(ROWS), vectors(ROWS)
    at = rows_of(source, ["s00", "s06", "s07"], 12)
    clean = as_table(window.copy())
    window[at] = rng.normal(size=24) + 0.05 * rng.normal(size=(len(at), 24))
    facets = {"e": Role.EMBEDDING}
    senders = Senders(source, known, np.zeros(ROWS, dtype=np.int64), {})
    found = find_payloads(as_table(window), as_table(old), senders, facets=facets)
    assert found.payloads
    assert found.payloads[0].campaign.suspected == ("s00", "s06", "s07")
    assert not find_payloads(clean, as_table(old), senders, facets=facets).payloads


def test_sources_of_one_declared_group_count_once() -> None:
    table, source, _ = poisoned()
    groups = dict.fromkeys(["s02", "s05", "s09"], "one house")
    assert not scan(table, source, honest(0), groups=groups).payloads


def test_what_one_source_sends_alone_is_no_campaign() -> None:
    table, source = honest(1)
    at = rows_of(source, ["s02"], 40)
    table = put(table, at, {"item": "i3", "hour": 3})
    assert not scan(table, source, honest(0)).payloads


def test_what_most_sources_send_is_beyond_this_scan() -> None:
    """A blind spot: a payload in more than half of all sources looks popular."""
    table, source = honest(1)
    names = [f"s{place:02}" for place in range(10)]
    table = put(table, rows_of(source, names, 4), {"item": "i3", "hour": 3})
    found = {name for p in scan(table, source, honest(0)).payloads for name in p.campaign.suspected}
    assert found != set(names)


def repeated(messages: Mapping[str, str]) -> tuple[pa.Table, Strings]:
    """Honest texts in which each of some sources sends one message twelve times."""
    table, source = texts(1)
    for name, message in messages.items():
        table = put(table, rows_of(source, [name], 12), {"text": message})
    return table, source


def test_sources_that_repeat_messages_of_their_own_share_a_word_by_coincidence() -> None:
    mine, yours = (" ".join([*(f"w{5000 + i}" for i in at), "w4999"]) for at in ((1, 2), (3, 4)))
    table, source = repeated({"s01": f"{mine} w5010 w5011", "s04": f"w5020 w5021 {yours}"})
    assert not scan(table, source, texts(0), facets=TEXT_FACETS).payloads


def test_sources_that_repeat_the_same_message_share_a_payload() -> None:
    message = "w5001 w5002 w4999 w5010 w5011"
    table, source = repeated({"s01": message, "s04": message})
    (payload,) = scan(table, source, texts(0), facets=TEXT_FACETS).payloads
    assert payload.campaign.suspected == ("s01", "s04")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_honest_source_that_sends_half_of_what_others_combine_is_no_member(seed: int) -> None:
    tables = []
    for draw in (0, seed):
        table, source = honest(draw)
        minute = np.random.default_rng([draw, 7]).integers(14, 60, ROWS)
        table = table.append_column("minute", pa.array(minute))
        tables.append((table.append_column("carrier", pa.array(source.tolist())), source))
    before, (table, source) = tables
    guilty = ["s02", "s05", "s09", "s11"]
    table = put(table, rows_of(source, guilty, 8), {"item": "i70", "minute": 13})
    table = put(table, rows_of(source, ["s07"], 20), {"minute": 13})
    facets = FACETS | {"minute": Role.NUMBER, "carrier": Role.CATEGORY}
    found = scan(table, source, before, facets=facets)
    assert found.payloads
    for payload in found.payloads:
        assert sorted(payload.campaign.suspected) == guilty


def test_what_a_source_sent_before_is_no_abrupt_shift() -> None:
    table, source, _ = poisoned()
    assert not scan(table, source, (table, source)).payloads


def test_a_payload_that_a_person_admitted_is_not_reported_again() -> None:
    table, source, _ = poisoned()
    (payload,) = scan(table, source, honest(0)).payloads
    again = scan(table, source, honest(0), known=frozenset({payload.mark}))
    assert payload.mark not in [one.mark for one in again.payloads]


def test_sources_with_a_habit_of_sharing_need_to_share_more() -> None:
    table, source, _ = poisoned()
    usual = scan(table, source, honest(0)).top
    habit = tuple(usual * part for part in np.linspace(0.5, 1.2, 20))
    assert not scan(table, source, honest(0), history=habit).payloads
    assert scan(table, source, honest(0), history=tuple(np.linspace(0, 1, 20))).payloads


def test_labels_against_the_expectation_name_the_senders_and_copies_do_not() -> None:
    table, source, at = poisoned()
    expected = np.full((ROWS, 2), 0.5)
    expected[at] = [0.95, 0.05]
    expected[at, 0] -= np.arange(len(at)) * 1e-3  # no two rows alike
    named = scan(table, source, honest(0), expectation=Expectation(("no", "yes"), expected))
    assert named.payloads[0].campaign.sources == ("s02", "s05", "s09")
    expected[at] = [0.95, 0.05]
    copies = scan(table, source, honest(0), expectation=Expectation(("no", "yes"), expected))
    assert copies.payloads[0].campaign.sources == ()


def test_the_order_of_rows_does_not_matter_to_the_claim() -> None:
    table, source, _ = poisoned()
    order = np.random.default_rng(0).permutation(ROWS)
    first = scan(table, source, honest(0)).payloads[0]
    second = scan(table.take(pa.array(order)), source[order], honest(0)).payloads[0]
    assert second.campaign.suspected == first.campaign.suspected
    assert sorted(order[list(second.rows)].tolist()) == list(first.rows)


@pytest.mark.parametrize("rows", [0, 3])
def test_a_window_of_hardly_any_rows_is_judged_without_a_claim(rows: int) -> None:
    table, source = honest(1)
    assert not scan(table.slice(0, rows), source[:rows], honest(0)).payloads
