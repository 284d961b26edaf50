"""The README and the pages that teach are run: their Python blocks, and `credenza` lines."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from credenza.interfaces.cli.main import credenza, main
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((REPOSITORY / "docs" / "tutorial").glob("*.md"))
HOW_TO = sorted((REPOSITORY / "docs" / "how-to").glob("*.md"))
PAGES = [REPOSITORY / "README.md", *TUTORIALS, *HOW_TO]

PLACEHOLDERS = {"KEY", "BATCH", "CAMPAIGN", "REQUEST", "RECOVERY"}

_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^\$ (credenza .+?)(?:\s+# exit (\d+))?$", re.MULTILINE)
_INLINE = re.compile(r"`credenza ([a-z-]+(?: [a-z]+)?)[^`]*`")


def _names() -> dict[str, str]:
    """What the placeholders of a page stand for by now."""
    if not Path(".credenza").exists():
        return {}
    with Workspace.open() as workspace:
        waiting = [one.digest[:12] for one in workspace.reviews()]
        campaigns = [one.id for one in workspace.campaigns()]
        asked = [one.digest[:12] for one in workspace.requests.all()[-1:]]
        begun = [one.digest[:12] for one in workspace.response.recoveries()]
        return {
            "KEY": workspace.public_key,
            **dict(zip(["BATCH"], waiting, strict=False)),
            **dict(zip(["CAMPAIGN"], campaigns, strict=False)),
            **dict(zip(["REQUEST"], asked, strict=False)),
            **dict(zip(["RECOVERY"], reversed(begun), strict=False)),
        }


def _steps(page: Path) -> Iterator[tuple[str, str, int]]:
    """Kind, text and expected exit code of each step of a page."""
    for kind, text in _BLOCK.findall(page.read_text("utf-8")):
        if kind == "python":
            yield kind, text, 0
        else:
            for line, code in _LINE.findall(text):
                yield kind, line, int(code or 0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs_as_it_is_written(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENZA_HOME", raising=False)
    for kind, text, expected in _steps(page):
        if kind == "python":
            subprocess.run([sys.executable, "-c", text], check=True, cwd=tmp_path)
            continue
        words = shlex.split(text)[1:]
        names = _names() if PLACEHOLDERS & set(words) else {}
        code = main([names.get(word, word) for word in words])
        shown = capsys.readouterr()
        assert code == expected, f"{text}: {shown.out}{shown.err}"


def test_a_page_that_teaches_has_something_to_run() -> None:
    assert TUTORIALS
    for page in (*TUTORIALS, *HOW_TO):
        assert list(_steps(page)), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_mentions_exists(page: Path) -> None:
    for mentioned in _INLINE.findall(page.read_text("utf-8")):
        first, _, second = mentioned.partition(" ")
        command = credenza.get_command(click.Context(credenza), first)
        assert command is not None, mentioned
        if second and isinstance(command, click.Group):
            assert second in command.commands, mentioned
