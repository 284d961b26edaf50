"""The scripts in ``examples/`` run as they are, and show what they say they show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def play(script: str, here: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script)],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_every_script_stands_in_the_list_and_is_tested_here() -> None:
    listed = (EXAMPLES / "README.md").read_text("utf-8")
    tested = Path(__file__).read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"({path.name})" in listed
        assert f'play("{path.name}"' in tested


def test_one_file_is_scanned_and_its_clean_rows_are_left(tmp_path: Path) -> None:
    code, said = play("scan_a_file.py", tmp_path)
    assert code == 1
    assert "named: vendor-3" in said
    assert "named: vendor-5" in said
    assert (tmp_path / "found" / "clean.parquet").exists()


def test_a_nightly_job_keeps_rows_out_and_may_run_again(tmp_path: Path) -> None:
    code, said = play("nightly_gate.py", tmp_path)
    assert code == 4
    assert "rows are kept out of the dataset" in said
    code, again = play("nightly_gate.py", tmp_path)
    assert code == 4
    assert again.count("which was in already") == 5
    assert again.splitlines()[-1].split(": ")[1] == said.splitlines()[-1].split(": ")[1]


def test_a_model_behind_the_scan_does_not_learn_the_flood(tmp_path: Path) -> None:
    code, said = play("screened_estimator.py", tmp_path)
    assert code == 0
    assert "100 of the 100 that were flooded" in said
    *_, everything, passed = said.splitlines()
    assert "everything: 0%" in everything
    assert "what passed: 100%" in passed
