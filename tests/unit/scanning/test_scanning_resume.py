"""An interrupted scan goes on where it stopped, and leaves nothing half-written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza import scan
from credenza.core.types import Finding, Scores, Unit
from credenza.scanning.remembered import Remembered, digest_of
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Role, View
    from credenza.scanning.scan import Progress


class Counting:
    """A detector that counts how often it is asked."""

    name = "counting"
    needs: frozenset[Role] = frozenset()

    def __init__(self, parameter: int = 0) -> None:
        self.parameter = parameter
        self.asked = 0

    def __repr__(self) -> str:
        return f"Counting({self.parameter})"

    def score(self, view: View) -> Scores:
        self.asked += 1
        found = Finding("counting", Unit.GROUP, ("s",), 0.01, "two", {"n": [1, "a"]}, (0, 1), True)  # noqa: FBT003 - a field
        return Scores(np.arange(view.table.num_rows, dtype=float), (found,), is_evidence=True)


def view(value: float = 0.0, label: str = "") -> View:
    table = pa.table({"x": [value, 1.0, 2.0], "y": ["a", "b", "a"]})
    return make_view("v", table, label=label)


def asked(detector: Counting, folder: Path, what: View) -> Scores:
    return Remembered(detector, folder, "1", lambda _: None).score(what)


def test_an_answer_is_found_again_whole(tmp_path: Path) -> None:
    detector = Counting()
    first, second = asked(detector, tmp_path, view()), asked(detector, tmp_path, view())
    assert detector.asked == 1
    assert (first.values == second.values).all()
    assert first.findings == second.findings
    assert second.is_evidence


@pytest.mark.parametrize("other", [view(5.0), view(label="y")], ids=["other rows", "other roles"])
def test_other_rows_or_roles_are_asked_about_anew(other: View, tmp_path: Path) -> None:
    detector = Counting()
    asked(detector, tmp_path, view())
    asked(detector, tmp_path, other)
    assert detector.asked == 2


def test_other_parameters_are_asked_about_anew(tmp_path: Path) -> None:
    asked(Counting(), tmp_path, view())
    changed = Counting(parameter=1)
    asked(changed, tmp_path, view())
    assert changed.asked == 1


def test_an_answer_that_was_damaged_is_asked_for_anew(tmp_path: Path) -> None:
    detector = Counting()
    asked(detector, tmp_path, view())
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:40])
    asked(detector, tmp_path, view())
    assert detector.asked == 2


def test_the_digest_depends_on_every_row_and_not_on_chunks() -> None:
    whole = pa.table({"x": [1.0, 2.0, 3.0]})
    parts = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert digest_of(make_view("v", whole)) == digest_of(make_view("v", parts))
    assert digest_of(make_view("v", whole)) != digest_of(make_view("v", whole.slice(0, 2)))


def test_an_interrupted_scan_resumes_with_what_was_answered(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=400), "y": rng.integers(0, 2, 400)}
    seen: list[str] = []

    def stop_at_third(step: Progress) -> None:
        seen.append(step.doing)
        if step.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(data, progress=stop_at_third, resume=tmp_path)
    kept = sorted(tmp_path.iterdir())
    assert 1 <= len(kept) <= 2  # a part that does not apply leaves no answer
    assert all(file.suffix == ".npz" for file in kept)
    stamps = [file.stat().st_mtime_ns for file in kept]
    resumed = scan(data, resume=tmp_path)
    assert [file.stat().st_mtime_ns for file in kept] == stamps
    assert resumed.rows.equals(scan(data).rows)


def test_a_result_is_saved_as_four_whole_files(tmp_path: Path) -> None:
    data = {"x": np.arange(50.0), "y": np.arange(50) % 2}
    scan(data).save(tmp_path / "out")
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["clean.parquet", "findings.json", "rows.parquet", "suspect.parquet"]
    rows = pq.read_table(tmp_path / "out" / "rows.parquet")
    assert rows.column_names == [
        "row", "id", "source", "score", "p_value", "q_value", "flagged", "reasons",
    ]  # fmt: skip
    assert rows.schema.field("flagged").type == pa.bool_()
    assert rows.schema.field("reasons").type == pa.list_(pa.string())
    said = json.loads((tmp_path / "out" / "findings.json").read_text("utf-8"))
    assert said["schema"] == "credenza.scan/1"
    assert said["scanned"]["rows"] == 50


def test_a_save_that_is_interrupted_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    def stop(_: Path) -> None:
        raise KeyboardInterrupt

    result = scan({"x": np.arange(50.0)})
    (tmp_path / "rows.parquet").write_text("older", "utf-8")
    with pytest.raises(KeyboardInterrupt):
        result.save(tmp_path, more={"report.html": stop})
    assert [file.name for file in tmp_path.iterdir()] == ["rows.parquet"]
    assert (tmp_path / "rows.parquet").read_text("utf-8") == "older"
