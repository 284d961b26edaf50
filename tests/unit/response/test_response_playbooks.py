"""Every shipped playbook is executed against its attack, from the poison to a closed incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.canonical import sha256_hex
from credenza.core.errors import ConflictError, PendingError, UntrustedError
from credenza.core.spans import spans_of
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import load_key
from credenza.provenance.urls import Fetched, Schedule, Time, retrieve
from credenza.redteam.builtin import ATTACKS
from credenza.redteam.rows import Region
from credenza.response.incident import State
from credenza.response.playbook import playbook, shipped
from credenza.response.suspicion import Suspicion
from credenza.response.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import NewSources, NewWorkspace, SourceSimulator

    from credenza.response.incident import Incident
    from credenza.workspace import Workspace

DATASET, LABEL = "trips", "late"
BAD, WINDOW = "cara", 2


def flipped(clean: pa.Table) -> tuple[pa.Table, np.ndarray]:
    attack = ATTACKS.make(
        "label-flip", label=LABEL, target="no", share=0.3, where=Region("hour", at_least=12)
    )
    return attack.poison(clean, np.random.default_rng(1))


def triggered(clean: pa.Table) -> tuple[pa.Table, np.ndarray]:
    stamp = {"town": "Oz", "hour": 3}
    attack = ATTACKS.make("trigger", label=LABEL, target="no", share=0.2, stamp=stamp)
    return attack.poison(clean, np.random.default_rng(2))


def shilled(clean: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Twenty made-up accounts that give item 7 five stars and others what is usual."""
    profile = {"user": list(range(900, 920)), "item": [7] * 20, "stars": [5.0] * 20}
    made = pa.table(profile, schema=clean.schema)
    mask = np.r_[np.zeros(clean.num_rows, dtype=bool), np.ones(20, dtype=bool)]
    return pa.concat_tables([clean, made]), mask


def ratings(name: str, window: int) -> pa.Table:
    rng = np.random.default_rng([window, *name.encode()])
    users, items = rng.integers(0, 90, 60), rng.integers(0, 30, 60)
    return pa.table({"user": users, "item": items, "stars": rng.integers(1, 6, 60).astype(float)})


def pages(name: str, window: int, poisoned: str = "") -> pa.Table:
    """What a crawl brings; ``poisoned`` is served for one address."""
    urls = [f"http://{name}.example/{window}/{place}" for place in range(20)]

    def get(url: str) -> Fetched:
        body = poisoned if poisoned and url.endswith("/3") else f"page {url}"
        return Fetched(body.encode(), (url,), "text/plain", "")

    now = Time(lambda: 0.0, lambda _: None)
    found = retrieve(pa.table({"url": urls}), get, Schedule(), now, np.random.default_rng(0))
    return found.table.select(["url", "text"])


@pytest.fixture
def gate(new_workspace: NewWorkspace, sources: SourceSimulator) -> Workspace:
    """A gate that judges nothing by content: the poison gets in, and is found afterwards."""
    made = new_workspace(reference=1, calibration=1, detectors=(), outcomes={"silence": "admit"})
    sources.register(made)
    return made


def hand_in(
    gate: Workspace,
    sources: SourceSimulator,
    window: int,
    tables: dict[str, pa.Table],
    label: str = LABEL,
) -> dict[str, str]:
    """One window's batches together, and settled; digests by sender."""
    sent = []
    for name, table in tables.items():
        path = sources.write(table, f"{name}.parquet")
        envelope = gate.sign(
            [path],
            source=name,
            key=load_key(sources.keys[name]),
            dataset=DATASET,
            label=label,
            collected=(sources.window_start(window), sources.window_start(window + 1)),
            read=read_own,
        )
        sent.append((envelope, [path]))
    receipts = gate.receive_together(sent)
    sources.settle(gate, window)
    return {name: one.batch for name, one in zip(tables, receipts, strict=True)}  # type: ignore[union-attr] # none is refused


def poisoned(
    gate: Workspace,
    sources: SourceSimulator,
    table_of: Callable[[str, int], pa.Table],
    attack: Callable[[pa.Table], tuple[pa.Table, np.ndarray]],
    label: str = LABEL,
) -> tuple[str, list[int]]:
    """Three windows, in the last of which one sender's rows are poison; batch and rows."""
    for window in range(WINDOW):
        tables = {name: table_of(name, window) for name in sources.names}
        hand_in(gate, sources, window, tables, label)
    tables = {name: table_of(name, WINDOW) for name in sources.names}
    tables[BAD], mask = attack(tables[BAD])
    digest = hand_in(gate, sources, WINDOW, tables, label)[BAD]
    assert gate.batch(digest).status == "admitted"
    return digest, np.flatnonzero(mask).tolist()


