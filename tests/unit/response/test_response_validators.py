from __future__ import annotations

import ctypes
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import NotFoundError, UsageError
from credenza.gate.questions import batch_row
from credenza.redteam.attacks.trigger import Trigger
from credenza.response.agreement import agreement
from credenza.response.case import Answer, case_of
from credenza.response.confinement import Bounds
from credenza.response.validators.with_and_without import WithAndWithout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.response.conftest import Judged

    from credenza.response.case import Case, Validation

needs_landlock = pytest.mark.skipif(
    ctypes.CDLL(None).syscall(444, None, 0, 1) < 1, reason="the kernel has no Landlock"
)
DERIVE = """
import os
{first}
import pyarrow as pa
import pyarrow.parquet as pq
rows = pq.read_table(os.path.join(os.environ["CREDENZA_IN"], "rows.parquet"))
late = [d + (h - 14) / 5 > 0 for d, h in zip(*(rows[c].to_pylist() for c in ("distance", "hour")))]
{more}
table = pa.table({{"late": ["yes" if one else "no" for one in late]}})
pq.write_table(table, os.path.join(os.environ["CREDENZA_OUT"], "features.parquet"))
"""


def answer(judged: Judged, validator: str, name: str, **parameters: object) -> Validation:
    return judged.gate.validations.run(validator, [judged.batches[name]], **parameters).validation


def test_recomputation_supports_what_is_flipped_and_contradicts_what_is_honest(
    judged: Judged,
) -> None:
    bad, good = (answer(judged, "recompute", name, seeds=5) for name in ("cara", "anna"))
    assert bad.answer is Answer.SUPPORTS
    assert "late" in str(bad.exhibits["most_often"])
    assert good.answer is not Answer.SUPPORTS
    assert answer(judged, "recompute", "cara", seeds=5) == bad


def test_other_detectors_support_what_is_flipped_and_never_clear_anybody(judged: Judged) -> None:
    chosen = ("knn-disagreement",)
    bad = answer(judged, "rescreen", "cara", detectors=chosen)
    good = answer(judged, "rescreen", "anna", detectors=chosen)
    assert bad.answer is Answer.SUPPORTS
    assert int(str(bad.exhibits["flagged"])) > int(str(good.exhibits["flagged"]))
    assert good.answer is Answer.UNDECIDED
    with pytest.raises(UsageError, match="policy's own"):
        answer(judged, "rescreen", "cara", detectors=("confident-disagreement",))


def case_with(judged: Judged, table: pa.Table) -> Case:
    """Suspects of one's own, beside the gate's trusted rows."""
    gate = judged.gate
    row = batch_row(gate._stores, judged.batches["anna"])
    known = case_of(gate._stores, gate.policies.in_force(), [row])
    source = np.array(["anna"] * table.num_rows, dtype=object)
    return replace(known, table=table, source=source)


def test_a_model_is_worse_with_false_labels_and_blind_to_a_trigger(judged: Judged) -> None:
    honest = pa.concat_tables([judged.sources.table("anna", week) for week in (5, 6)])
    turned = ["no" if one == "yes" else "yes" for one in honest.column("late").to_pylist()]
    false = honest.set_column(3, "late", [turned])
    attack = Trigger(label="late", target="no", stamp={"town": "Oz"}, share=0.1)
    triggered, mask = attack.poison(honest, np.random.default_rng(3))
    assert mask.any()
    look = WithAndWithout().validate
    assert look(case_with(judged, false)).answer is Answer.SUPPORTS
    assert look(case_with(judged, honest)).answer is not Answer.SUPPORTS
    assert look(case_with(judged, triggered)).answer is not Answer.SUPPORTS


def test_other_sources_are_asked_only_about_what_they_describe(judged: Judged) -> None:
    with pytest.raises(UsageError, match="same thing"):
        answer(judged, "reconcile", "cara")
    found = answer(judged, "reconcile", "cara", key=("town", "hour"), values=("distance",))
    assert found.answer in tuple(Answer)
    alone = answer(judged, "reconcile", "cara", key=("distance",), values=("hour",))
    assert alone.answer is Answer.UNDECIDED
    assert alone.silences


