from __future__ import annotations

import ast
import functools
import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import credenza

SRC = Path(credenza.__file__).parent
REPOSITORY = SRC.parent.parent
MODULES = sorted(SRC.rglob("*.py"))
# What only the hall may ask the machine: the environment and the working directory.
ASKED_OF_THE_MACHINE = {"os.environ", "os.getenv", "os.getcwd", "Path.cwd", "Path.home"}
# Drawn from the process's hidden state, so no run could be repeated.
HIDDEN_RANDOMNESS = ("np.random.", "numpy.random.", "random.")
REPEATABLE = {"np.random.default_rng", "np.random.Generator", "np.random.SeedSequence"}


@functools.cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def _names(path: Path) -> set[str]:
    return {_dotted(node) for node in ast.walk(_parsed(path)) if isinstance(node, ast.Attribute)}


def test_the_import_contracts_of_the_house_are_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_test_is_skipped_for_want_of_a_package() -> None:
    """`importorskip` is for a contributor's laptop; the lock of `make test` has every extra."""
    asked = {
        str(call.args[0].value)
        for path in sorted((REPOSITORY / "tests").rglob("*.py"))
        for call in ast.walk(_parsed(path))
        if isinstance(call, ast.Call) and _dotted(call.func) == "pytest.importorskip"
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }
    assert len(asked) > 10
    assert [name for name in sorted(asked) if importlib.util.find_spec(name) is None] == []


def test_every_extra_that_is_asked_for_is_one_of_the_package() -> None:
    asked = {
        str(call.args[0].value)
        for path in MODULES
        for call in ast.walk(_parsed(path))
        if isinstance(call, ast.Call) and _dotted(call.func) == "needs_extra"
        if isinstance(call.args[0], ast.Constant)
    }
    offered = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    assert "gate" in asked
    assert asked <= set(offered["project"]["optional-dependencies"])


def test_only_the_hall_asks_the_machine_where_it_is() -> None:
    asking = {
        path.relative_to(SRC).as_posix()
        for path in MODULES
        if any(name in ASKED_OF_THE_MACHINE for name in _names(path))
    }
    assert asking == {"workspace/home.py", "workspace/keys.py"}


def test_no_module_draws_from_randomness_that_it_was_not_given() -> None:
    drawing = {
        (path.relative_to(SRC).as_posix(), name)
        for path in MODULES
        for name in _names(path)
        if name.startswith(HIDDEN_RANDOMNESS) and name not in REPEATABLE
    }
    unseeded = {
        (path.relative_to(SRC).as_posix(), "default_rng()")
        for path in MODULES
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Call)
        and _dotted(node.func).endswith("default_rng")
        and not (node.args or node.keywords)
    }
    assert not drawing | unseeded


def test_a_room_is_described_where_it_is_entered() -> None:
    for path in MODULES:
        if path.name == "__init__.py":
            assert ast.get_docstring(_parsed(path)), path