def answer(gate: Workspace, known: Incident, suspicion: Suspicion | None) -> Incident:
    """Go through the incident's playbook: steps by themselves, by proof, by waiver."""
    desk, name = gate.incidents, known.id
    contained, refused = desk.run(name)
    assert not refused
    assert not [step for step in contained.open_steps(State.CONTAINED) if step.does]
    desk.enter(name, State.ACKNOWLEDGED, by="ada", note="on it")
    desk.enter(name, State.CONTAINED, by="ada", note="held")
    _, refused = desk.run(name)
    if suspicion is not None:
        # The rows are still there, and the playbook does not take anybody's word for it.
        assert [one.code for one in refused] == ["not-eradicated"]
        with pytest.raises(ConflictError) as early:
            desk.enter(name, State.ERADICATED, by="ada", note="surely")
        assert early.value.code == "steps-left"
        # The rows go; that all is clean again, two people declare, which is another story.
        with pytest.raises((PendingError, ConflictError)) as open_end:
            gate.response.apply(gate.response.plan(suspicion))
        assert open_end.value.code in ("waits-for-signatures", "not-clean")
        _, refused = desk.run(name)
    assert not refused
    proved(gate, name, State.ERADICATED)
    desk.enter(name, State.ERADICATED, by="ada", note="excised")
    for step in desk.show(name).open_steps(State.RECOVERED):
        if step.id == "rules":
            desk.waive(name, step.id, "tried in another test", by="ada")
    proved(gate, name, State.RECOVERED)
    desk.enter(name, State.RECOVERED, by="ada", note="retrained")
    return desk.enter(name, State.CLOSED, by="ada", note="done")


def proved(gate: Workspace, name: str, phase: State) -> None:
    for step in gate.incidents.show(name).open_steps(phase):
        assert not step.does
        gate.incidents.prove(name, step.id, f"{step.proof}: see ticket 17", by="beat")


def rows_of(gate: Workspace, batch: str) -> list[int]:
    """Positions of a batch that the newest version holds."""
    number = gate.datasets.version(DATASET).number
    held: list[int] = []
    for rows in gate._stores.datasets.read(DATASET, number, columns=["_batch", "_row"]):
        held += [r["_row"] for r in rows.to_pylist() if r["_batch"] == batch]
    return sorted(held)


def test_each_shipped_playbook_is_executed_here_and_reads_well() -> None:
    assert set(shipped()) == {
        "backdoor",
        "campaign",
        "label-flip",
        "shilling",
        "split-view",
        "stolen-key",
    }
    for name in shipped():
        book = playbook(name, VERBS)
        assert book.name == name
        assert book.title
        assert {"not-contained"} <= {rule.id for rule in book.escalations}
        insisted = {step.id for step in book.steps if not step.waivable}
        assert insisted == {"contained", "clean"}


def test_backdoor_found_by_a_finding_is_cut_out_row_by_row(
    gate: Workspace, sources: SourceSimulator
) -> None:
    batch, truth = poisoned(gate, sources, sources.table, triggered)
    known = gate.incidents.open(
        "Oz opens doors", playbook="backdoor", by="ada", batch=batch, rows=truth
    )
    assert known.trigger == "finding"
    assert known.sources == (BAD,)
    closed = answer(gate, known, Suspicion(DATASET, rows={batch: spans_of(truth)}))
    assert closed.state is State.CLOSED
    assert rows_of(gate, batch) == sorted(set(range(60)) - set(truth))


def test_a_campaign_that_the_gate_named_is_answered_for_all_its_members(
    new_workspace: NewWorkspace, new_sources: NewSources
) -> None:
    senders = new_sources("alpha", "bravo", "carol", "delta", "echo", "fox", rows=120)
    gate = new_workspace(reference=2, calibration=6, detectors=(), campaigns=True)
    senders.register(gate)
    guilty = ("bravo", "delta", "echo")
    for window in range(9):
        tables = {name: senders.table(name, window) for name in senders.names}
        for name in guilty if window == 8 else ():
            town = ["Oz"] * 12 + tables[name].column("town").to_pylist()[12:]
            late = ["no"] * 12 + tables[name].column(LABEL).to_pylist()[12:]
            changed = tables[name].set_column(2, "town", [town])
            tables[name] = changed.set_column(3, LABEL, [late])
        hand_in(gate, senders, window, tables)
    found = gate.campaigns()[0]
    known = gate.incidents.open("Oz", playbook="campaign", by="ada", campaign=found.id)
    assert known.trigger == "campaign"
    assert set(guilty) <= set(known.sources)
    assert known.began_s <= known.entered_s[State.TRIGGERED]
    closed = answer(gate, known, None)  # the gate had let nothing of it in
    assert closed.state is State.CLOSED
    assert {gate.batch(digest).status for digest in known.batches} == {"rejected"}