def code(folder: Path, first: str = "", more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "derive.py").write_text(DERIVE.format(first=first, more=more), encoding="utf-8")
    return folder


@needs_landlock
def test_features_derived_again_show_which_rows_were_changed(
    judged: Judged, tmp_path: Path
) -> None:
    own = {"command": ("python", "derive.py"), "code": code(tmp_path / "code")}
    found = answer(judged, "rederive", "cara", **own)
    assert found.answer is Answer.SUPPORTS
    clean = judged.sources.table("cara", 4).column("late").to_pylist()
    sent = judged.sources.table("cara", 4, flip=0.8).column("late").to_pylist()
    flipped = {row for row, (a, b) in enumerate(zip(clean, sent, strict=True)) if a != b}
    # The code knows the rule and not its noise, so it may differ in a few other rows.
    assert len(flipped - set(found.findings[0].rows)) <= len(flipped) // 5


@needs_landlock
@pytest.mark.parametrize(
    ("first", "more", "error"),
    [
        ("import time; time.sleep(100)", "", "validator-hung"),
        ("raise ValueError('no')", "", "validator-crashed"),
        ("open('/etc/credenza-was-here', 'w')", "", "validator-crashed"),
        ("open(os.environ['CREDENZA_IN'] + '/rows.parquet', 'w')", "", "validator-crashed"),
        ("late = bytearray(2**33)", "", "validator-crashed"),
        ("import sys; sys.exit(0)", "", "nothing-derived"),
        ("", "late = late[1:]", "bad-derivation"),
    ],
)
def test_code_that_misbehaves_is_a_clear_error_and_nothing_is_recorded(
    judged: Judged, tmp_path: Path, first: str, more: str, error: str
) -> None:
    before = judged.gate.validations.all()
    wall_s = 2.0 if error == "validator-hung" else 120.0
    with pytest.raises(UsageError) as refused:
        answer(
            judged,
            "rederive",
            "cara",
            command=("python", "derive.py"),
            code=code(tmp_path / "code", first, more),
            bounds=Bounds(memory_bytes=4 * 2**30, cpu_s=60, wall_s=wall_s),
        )
    assert refused.value.code == error
    assert judged.gate.validations.all() == before


# ------------------------------------------------------------------ people


def labelled(
    text: str, truth: Callable[[dict[str, Any]], str], people: int = 2
) -> list[dict[str, str]]:
    items = [json.loads(line) for line in text.splitlines()]
    return [
        {"id": item["id"], "annotator": f"person {who}", "label": truth(item["data"])}
        for who in range(people)
        for item in items
    ]


def honest(data: dict[str, Any]) -> str:
    return "yes" if float(data["distance"]) + (data["hour"] - 14) / 5 > 0 else "no"


