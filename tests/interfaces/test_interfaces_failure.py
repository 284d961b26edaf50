from __future__ import annotations

import errno
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import (
    ConflictError,
    CredenzaError,
    InternalError,
    NotFoundError,
    UntrustedError,
    UsageError,
)
from credenza.interfaces.cli.command import UseCase, use_case
from credenza.interfaces.cli.failure import as_error
from credenza.interfaces.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from credenza.interfaces.cli.answer import Answer


def raising(wrong: Exception, *, judges: bool = False) -> UseCase:
    """A command that meets ``wrong``."""

    @use_case("meet", at_home=False, judges=judges)
    def command() -> Answer:
        raise wrong

    return command


def run(command: click.Command, *words: str) -> int:
    code = command.main(list(words), standalone_mode=False)
    assert isinstance(code, int)
    return code


def test_an_error_says_what_why_and_fix_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = NotFoundError("no-such-thing", "there is no thing", why="it is gone", fix="make one")
    assert run(raising(wrong)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "error[no-such-thing]: there is no thing",
        "  why: it is gone",
        "  fix: make one",
    ]


def test_under_json_an_error_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = UntrustedError("bad-signature", "nobody known signed", why="key ab", fix="ask")
    assert run(raising(wrong), "--json") == 3
    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out) == {
        "schema": "credenza.error/1",
        "code": "bad-signature",
        "what": "nobody known signed",
        "why": "key ab",
        "fix": "ask",
    }


@pytest.mark.parametrize(
    ("kind", "code"),
    [(UsageError, 2), (NotFoundError, 2), (ConflictError, 2), (UntrustedError, 3)],
)
def test_exit_codes_follow_who_must_act(
    kind: type[CredenzaError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(kind("x", "y"))) == code
    assert run(raising(kind("x", "y"), judges=True)) == code
    capsys.readouterr()


def test_a_defect_is_70_and_where_codes_are_judgements_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for wrong in (InternalError("x", "y"), RuntimeError("boom")):
        assert run(raising(wrong)) == 70
        assert run(raising(wrong, judges=True)) == 2
        assert run(raising(wrong, judges=True), "--exit-zero") == 2
    capsys.readouterr()


def test_an_unknown_exception_is_short_and_has_its_traceback_under_debug(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(raising(RuntimeError("boom")))
    short = capsys.readouterr().err
    assert short.startswith("error[defect]:")
    assert "RuntimeError: boom" in short
    assert "Traceback" not in short
    run(raising(RuntimeError("boom")), "--debug")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        OSError(errno.ENOSPC, "No space left on device", "ledger/tile"),
        PermissionError(errno.EACCES, "Permission denied", "acme.key"),
    ],
)
def test_the_system_s_refusals_name_the_file(wrong: OSError) -> None:
    error = as_error(wrong)
    assert error.exit_code == 2
    assert str(wrong.filename) in error.what
    assert str(wrong.strerror) in error.what


def test_hostile_text_in_an_error_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = UntrustedError("x", "column \x1b[2J\u202e is odd", why="it is called 'a\nb'")
    run(raising(wrong))
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(shown.splitlines()) == 2


def test_a_mistyped_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sorce"]) == 2
    assert "Did you mean 'source'?" in capsys.readouterr().err


def test_a_missing_option_under_json_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "verify", "entry.tlog-proof", "--json"]) == 2
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "credenza.error/1"
    assert "--trust" in shown["what"]
    assert shown["fix"] == "run `credenza log verify --help`"


def test_a_mistyped_option_is_answered_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["key", "new", "--frce"]) == 2
    what, why, fix = capsys.readouterr().err.splitlines()
    assert what.startswith("error[bad-usage]: No such option '--frce'")
    assert why == "  why: `credenza key new` takes --debug, --encrypt, --json"
    assert fix == "  fix: run `credenza key new --help`"


def test_without_the_packages_of_the_gate_a_scan_works_and_a_workspace_says_what_lacks(
    tmp_path: Path,
) -> None:
    code = (
        "import sys\n"
        "for name in ('cedarpy', 'lance', 'obstore', 'sqlalchemy', 'tuf'):\n"
        "    sys.modules[name] = None\n"
        "from credenza.interfaces.cli.main import main\n"
        "print(main(['scan', 'rows.csv']), main(['catalog', 'parts']), main(['init']))\n"
    )
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{n % 7},{n % 5}\n" for n in range(90)))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("0 0 2\n"), done.stderr
    assert "error[gate-not-installed]: a workspace needs more packages" in done.stderr
    assert "fix: pip install 'credenza[gate]'" in done.stderr


def test_a_file_that_is_no_text_is_the_callers_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "picture").write_bytes(bytes(range(256)))
    assert main(["log", "verify", str(tmp_path / "picture"), "--trust", "ab" * 32]) == 2
    assert "error[not-text]: a file that was given is not UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "why", "fix"),
    [
        (
            "demo --attack skwe",
            "--attack: What the hostile feeds do to 5 % of their rows.",
            "run `credenza demo --help`",
        ),
        (
            "submit no.csv",
            "it was taken for FILES of `credenza submit`",
            "run `credenza submit --help`",
        ),
        (
            "init --key",
            "`credenza init` takes --debug, --json, --key",
            "run `credenza init --help`",
        ),
    ],
)
def test_a_wrong_word_is_answered_with_what_why_and_fix(
    line: str, why: str, fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    what, *rest = capsys.readouterr().err.splitlines()
    assert what.startswith("error[bad-usage]: ")
    assert rest == [f"  why: {why}", f"  fix: {fix}"]
