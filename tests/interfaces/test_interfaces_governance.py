"""Deciding together, typed: every example of the commands that take several people."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from credenza import Workspace
from credenza.interfaces.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("cedarpy")

# Line, and its exit code: 1 says that the rules do not allow it, 4 that it waits for others.
STORY = (
    ("credenza member add alice --key alice.key.pub --role steward --role reviewer", 0),
    ("credenza governance start", 2),
    ("credenza member add bob --key bob.key.pub --role steward", 0),
    ("credenza member add carol --key carol.key.pub --role auditor", 0),
    ("credenza member change alice --role steward --role reviewer --source acme", 0),
    ('credenza member remove carol --reason "left the team"', 0),
    ("credenza member list", 0),
    ("credenza governance show", 0),
    ("credenza governance start", 0),
    ("credenza governance start", 2),
    ("credenza governance show --rules", 0),
    ("credenza source freeze acme --reason why", 1),
    ("credenza governance adopt", 1),
    ("credenza governance adopt --as carol.key", 1),
    ("credenza governance adopt --as alice.key", 4),
    ("credenza request list", 0),
    ("credenza request list --all", 0),
    ("credenza policy explain REQUEST", 0),
    ("credenza request show REQUEST --out request.json", 0),
    ("credenza governance adopt --request REQUEST", 4),
    ("credenza request sign request.json --as bob.key --out bob.approval", 0),
    ("credenza request accept bob.approval", 0),
    ("credenza governance adopt --request REQUEST", 0),
    ("credenza policy adopt --as alice.key", 4),
    ("credenza approve REQUEST --as alice.key", 1),
    ("credenza approve REQUEST --as bob.key", 0),
    ("credenza approve REQUEST --as bob.key", 2),
    ("credenza policy adopt --request REQUEST", 0),
    ("credenza policy adopt --request REQUEST", 2),
    ("credenza policy show", 0),
    ("credenza submit june.parquet --source acme --key acme.key --dataset flights --as bob.key", 1),
    ("credenza governance audit", 0),
    ("credenza log audit", 0),
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one source, and keys of three people."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENZA_HOME", raising=False)
    pq.write_table(pa.table({"delay": [1, 2, 3]}), tmp_path / "june.parquet")
    for name in ("alice", "bob", "carol", "acme"):
        public = Workspace.new_key(tmp_path / f"{name}.key")
        (tmp_path / f"{name}.key.pub").write_text(public)
    with Workspace.init(tmp_path / ".credenza") as workspace:
        workspace.add_source("acme", [(tmp_path / "acme.key.pub").read_text()])
    return tmp_path


def newest_request(desk: Path) -> str:
    with Workspace.open(desk / ".credenza") as workspace:
        asked = workspace.requests.all()
    return asked[-1].digest[:12] if asked else ""


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["words", "json"])
def test_a_governed_workspace_from_its_first_member_to_its_audit(
    desk: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    for line, expected in STORY:
        words = shlex.split(line.replace("REQUEST", newest_request(desk)))[1:]
        code = main([*words, *more])
        shown = capsys.readouterr()
        assert code == expected, f"{line}: {shown.out}{shown.err}"
        if more:
            assert json.loads(shown.out)["schema"].startswith("credenza."), line
        else:
            assert (shown.out + shown.err).strip(), line
            assert "\x1b" not in shown.out, line


def test_whoever_may_not_is_told_who_may(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line, _ in STORY[:9]:
        main(shlex.split(line)[1:])
    capsys.readouterr()
    main(shlex.split("credenza governance adopt --as alice.key")[1:])
    told = capsys.readouterr().err
    assert "has 0 of 1 approvals" in told
    assert "who may approve it: bob" in told
    assert f"credenza approve {newest_request(desk)}" in told
    main(["governance", "show"])
    assert "release alice 1 bob" in " ".join(capsys.readouterr().out.split())
