"""The package from outside: its names, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import credenza

HEAVY = ("lance", "sklearn", "torch", "pyarrow", "numpy", "scipy", "sqlalchemy", "obstore")
HELP = """\
from credenza.interfaces.cli.main import main
try:
    main(["--help"])
except SystemExit as done:
    assert not done.code
"""


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
        "ScanResult",
        "ScreenedEstimator",
        "Silence",
        "Source",
        "UntrustedError",
        "UsageError",
        "Verdict",
        "Version",
        "Workspace",
        "load_release",
        "scan",
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