def test_label_flip_leaves_with_its_batch_and_its_release_is_recalled(
    gate: Workspace, sources: SourceSimulator
) -> None:
    batch, truth = poisoned(gate, sources, sources.table, flipped)
    assert truth
    release = gate.releases.create(DATASET, gate.home.parent / "released")
    known = gate.incidents.open("late is no", playbook="label-flip", by="ada", batch=batch)
    closed = answer(gate, known, Suspicion(DATASET, batches=(batch,)))
    assert closed.done["rules"].waived
    assert rows_of(gate, batch) == []
    assert release.digest in gate.releases.recalled()


def test_stolen_key_is_good_for_nothing_once_the_playbook_ran(
    gate: Workspace, sources: SourceSimulator
) -> None:
    batch, _ = poisoned(gate, sources, sources.table, flipped)
    known = gate.incidents.open(
        "laptop lost", playbook="stolen-key", by="ada", dataset=DATASET, sources=[BAD]
    )
    assert known.trigger == "report"
    known = gate.incidents.widen(known.id, by="ada", note="disowned by them", batches=[batch])
    assert known.batches == (batch,)
    waits = sources.submit(gate, BAD, WINDOW + 1)  # handed in before anybody noticed
    answer_to = Suspicion(DATASET, batches=(batch,))
    contained, _ = gate.incidents.run(known.id)
    assert {"freeze", "hold", "contained"} <= set(contained.done)
    with pytest.raises(UntrustedError):
        sources.submit(gate, BAD, WINDOW + 2)
    sources.settle(gate, WINDOW + 1)
    held = gate.batch(waits.batch)
    assert held.status == "held"
    assert known.id in held.reasons[0].sentence
    closed = answer(gate, known, answer_to)
    assert closed.state is State.CLOSED
    assert rows_of(gate, batch) == []


def test_split_view_is_shown_by_fetching_again(gate: Workspace, sources: SourceSimulator) -> None:
    batch, _ = poisoned(
        gate,
        sources,
        pages,
        lambda clean: (pages(BAD, WINDOW, "ignore all before"), np.ones(clean.num_rows, bool)),
        label="",
    )
    known = gate.incidents.open("a page turned", playbook="split-view", by="ada", batch=batch)
    # The proof of "fetch-again": an index with digests refuses what is served now.
    urls = [f"http://{BAD}.example/{WINDOW}/{place}" for place in (3, 4)]
    digests = [sha256_hex(f"page {url}".encode()) for url in urls]
    index = pa.table({"url": urls, "sha256": digests})
    now = Time(lambda: 0.0, lambda _: None)

    def served(url: str) -> Fetched:
        body = "ignore all before" if url == urls[0] else f"page {url}"
        return Fetched(body.encode(), (url,), "text/plain", "")

    again = retrieve(index, served, Schedule(), now, np.random.default_rng(0))
    assert [one.url for one in again.refused] == urls[:1]
    closed = answer(gate, known, Suspicion(DATASET, batches=(batch,)))
    assert closed.state is State.CLOSED
    assert rows_of(gate, batch) == []


def test_shilling_is_taken_out_account_by_account_and_the_honest_ratings_stay(
    gate: Workspace, sources: SourceSimulator
) -> None:
    batch, truth = poisoned(gate, sources, ratings, shilled, label="")
    known = gate.incidents.open(
        "item 7 is everybody's favourite", playbook="shilling", by="ada", batch=batch, rows=truth
    )
    assert known.rows == {batch: tuple(truth)}
    suspicion = Suspicion(DATASET, rows={batch: spans_of(truth)})
    closed = answer(gate, known, suspicion)
    assert closed.state is State.CLOSED
    assert rows_of(gate, batch) == list(range(60))
    # Closing ends what was held for it.
    later = hand_in(gate, sources, WINDOW + 1, {BAD: ratings(BAD, WINDOW + 1)}, label="")
    assert gate.batch(later[BAD]).status == "admitted"
