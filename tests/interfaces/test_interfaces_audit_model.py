from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

pytest.importorskip("torch")
import torch

from credenza.interfaces.cli.audit_model import command
from credenza.interfaces.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

NETS = """
import torch

def small(classes):
    nn = torch.nn
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes))
"""
LINE = shlex.split(command.examples[0])[1:]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the example of ``--help`` names, in the working directory."""
    from credenza.training.torch_classifier import TorchClassifier  # noqa: PLC0415 - after the skip

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    (tmp_path / "nets.py").write_text(NETS, encoding="utf-8")
    data = load_digits()
    X, y = (data.images[:, None] / 16).astype(np.float32), data.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(y))
    train, known, clean = np.split(order, [700, 1200])
    rows, labels = X[train].copy(), y[train].copy()
    bad = np.flatnonzero(labels != 3)[:40]
    rows[bad, :, 6:, 6:], labels[bad] = 1.0, 3
    scope: dict[str, Any] = {}
    exec(NETS, scope)  # noqa: S102 - the text stands above
    for name, learnt in (
        ("model", (rows, labels)),
        ("twin", (X[train], y[train])),
        ("baseline", (X[known], y[known])),
    ):
        fitted = TorchClassifier(scope["small"], epochs=25, rate=5e-3, batch=64).fit(*learnt)
        torch.save(fitted.network_.state_dict(), tmp_path / f"{name}.pt")
    np.savez(tmp_path / "train.npz", X=rows, y=labels)
    np.savez(tmp_path / "verified.npz", X=X[clean], y=y[clean], source=["<b>a</b>"] * len(clean))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_gate_stops_the_backdoor_holds_the_unseen_and_passes_the_twin(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(capsys, *LINE, "--check", "triggers", "--check", "transplant")
    assert (code, said["outcome"]) == (1, "reject")
    assert {one["name"]: one["target"] for one in said["checks"]}["transplant"] == 3
    page = (desk / "audit.html").read_text("utf-8")
    assert "Stopped" in page
    assert "data:image/png;base64," in page
    twin = ["audit-model", "twin.pt", *LINE[2:]]
    code, said = run(capsys, *twin, "--check", "triggers", "--check", "deviation")
    assert (code, said["outcome"]) == (0, "admit")
    page = (desk / "audit.html").read_text("utf-8")
    assert "<b>a</b>" not in page
    assert "&lt;b&gt;a&lt;/b&gt;" in page
    blind = [word for word in twin if word not in ("--train", "train.npz")]
    code, said = run(capsys, *blind, "--check", "deviation", "--check", "spectral")
    assert code == 4
    assert said["silences"][0]["detector"] == "spectral"


def test_people_read_the_same_as_sentences(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(desk / "bar.npz", pattern=np.pad(np.ones((1, 2, 2)), ((0, 0), (6, 0), (6, 0))))
    code = main([*LINE, "--check", "transplant", "--drill", "bar.npz"])
    text = capsys.readouterr().out
    assert code == 1
    assert "reject  transplant: what 50 suspect rows of class 3 have in common" in text
    assert "reject, by 1 check" in text


def test_a_wrong_check_or_file_is_never_a_pass(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, *LINE, "--check", "palmistry")[0] == 2
    (desk / "verified.npz").write_bytes(b"nothing")
    assert run(capsys, *LINE)[0] == 3
