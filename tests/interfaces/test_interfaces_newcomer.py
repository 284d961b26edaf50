"""The first hour: what goes wrong says what to do, and what goes right says what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.interfaces.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[[str], tuple[int, str]]

ROWS = "dist,hour,late\n" + "".join(
    f"{n % 11},{n % 24},{'yes' if n % 11 > 5 else 'no'}\n" for n in range(60)
)
SUBMIT = "submit june.csv --source acme --key acme.key --dataset trips --label late"
ONE_BY_ONE = """\
schema = "credenza.policy/1"
campaigns = false
[window]
days = 0
reference = 1
calibration = 1
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs command lines in an empty directory with a workspace, a sender and a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENZA_HOME", raising=False)
    (tmp_path / "june.csv").write_text(ROWS)
    (tmp_path / "my june.csv").write_text(ROWS)

    def ask(line: str) -> tuple[int, str]:
        code = main(line.split(" "))
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    for line in ("init", "key new acme.key", "source add acme --key acme.key.pub"):
        code, shown = ask(line)
        assert code == 0
        assert "\nnext" in shown
    return ask


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("source add ajax", 2, "credenza key new"),
        ("source add acme --key acme.key.pub", 2, "credenza source show acme"),
        (SUBMIT.replace("acme.key", "acme.key.pub"), 2, "name the file without .pub"),
        (SUBMIT.replace("acme.key", "no.key"), 2, "credenza key new"),
        (SUBMIT.replace("june.csv", "july.csv"), 2, "'july.csv' does not exist"),
        (SUBMIT.replace("trips", "Trips"), 2, "dataset must match [a-z0-9]"),
        (SUBMIT.replace("late", "lat"), 2, "the columns are: dist, hour, late"),
        (SUBMIT.replace("--source acme", "--source ajax"), 3, "or submit as 'acme'"),
        ("settle trips", 2, "batches were submitted to: none"),
        ("dataset rollback trips 1 --reason x", 2, "submit batches for it"),
    ],
)
def test_a_first_mistake_says_how_to_go_on(run: Run, line: str, code: int, said: str) -> None:
    found, shown = run(line)
    assert found == code, shown
    assert said in shown
    assert "fix: " in shown


def test_a_file_whose_name_cannot_be_signed_is_refused_before_it_is(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    words = SUBMIT.replace("june.csv", "my june.csv").split(" --")[0].split(" ", 1)
    assert main([words[0], words[1], *SUBMIT.split(" ")[2:]]) == 2
    assert "file name must match" in capsys.readouterr().err
    assert run("batch list")[1].endswith("0 batches\n")


def test_what_waits_says_until_when_and_what_was_not_judged_says_so(run: Run) -> None:
    code, shown = run(SUBMIT + " --collected 2024-01-01 2024-01-08")
    assert code == 4
    assert "credenza settle trips, once its window is over" in shown
    assert "(the first one that waits ends on 2024-01-08)" in shown
    assert "1 batch; the next one ends on 2024-01-08" in run("settle trips --until 2024-01-02")[1]
    code, shown = run("settle trips")
    assert code == 0
    assert "note: one of the first 26 windows, which the policy vouches for" in shown
    assert "vouched for    1 window, admitted without judging" in run("monitor trips")[1]


def test_what_is_judged_as_it_comes_says_why_and_what_to_look_at(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".credenza" / "policy.toml").write_text(ONE_BY_ONE)
    for _ in range(2):
        code, shown = run(f"{SUBMIT} --again")
        assert code == 0
        assert "[vouched]" in shown
        assert "next" not in shown
    code, shown = run(f"{SUBMIT} --again")
    assert code == 4, "fewer than 200 trusted rows calibrate nothing"
    assert "[silence]" in shown
    assert "credenza review show" in shown
    code, shown = run("review list")
    assert "#" not in shown, "one batch's numbers are told as they are"


def test_a_file_that_is_in_already_is_said_to_be_and_not_handed_in_twice(run: Run) -> None:
    run(SUBMIT)
    code, shown = run(SUBMIT)
    assert code == 4
    assert "waiting: these very files were in already" in shown
    assert "--again" in shown
    assert "1 batch" in run("batch list")[1].splitlines()[-1]
    run(f"{SUBMIT} --again")
    assert "2 batches" in run("batch list")[1].splitlines()[-1]