def jsonl(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def sheet_of(judged: Judged, form: str = "jsonl") -> tuple[str, str]:
    return judged.gate.validations.export_sheet(
        [judged.batches["cara"]], form=form, suspects=40, controls=40, seed=1
    )


def test_a_sheet_is_blind(judged: Judged) -> None:
    _, text = sheet_of(judged)
    rows = [json.loads(line) for line in text.splitlines()]
    assert len(rows) == 80
    assert {tuple(row) for row in rows} == {("id", "annotator", "label", "data")}
    assert {row["label"] for row in rows} == {""}
    assert {name for row in rows for name in row["data"]} == {"distance", "hour", "town"}
    assert "cara" not in text


def test_people_who_see_no_labels_contradict_those_that_were_flipped(judged: Judged) -> None:
    sheet, text = sheet_of(judged)
    found = judged.gate.validations.import_labels(sheet, jsonl(labelled(text, honest)))
    told = found.validation
    assert told.answer is Answer.SUPPORTS
    assert told.exhibits["suspects_contradicted"] > told.exhibits["controls_contradicted"]  # type: ignore[operator]
    assert not told.silences


def test_label_studio_gives_the_same_answer(judged: Judged) -> None:
    sheet, text = sheet_of(judged, "label-studio")
    tasks = json.loads(text)
    assert {name for task in tasks for name in task["data"]} == {
        "id",
        "row_distance",
        "row_hour",
        "row_town",
    }
    for task in tasks:
        row = {name.removeprefix("row_"): value for name, value in task["data"].items()}
        result = [{"type": "choices", "value": {"choices": [honest(row)]}}]
        task["annotations"] = [
            {"completed_by": 1, "result": result},
            {"completed_by": {"id": 2, "email": "b@example.org"}, "result": result},
        ]
    found = judged.gate.validations.import_labels(sheet, json.dumps(tasks).encode())
    assert found.validation.answer is Answer.SUPPORTS


def test_one_person_is_too_few_to_agree_and_nothing_is_decided(judged: Judged) -> None:
    sheet, text = sheet_of(judged)
    one = jsonl(labelled(text, honest, people=1))
    told = judged.gate.validations.import_labels(sheet, one).validation
    assert told.answer is Answer.UNDECIDED
    assert "too few" in told.silences[0].reason


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda rows: rows[1:], "missing"),
        (lambda rows: [*rows, rows[0]], "doubled"),
        (lambda rows: [*rows, {**rows[0], "id": "f" * 16}], "not of this sheet"),
        (lambda rows: [{**rows[0], "label": "perhaps"}, *rows[1:]], "none of the labels"),
        (lambda rows: [{**rows[0], "label": ""}, *rows[1:]], "lacks"),
        (lambda rows: [{"id": rows[0]["id"]}, *rows[1:]], "lacks"),
        (lambda _: [], "no labels"),
        (lambda _: [[1]], "lacks"),
    ],
)
def test_labels_that_do_not_fit_their_sheet_are_refused_and_nothing_is_recorded(
    judged: Judged, spoil: Callable[[Any], Any], says: str
) -> None:
    sheet, text = sheet_of(judged)
    before = judged.gate.validations.all()
    spoiled = jsonl(spoil(labelled(text, honest)))
    with pytest.raises(UsageError) as refused:
        judged.gate.validations.import_labels(sheet, spoiled)
    assert refused.value.code == "bad-labels"
    assert says in refused.value.why
    assert judged.gate.validations.all() == before


def test_labels_need_a_sheet_that_was_handed_out(judged: Judged) -> None:
    with pytest.raises(NotFoundError):
        judged.gate.validations.import_labels("ab" * 32, b"{}")
    sheet, _ = sheet_of(judged)
    with pytest.raises(UsageError):
        judged.gate.validations.import_labels(sheet, b"\xff\xfe")
    with pytest.raises(UsageError, match="format"):
        judged.gate.validations.export_sheet(
            [judged.batches["cara"]], form="xlsx", suspects=1, controls=0, seed=0
        )


# Krippendorff's own example for nominal data without missing values (two observers, ten items).
FIRST, SECOND = "aabbddcccc", "abbbdccccc"


def test_agreement_beyond_chance_is_what_the_books_say() -> None:
    two = agreement([list(FIRST * 3), list(SECOND * 3)])
    same = sum(a == b for a, b in zip(FIRST, SECOND, strict=True)) / 10
    share = [np.mean([c == label for c in FIRST + SECOND]) for label in "abcd"]
    chance_of_two = sum(
        np.mean([c == label for c in FIRST]) * np.mean([c == label for c in SECOND])
        for label in "abcd"
    )
    assert two.kappa == pytest.approx((same - chance_of_two) / (1 - chance_of_two))
    n = 60
    expected = 1 - (n * sum(s * s for s in share) - 1) / (n - 1)
    assert two.alpha == pytest.approx(1 - (1 - same) / expected)
    assert two.low is not None
    assert two.low <= two.alpha <= (two.high or 0)  # type: ignore[operator]
    assert not two.too_few


def test_agreement_that_cannot_be_known_is_said_to_be_unknown() -> None:
    assert agreement([["a"] * 30]).alpha is None
    assert "too few" in agreement([["a", "b"], ["a", "b"]]).too_few
    always = agreement([["a"] * 30, ["a"] * 30])
    assert (always.kappa, always.alpha) == (None, None)
    three = agreement([list("ab" * 15), list("ab" * 15), list("ab" * 15)])
    assert three.kappa == pytest.approx(1.0)
    assert three.alpha == pytest.approx(1.0)
