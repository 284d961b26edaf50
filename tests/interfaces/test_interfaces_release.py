"""``credenza release verify`` as a training job would call it: alone, offline, in a new process."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from credenza import Workspace
from credenza.interfaces.cli.main import main
from credenza.interfaces.demo.ending import refusal_of_tampered

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("numpy", "pyarrow", "lance", "sklearn", "sqlalchemy", "credenza.workspace")
VERIFY = f"""
import sys
from credenza.interfaces.cli.main import main
code = main(["release", "verify", *sys.argv[1:]])
print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A release directory and the gate's public key."""
    desk = tmp_path_factory.mktemp("desk")
    with Workspace.init(desk / "gate") as workspace:
        workspace.add_source("acme", [workspace.new_key(desk / "acme.key")])
        pq.write_table(pa.table({"x": list(range(40)), "y": ["a", "b"] * 20}), desk / "x.parquet")
        workspace.submit(
            [desk / "x.parquet"],
            source="acme",
            key=desk / "acme.key",
            dataset="things",
            label="y",
            collected=("2013-07-01", "2013-07-08"),
        )
        workspace.settle("things")
        workspace.releases.create("things", desk / "release")
        return desk / "release", workspace.public_key


def verify(directory: Path, key: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", VERIFY, str(directory), "--trust", key],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release_is_verified_without_loading_the_gate(released: tuple[Path, str]) -> None:
    done = verify(*released)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("verified")
    assert done.stderr.strip() == "[]"


def test_a_key_that_did_not_sign_is_an_integrity_failure(released: tuple[Path, str]) -> None:
    # Another well-formed key: that of a second workspace's operator.
    other = Workspace.new_key(released[0].parent / "other.key")
    done = verify(released[0], other)
    assert done.returncode == 3
    assert done.stderr.startswith("error[")


def test_one_changed_byte_is_refused_and_an_untouched_release_is_left_alone(
    released: tuple[Path, str],
) -> None:
    assert refusal_of_tampered(*released)
    assert verify(*released).returncode == 0


def test_a_verification_says_as_of_when_it_knows_of_recalls(
    released: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, key = released
    home, listed = str(directory.parent / "gate"), str(tmp_path / "recalls")
    assert main(["release", "verify", str(directory), "--trust", key]) == 0
    assert "recalls  not looked at: --recalls" in capsys.readouterr().out
    assert main(["release", "recalls", "--out", listed, "--home", home]) == 0
    assert main(["release", "verify", str(directory), "--trust", key, "--recalls", listed]) == 0
    assert re.search(r"recalls  as of \d{4}-\d\d-\d\dT", capsys.readouterr().out)
