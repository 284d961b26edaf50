"""What all validators promise."""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.gate.policy import Policy
from credenza.gate.records import to_json
from credenza.gate.reference import Reference
from credenza.profiling.statistics.reference import summarise
from credenza.response.builtin import VALIDATORS
from credenza.response.case import Answer, Case
from credenza.response.relabelling import Given, complete, draw_sheet
from credenza.screening.builtin import DETECTORS
from credenza.store.rows import BatchRow
from credenza.training.baseline import fit_reference

if TYPE_CHECKING:
    from pathlib import Path

FACETS = {"size": Role.NUMBER, "day": Role.NUMBER, "colour": Role.CATEGORY, "y": Role.LABEL}
EVERY = pytest.mark.parametrize("name", VALIDATORS.names())
COPY = (
    "import os, shutil; shutil.copy(os.environ['CREDENZA_IN'] + '/rows.parquet', "
    "os.environ['CREDENZA_OUT'] + '/features.parquet')"
)


def rows(seed: int, n: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    size, day = rng.normal(size=n), rng.integers(0, 7, n)
    y = size + rng.normal(0, 0.3, n) > 0
    colour = rng.choice(["red", "green", "\x1b[31mblue"], n).tolist()
    quoted = 10 * day + rng.normal(0, 0.01, n)  # on one day all quote one price, nearly
    label = np.where(y, "1", "0")
    return pa.table({"size": size, "day": day, "colour": colour, "price": quoted, "y": label})


@pytest.fixture(scope="module")
def case() -> Case:
    learnt, trusted, suspects, peers = (rows(seed, 240) for seed in range(4))
    facets = dict(FACETS)
    model = fit_reference(learnt, label="y", facets=facets)
    summary = summarise(learnt, label="y", classes=model.classes, facets=facets)
    senders = np.array(["a", "b"] * 120, dtype=object)
    reference = Reference("y", facets, model, summary, trusted, senders, 2)
    batch = BatchRow("ab" * 32, "d", "c", 1, "2024-01-01", "held", 240, 1)
    return Case(
        dataset="d",
        label="y",
        batches=(batch,),
        table=suspects,
        source=np.array(["c"] * 240, dtype=object),
        peers=peers,
        peer_source=senders,
        reference=reference,
        policy=Policy("", detectors=("association",)),
        originals={batch.digest: {}},
        detectors=DETECTORS,
    )


def parameters(name: str, case: Case, tmp_path: Path) -> dict[str, object]:
    """What a validator cannot do without."""
    if name == "reconcile":
        return {"key": ("day",), "values": ("price",)}
    if name == "rederive":
        if ctypes.CDLL(None).syscall(444, None, 0, 1) < 1:
            pytest.skip("the kernel has no Landlock")
        return {"command": ("python", "-c", COPY), "code": tmp_path}
    if name == "relabel":
        sheet = draw_sheet(case, suspects=30, controls=30, salt="s", seed=0)
        given = [Given(who, item.id, item.label) for who in "ab" for item in sheet.items]
        return {"sheet": sheet, "labels": complete(sheet, given)}
    return {"seeds": 3} if name == "recompute" else {}


@EVERY
def test_a_validator_answers_with_a_sentence_and_its_table_and_leaves_the_case_alone(
    name: str, case: Case, tmp_path: Path
) -> None:
    made = VALIDATORS.make(name, **parameters(name, case, tmp_path))
    assert made.name == name
    before = case.table.slice(0, 240)
    answer = made.validate(case)
    assert answer.validator == name
    assert answer.answer in tuple(Answer)
    assert answer.sentence.isprintable()
    assert answer.exhibits
    assert to_json(dict(answer.exhibits))  # it can be recorded
    assert case.table.equals(before)
    assert made.validate(case) == answer


@EVERY
def test_a_validator_refuses_what_it_does_not_know_by_name(name: str) -> None:
    with pytest.raises(UsageError):
        VALIDATORS.make(name, colour="red")


@EVERY
def test_a_validator_without_anything_to_compare_with_says_so_or_answers(
    name: str, case: Case, tmp_path: Path
) -> None:
    alone = replace(
        case, reference=None, peers=case.peers.slice(0, 0), peer_source=case.peer_source[:0]
    )
    made = VALIDATORS.make(name, **parameters(name, case, tmp_path))
    with contextlib.suppress(UsageError):
        assert made.validate(alone).answer in tuple(Answer)


@EVERY
def test_honest_rows_are_not_suspected_more_for_being_looked_at(
    name: str, case: Case, tmp_path: Path
) -> None:
    made = VALIDATORS.make(name, **parameters(name, case, tmp_path))
    assert made.validate(case).answer is not Answer.SUPPORTS
