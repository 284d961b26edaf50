"""The package from outside: its names, what importing it costs, and who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import credenza

SRC = Path(credenza.__file__).parent
HEAVY = ("lance", "sklearn", "torch", "pyarrow", "numpy", "scipy", "sqlalchemy", "obstore")
HELP = """\
from credenza.interfaces.cli.main import main
try:
    main(["--help"])
except SystemExit as done:
    assert not done.code
"""
# Room to height; rooms of one height do not know each other. Modules count as rooms.
HEIGHT = {
    "core": 0,
    "profiling": 1,
    "store": 1,
    "provenance": 2,
    "screening": 2,
    "campaigns": 2,
    "datasets": 2,
    "training": 2,
    "gate": 3,
    "response": 4,
    "redteam": 5,
    "workspace": 6,
    "interfaces": 7,
}


def test_the_package_exports_these_names_and_no_others() -> None:
    assert credenza.__all__ == [
        "Batch",
        "Campaign",
        "ConflictError",
        "CredenzaError",
        "Finding",
        "InternalError",
        "Manifest",
        "NotFoundError",
        "Outcome",
        "Release",
        "Silence",
        "Source",
        "UntrustedError",
        "UsageError",
        "Verdict",
        "Version",
        "Workspace",
        "scan_panel",
        "verify_release",
    ]
    assert len(credenza.__all__) <= 30


def test_every_exported_name_loads_and_an_unknown_one_is_an_attribute_error() -> None:
    for name in credenza.__all__:
        assert getattr(credenza, name).__name__ == name
    with pytest.raises(AttributeError, match="Workspaces"):
        _ = credenza.Workspaces
    assert {*credenza.__all__, "__version__"} == set(dir(credenza))


@pytest.mark.parametrize(
    "program",
    [
        "import credenza",
        HELP,
        "import credenza.datasets.verify_release",
    ],
    ids=["import credenza", "credenza --help", "verifying a release"],
)
def test_a_newcomer_does_not_wait_for_libraries_that_are_not_used(program: str) -> None:
    loaded = f"{program}\nimport sys\nprint('loaded:', *(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


def imported(path: Path) -> set[str]:
    """Rooms of ours that a module names in an import, wherever in the module it stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("credenza.")}
    return found & set(HEIGHT)


def test_every_module_imports_only_its_own_room_and_the_rooms_below() -> None:
    wrong = []
    for path in SRC.rglob("*.py"):
        room = path.relative_to(SRC).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        assert room in HEIGHT, f"{room} is not a room of the house"
        wrong += [
            f"{path.relative_to(SRC)} imports {other}"
            for other in imported(path)
            if other != room and HEIGHT[other] >= HEIGHT[room]
        ]
    assert wrong == []
