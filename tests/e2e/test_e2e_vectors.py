"""The vectors, through the command line: what must be refused is, and nothing else."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from credenza.interfaces.cli.main import main

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
CASES = sorted(path.parent for path in VECTORS.glob("*/command"))
INTEGRITY_EXIT = 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_vector_is_accepted_or_refused_as_its_name_says(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(case)
    code = main(shlex.split((case / "command").read_text()))
    shown = capsys.readouterr()
    assert code == (INTEGRITY_EXIT if case.name.endswith("_fail") else 0), shown.err
    assert "Traceback" not in shown.err


def test_there_are_vectors_of_both_kinds() -> None:
    failing = [case for case in CASES if case.name.endswith("_fail")]
    assert len(failing) >= 30
    assert len(CASES) - len(failing) >= 5


def test_the_script_writes_the_vectors(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_text((VECTORS / "make.py").read_text())
    subprocess.run([sys.executable, script], check=True)
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path != script}
    assert written == {
        path.relative_to(VECTORS) for case in CASES for path in [case, *case.rglob("*")]
    }
