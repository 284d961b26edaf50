from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from credenza.interfaces.cli.command import UseCase
from credenza.interfaces.cli.main import SECTIONS, credenza, main

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = ("numpy", "pyarrow", "lance", "sklearn", "scipy", "matplotlib", "rich", "cryptography")
HEAVY_TOO = ("sqlalchemy", "jinja2", "torch", "starlette", "uvicorn")


def commands(
    group: click.Group = credenza, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*path, name), found
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


EVERY = dict(commands())
USE_CASES = {path: one for path, one in EVERY.items() if isinstance(one, UseCase)}

PROMISED = """
init · key new · source add · source list · source show · source freeze · source unfreeze
source add-key · submit · settle
batch list · batch show · batch explain · batch receipt · batch prove · batch diff · batch verify
review list · review show · review admit · review reject
review queues · review reopen · review expire
incident open · incident list · incident show · incident run · incident prove · incident waive
incident ack · incident contain · incident eradicate · incident recover · incident close
incident assign · incident grade · incident widen · incident escalate · incident postmortem
validate pending · validate list · validate rescreen · validate recompute · validate reconcile
validate with-and-without · validate rederive · relabel export · relabel import
metrics · report compliance
dataset list · dataset log · dataset show · dataset sources · dataset rollback · dataset checkout
release create · release list · release verify · release recall · release recalls
release export · lineage
log audit · log prove · log verify · log vkey · log cosign · log monitor
log stamp · log verify-stamp
ring init · ring delegate · ring revoke · ring rotate · ring renew · ring sign
ring publish · ring import · ring show
witness vkey · witness serve · drill operator · catalog rebuild · catalog parts
catalog check
campaigns list · campaigns show · monitor · drift · serve
policy show · policy test · policy propose · policy adopt · policy explain · policy replay
governance show · governance start · governance adopt · governance audit
member add · member change · member remove · member list
request list · request show · request sign · request accept · approve · openlineage
blast · recover plan · recover apply · recover sign · recover list · recover show
recover rescreen · channel list · channel show · channel move · channel rollback
train-run · rehearse
scan · certify · demo · audit-model
"""


def test_the_commands_are_exactly_those_promised() -> None:
    promised = {
        tuple(line.split()) for row in PROMISED.strip().splitlines() for line in row.split(" · ")
    }
    assert set(USE_CASES) == promised


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*path, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: credenza {' '.join(path)}")


@pytest.mark.parametrize("path", USE_CASES, ids=" ".join)
def test_every_use_case_has_json_and_an_example(path: tuple[str, ...]) -> None:
    command = USE_CASES[path]
    assert "as_json" in {parameter.name for parameter in command.params}
    assert command.examples


def test_the_listing_says_what_each_command_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for title, rows in SECTIONS:
        assert f"{title}:" in text
        for name, _, line in rows:
            assert f"  {name} " in text
            assert line in text


def test_only_commands_that_judge_can_be_told_to_exit_with_zero() -> None:
    judging = {
        " ".join(path)
        for path, command in USE_CASES.items()
        if "exit_zero" in {parameter.name for parameter in command.params}
    }
    assert judging == {
        "audit-model",
        "submit",
        "settle",
        "batch show",
        "batch diff",
        "batch verify",
        "catalog check",
        "certify",
        "governance audit",
        "incident run",
        "log audit",
        "log cosign",
        "log monitor",
        "log stamp",
        "log verify",
        "log verify-stamp",
        "policy test",
        "recover apply",
        "rehearse",
        "release verify",
        "review queues",
        "ring import",
        "scan",
    }


def test_a_member_may_say_who_asks_wherever_the_rules_govern() -> None:
    governed = {
        " ".join(path)
        for path, command in USE_CASES.items()
        if {"acting", "approved"} <= {parameter.name for parameter in command.params}
    }
    assert governed == {
        "channel move",
        "channel rollback",
        "dataset rollback",
        "governance adopt",
        "incident close",
        "incident run",
        "member add",
        "member change",
        "member remove",
        "policy adopt",
        "recover apply",
        "release create",
        "release recall",
        "review admit",
        "review reject",
        "review reopen",
        "ring import",
        "source add",
        "source add-key",
        "source freeze",
        "source unfreeze",
        "submit",
    }


def test_help_loads_click_and_nothing_heavier() -> None:
    script = (
        "import sys\n"
        "from credenza.interfaces.cli.main import main\n"
        "assert main(['--help']) == 0\n"
        f"loaded = sorted(set({HEAVY + HEAVY_TOO!r}) & set(sys.modules))\n"
        "sys.exit(', '.join(loaded) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_package_runs_as_a_module_and_says_how_it_ended() -> None:
    call = [sys.executable, "-m", "credenza"]
    shown = subprocess.run([*call, "--help"], capture_output=True, text=True, check=False)
    assert (shown.returncode, "Usage: credenza" in shown.stdout) == (0, True)
    wrong = subprocess.run([*call, "tset"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2


def test_every_command_module_loads_without_anything_heavy() -> None:
    names = sorted({module for _, rows in SECTIONS for _, module, _ in rows})
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(f'credenza.interfaces.cli.{name}')\n"
        f"sys.exit(', '.join(sorted(set({HEAVY + HEAVY_TOO!r}) & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_words_at_all_show_the_help_and_are_not_a_pass(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "Usage: credenza" in capsys.readouterr().err


@pytest.mark.parametrize("family", ["batch", "incident", "ring", "validate"])
def test_a_familys_help_says_whole_sentences(
    family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([family, "--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]
