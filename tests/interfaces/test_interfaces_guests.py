"""A detector of another package: listed, asked in a scan and in a gate, refused when it lies."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv
import pytest

from credenza.core.errors import NotFoundError, UsageError
from credenza.interfaces.cli.main import main
from credenza.scanning.scan import scan
from credenza.store.rows import WindowRow
from credenza.workspace import guests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import NewWorkspace, SourceSimulator

    Install = Callable[[dict[str, str]], None]
    Run = Callable[..., tuple[int, str]]

CODE = '''
"""Detectors of another package, good and bad."""

from dataclasses import dataclass

import numpy as np

from credenza.core.types import Finding, Role, Scores, Unit


@dataclass(frozen=True)
class Large:
    """The number itself is the suspicion."""

    name: str = "acme-large"
    needs: frozenset = frozenset({Role.NUMBER})

    def score(self, view):
        (column,) = [c for c, role in view.facets.items() if role is Role.NUMBER][:1]
        values = np.array(view.table[column].fill_null(0).to_pylist(), dtype=float)
        return Scores(np.nan_to_num(values))


@dataclass(frozen=True)
class Short(Large):
    """Gives one score too few."""

    name: str = "acme-short"

    def score(self, view):
        return Scores(np.zeros(view.table.num_rows - 1))


@dataclass(frozen=True)
class Afar(Large):
    """Names a row that is not there."""

    name: str = "acme-afar"

    def score(self, view):
        n = view.table.num_rows
        odd = Finding(self.name, Unit.GROUP, ("x",), 0.01, "one row is odd", {}, (n,))
        return Scores(np.zeros(n), (odd,))


@dataclass(frozen=True)
class Renamed(Large):
    """Is offered under another name than it bears."""


class Formless:
    """Has a name and nothing else."""

    name = "acme-formless"


def Crash():
    raise RuntimeError("\\x1b[31m no licence")
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution with one module and the given entry points on ``sys.path``."""

    def put(entry_points: dict[str, str]) -> None:
        home = tmp_path / "site"
        info = home / "acme_detectors-1.2.dist-info"
        info.mkdir(parents=True)
        (home / "acme_guest.py").write_text(CODE)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: acme-detectors\nVersion: 1.2\n"
        )
        offers = "\n".join(f"{name} = acme_guest:{what}" for name, what in entry_points.items())
        (info / "entry_points.txt").write_text(f"[credenza.detectors]\n{offers}\n")
        monkeypatch.syspath_prepend(str(home))

    yield put
    sys.modules.pop("acme_guest", None)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ask(*words: str) -> tuple[int, str]:
        code = main(list(words))
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return ask


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    values = [row % 7 for row in range(300)]
    values[41] = 9_000
    table = pa.table({"size": values, "town": ["Bern", "Chur", "Genf"] * 100})
    pyarrow.csv.write_csv(table, path)
    return path


def test_a_guest_is_listed_with_its_package_and_not_imported(install: Install, run: Run) -> None:
    install({"acme-large": "Large"})
    code, shown = run("catalog", "parts")
    assert code == 0
    assert "acme-large" in shown
    assert "Brought by acme-detectors 1.2." in shown
    assert "acme_guest" not in sys.modules


def test_a_guest_is_asked_in_a_scan_that_names_it(install: Install, run: Run, rows: Path) -> None:
    install({"acme-large": "Large"})
    code, shown = run(
        "scan", str(rows), "--detectors", "duplicates,acme-large", "--json", "--exit-zero"
    )
    assert code == 0, shown
    made = guests.asked_in_a_scan(["duplicates", "acme-large"])
    found = scan(rows, detectors=made)
    assert set(found.heard) == {"duplicates", "acme-large"}
    assert found.heard["acme-large"].argmax() == 41


def test_a_scan_that_names_nobody_asks_no_guest(install: Install, rows: Path, run: Run) -> None:
    install({"acme-large": "Large"})
    run("scan", str(rows), "--exit-zero")
    assert "acme_guest" not in sys.modules


