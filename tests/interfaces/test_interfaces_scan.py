"""``credenza scan`` at the porch: formats, exit codes, files, and hostile bytes everywhere."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza import scan
from credenza.core.types import Finding, Unit
from credenza.interfaces.cli.main import main
from credenza.interfaces.scan.markdown import render as markdown
from credenza.interfaces.scan.markdown import safe
from credenza.interfaces.scan.report import render as page
from credenza.interfaces.scan.samples import _pieces, boxed, outline
from credenza.interfaces.scan.sarif import sarif
from credenza.scanning.arrays import tensor
from credenza.screening.detectors.duplicates import Duplicates

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e[a](http://evil)|`=cmd()`\n# x"
FORMATS = ("text", "json", "sarif", "html", "markdown")


def flooded(note: str = "plain") -> pa.Table:
    """Rows of four sources, one of them sent forty times over by a hostile sender."""
    rng = np.random.default_rng(0)
    n = 400
    x = rng.normal(size=n)
    clean = pa.table(
        {
            "x": x,
            f"town {note}": rng.choice(["Bern", "Genf", note], n).tolist(),
            "label": np.where(x + rng.normal(0, 0.4, n) > 0, f"yes {note}", "no").tolist(),
            "source": [f"s{i} {note}" for i in rng.integers(0, 4, n)],
        }
    )
    return pa.concat_tables([clean, *[clean.slice(3, 1)] * 40])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pq.write_table(flooded(), tmp_path / "flood.parquet")
    pq.write_table(flooded().slice(0, 300), tmp_path / "clean.parquet")
    pq.write_table(flooded(HOSTILE), tmp_path / "hostile.parquet")
    return tmp_path


Run = "Callable[..., tuple[int, str, str]]"


@pytest.fixture
def run(desk: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    del desk

    def type_in(*words: str) -> tuple[int, str, str]:
        code = main(["scan", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return type_in


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_exit_codes_say_clean_found_and_not_assessed(
    run: Callable[..., tuple[int, str, str]],
) -> None:
    assert run("clean.parquet")[0] == 0
    assert run("flood.parquet")[0] == 1
    assert run("flood.parquet", "--exit-zero")[0] == 0
    assert run("clean.parquet", "--detectors", "knn-disagreement", "--label", "")[0] == 4


def test_errors_say_what_why_and_fix_on_stderr_with_their_code(
    run: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, err = run("nowhere.parquet")
    assert (code, out) == (2, "")
    what, why, fix = err.splitlines()[-3:]
    assert what == 'error[no-such-file]: there is no "nowhere.parquet"'
    assert why.startswith("  why: ")
    assert fix == "  fix: check the path"
    Path("bad.parquet").write_bytes(b"PAR1 and no more")
    assert run("bad.parquet")[0] == 3
    assert run("clean.parquet", "--label", "nothing")[0] == 2
    assert run("clean.parquet", "--detectors", "spectra1")[0] == 2
    assert run("clean.parquet", "--fdr", "1.5")[0] == 2


def test_the_answer_names_flood_source_and_rows_in_words(
    run: Callable[..., tuple[int, str, str]],
) -> None:
    _, out, err = run("flood.parquet")
    assert "rows are exact copies of one row" in out
    assert "`label` was taken for the label because of its name" in out
    assert "1 of 6: reading" in err or "reading" in err


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_whole_and_steers_no_terminal(
    form: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = run("hostile.parquet", "--format", form)
    assert code == 1
    assert len(out) > 500
    kinds = {unicodedata.category(character) for character in out} - {"Cc"}
    assert not kinds & {"Cf", "Cs", "Co", "Zl", "Zp"}
    assert not set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out))


def test_json_is_one_object_with_a_schema_and_the_findings_file_is_the_same(
    run: Callable[..., tuple[int, str, str]],
) -> None:
    _, out, _ = run("flood.parquet", "--json", "--out", "out")
    said = json.loads(out)
    assert said["schema"] == "credenza.scan/1"
    assert said["exit_code"] == 1
    assert said == json.loads(Path("out/findings.json").read_text("utf-8"))
    assert json.loads(run("flood.parquet", "--format", "json")[1]) == said


def test_out_holds_five_files_that_agree(run: Callable[..., tuple[int, str, str]]) -> None:
    run("flood.parquet", "--out", "out")
    names = {path.name for path in Path("out").iterdir() if not path.name.startswith(".")}
    assert names == {
        "rows.parquet", "findings.json", "report.html", "clean.parquet", "suspect.parquet",
    }  # fmt: skip
    rows = pq.read_table("out/rows.parquet")
    clean, suspect = pq.read_table("out/clean.parquet"), pq.read_table("out/suspect.parquet")
    flagged = rows.column("flagged").to_pylist()
    assert rows.num_rows == flooded().num_rows
    assert suspect.num_rows == sum(flagged)
    assert clean.equals(flooded().filter(pa.array([not one for one in flagged])))


def test_a_second_scan_into_the_same_folder_asks_nobody_again(
    run: Callable[..., tuple[int, str, str]],
) -> None:
    first = run("flood.parquet", "--out", "out", "--json")[1]
    kept = {path: path.stat().st_mtime_ns for path in Path("out/.resume").iterdir()}
    assert kept
    assert run("flood.parquet", "--out", "out", "--json")[1] == first
    assert {path: path.stat().st_mtime_ns for path in Path("out/.resume").iterdir()} == kept


def test_the_page_loads_nothing_runs_nothing_and_keeps_foreign_markup_as_text() -> None:
    text = page(scan(flooded(HOSTILE)))
    tags = Tags(text).seen
    assert {tag for tag, _ in tags}.isdisjoint({"script", "iframe", "object", "link", "form"})
    images = [attributes.get("src") or "" for tag, attributes in tags if tag == "img"]
    assert len(images) >= 2
    assert all(source.startswith("data:image/") for source in images)
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    policy = next(a for tag, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert str(policy["content"]).startswith("default-src 'none'")
    assert "&lt;img src=x" in text


def test_the_page_shows_flagged_beside_accepted_rows_with_what_they_share() -> None:
    text = page(scan(flooded()))
    assert '<tr class="out">' in text
    assert '<tr class="in">' in text
    assert "<mark>" in text
    assert "Who sent it" in text
    assert "Where they sit" in text


def test_images_are_shown_with_the_trigger_outlined() -> None:
    rng = np.random.default_rng(0)
    flagged = rng.integers(0, 120, (30, 12, 12)).astype(np.uint8)
    accepted = rng.integers(0, 120, (30, 12, 12)).astype(np.uint8)
    flagged[:, 8:11, 1:4] = 255
    assert outline(flagged, accepted) == (8, 1, 11, 4)
    assert outline(accepted[:15], accepted[15:]) == ()


def test_a_trigger_s_place_is_the_detector_s_to_say() -> None:
    box = {"row": 2, "column": 3, "height": 4, "width": 5}
    found = Finding("d", Unit.GROUP, (), 0.0, "s", {"box": box})
    assert boxed(found) == (2, 3, 6, 8)
    assert boxed(Finding("d", Unit.GROUP, (), 0.0, "s", {"box": [2, 3]})) == ()


def test_a_flood_of_images_puts_pictures_on_the_page() -> None:
    rng = np.random.default_rng(0)
    images = tensor(rng.integers(0, 255, (flooded().num_rows, 10, 10)).astype(np.uint8))
    result = scan(flooded().append_column("image", images))
    assert result.flagged.any()
    assert page(result).count("data:image/png;base64,") >= 10


def test_findings_about_the_same_rows_share_one_place_to_which_their_rows_point() -> None:
    result = scan(flooded())
    first = result.findings[0]
    text = page(replace(result, findings=(first, replace(first, detector="another"))))
    assert text.count('<section id="found-') == 1
    assert text.count('<tr class="out">') == page(replace(result, findings=(first,))).count(
        '<tr class="out">'
    )
    assert "another" in text
    assert 'href="#found-1"' in text


def test_a_box_around_the_whole_picture_is_not_drawn() -> None:
    rng = np.random.default_rng(0)
    images = tensor(rng.integers(0, 255, (flooded().num_rows, 10, 10)).astype(np.uint8))
    result = scan(flooded().append_column("image", images))
    box = {"row": 0, "column": 0, "height": 10, "width": 10}
    whole = [replace(one, exhibits={**one.exhibits, "box": box}) for one in result.findings]
    part = [replace(one, exhibits={**one.exhibits, "box": box | {"width": 4}}) for one in whole]
    assert "outlined" in page(replace(result, findings=tuple(part)))
    assert "outlined" not in page(replace(result, findings=tuple(whole)))


def test_markdown_neither_links_nor_opens_a_table_nor_a_tag() -> None:
    shown = safe(HOSTILE)
    assert "\n" not in shown
    assert "<" not in shown
    assert "\\|" in shown
    assert "\\[a\\]\\(http" in shown
    lines = markdown(scan(flooded(HOSTILE))).splitlines()
    tables = [line for line in lines if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} <= {6, 7}


def test_sarif_has_a_result_per_finding_with_its_rows_and_no_link() -> None:
    result = scan(flooded(HOSTILE), name="a b/../c?.parquet")
    made = json.loads(json.dumps(sarif(result, version="0")))
    run = made["runs"][0]
    assert made["version"] == "2.1.0"
    assert len(run["results"]) == len(result.findings)
    first = run["results"][0]
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"]
    assert first["locations"][0]["logicalLocations"][0]["name"].startswith("row ")
    uri = first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "a%20b%2F..%2Fc%3F.parquet"
    for one in run["results"]:
        assert not re.search(r"(?<!\\)\[", one["message"]["text"])


def test_an_interrupted_scan_says_so_and_leaves_no_result(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Duplicates, "score", interrupt)
    code, out, err = run("flood.parquet", "--out", "out")
    assert code == 130
    assert out == ""
    assert err.splitlines()[-1] == "interrupted"
    assert {path.name for path in Path("out").iterdir()} == {".resume"}


def test_a_marked_text_is_shown_as_it_was_with_one_mark_where_marks_touch() -> None:
    pieces = _pieces("so <b>x</b> and b", {"<", "b", ">", "x", "</"})
    assert "".join(piece.text for piece in pieces) == "so <b>x</b> and b"
    assert [piece.text for piece in pieces if piece.is_marked] == ["<b>x</b>", "b"]
    long = _pieces("a" * 5_000 + " trigger", {"trigger"})
    assert len(long[0].text) < 1_000
    assert long[0].text.endswith("…")