def test_a_guest_is_held_to_its_promises(install: Install, run: Run) -> None:
    install({"acme-large": "Large", "acme-short": "Short"})
    code, shown = run("catalog", "check", "acme-large")
    assert (code, "BROKEN" in shown) == (0, False), shown
    code, shown = run("catalog", "check", "acme-short", "--json")
    said = json.loads(shown)
    assert code == 1
    assert said["package"] == "acme-detectors 1.2"
    broken = {one["promise"]: one["why"] for one in said["promises"] if not one["kept"]}
    assert broken["scores are finite, one a row"] == (
        "the scores of 900 rows have the shape (899,)"
    )


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        ("Renamed", "it calls itself"),
        ("Formless", "its needs are no frozenset"),
        ("Absent", "AttributeError"),
    ],
)
def test_a_guest_without_the_form_of_a_detector_is_refused_by_package(
    install: Install, run: Run, rows: Path, offer: str, why: str
) -> None:
    name = "acme-formless" if offer == "Formless" else "acme-other"
    install({name: offer})
    code, shown = run("scan", str(rows), "--detectors", name)
    assert code == 2
    assert "broken-guest" in shown
    assert "acme-detectors 1.2" in shown
    assert why in shown


def test_a_guest_that_fails_while_it_is_made_shows_no_raw_byte(
    install: Install, run: Run, rows: Path
) -> None:
    install({"acme-crash": "Crash"})
    code, shown = run("scan", str(rows), "--detectors", "acme-crash")
    assert code == 2
    assert "no licence" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(("name", "offer"), [("acme-short", "Short"), ("acme-afar", "Afar")])
def test_a_guest_that_breaks_its_word_in_a_scan_falls_silent(
    install: Install, rows: Path, name: str, offer: str
) -> None:
    install({name: offer})
    found = scan(rows, detectors=guests.asked_in_a_scan(["duplicates", name]))
    assert [silence.detector for silence in found.silences] == [name]
    assert set(found.heard) == {"duplicates"}


@pytest.mark.parametrize("name", ["duplicates", "shared-payload"])
def test_a_guest_may_not_bear_a_name_of_ours(install: Install, run: Run, name: str) -> None:
    install({name: "Large"})
    code, shown = run("catalog", "parts")
    assert code == 2
    assert "name-taken" in shown
    assert "acme-detectors 1.2" in shown


def test_our_detectors_are_made_without_a_look_at_guests(install: Install, rows: Path) -> None:
    install({"duplicates": "Large"})
    assert set(scan(rows, detectors=["duplicates"]).heard) == {"duplicates"}
    assert guests.detectors().brought_by("duplicates") == ""


def test_a_name_that_nobody_brings_is_refused(run: Run, rows: Path) -> None:
    code, shown = run("scan", str(rows), "--detectors", "acme-large")
    assert code == 2
    assert "another package may bring it" in shown
    with pytest.raises(NotFoundError):
        guests.detectors().make("acme-large")


def test_a_class_in_place_of_a_detector_is_refused(rows: Path) -> None:
    class Part:
        @property
        def name(self) -> str:
            return "part"

    with pytest.raises(UsageError) as refused:
        scan(rows, detectors=[Part])  # type: ignore[list-item] # that is the point
    assert refused.value.code == "no-detector"


def test_a_gate_asks_a_guest_and_the_ledger_says_whose_it_is(
    install: Install, new_workspace: NewWorkspace, sources: SourceSimulator
) -> None:
    install({"acme-large": "Large"})
    workspace = new_workspace(detectors=("duplicates", "acme-large"))
    sources.register(workspace)
    sources.play(workspace, range(5))
    assert {one.status for one in workspace.batches()} == {"admitted"}
    with workspace._stores.journal.catalog.snapshot() as index:
        newest = index.newest(WindowRow, dataset="trips")
    assert newest is not None
    settled = workspace._stores.event(newest.settled_index)
    assert settled["guests"] == {"acme-large": "acme-detectors 1.2"}


@pytest.mark.parametrize("offer", [("acme-short", "Short"), ("acme-crash", "Crash")])
def test_a_gate_holds_what_a_broken_guest_should_have_judged(
    install: Install,
    new_workspace: NewWorkspace,
    sources: SourceSimulator,
    offer: tuple[str, str],
) -> None:
    install(dict([offer]))
    workspace = new_workspace(detectors=("duplicates", offer[0]))
    sources.register(workspace)
    sources.play(workspace, range(5))
    assert {one.status for one in workspace.batches() if one.window == "2024-01-29"} == {"held"}
