"""credenza: nothing reaches the model until it has been tasted.

The public names load their rooms on first use, so that ``import credenza`` costs
no more than the interpreter itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from credenza.campaigns.unattended import scan_panel
    from credenza.core.errors import (
        ConflictError,
        CredenzaError,
        InternalError,
        NotFoundError,
        UntrustedError,
        UsageError,
    )
    from credenza.core.types import (
        Batch,
        Campaign,
        Finding,
        Manifest,
        Outcome,
        Release,
        Silence,
        Source,
        Verdict,
        Version,
    )
    from credenza.datasets.loader import load_release
    from credenza.datasets.verify_release import verify_release
    from credenza.scanning.estimator import ScreenedEstimator
    from credenza.scanning.result import ScanResult
    from credenza.scanning.scan import scan
    from credenza.workspace import Workspace

__version__ = "0.1.0"

_HOME = {
    "Workspace": "credenza.workspace.hall",
    "ScanResult": "credenza.scanning.result",
    "ScreenedEstimator": "credenza.scanning.estimator",
    "scan": "credenza.scanning.scan",
    "scan_panel": "credenza.campaigns.unattended",
    "load_release": "credenza.datasets.loader",
    "verify_release": "credenza.datasets.verify_release",
    "ConflictError": "credenza.core.errors",
    "CredenzaError": "credenza.core.errors",
    "InternalError": "credenza.core.errors",
    "NotFoundError": "credenza.core.errors",
    "UntrustedError": "credenza.core.errors",
    "UsageError": "credenza.core.errors",
    "Batch": "credenza.core.types",
    "Campaign": "credenza.core.types",
    "Finding": "credenza.core.types",
    "Manifest": "credenza.core.types",
    "Outcome": "credenza.core.types",
    "Release": "credenza.core.types",
    "Silence": "credenza.core.types",
    "Source": "credenza.core.types",
    "Verdict": "credenza.core.types",
    "Version": "credenza.core.types",
}

__all__ = [
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


def __getattr__(name: str) -> object:
    """Load a public name from its room; any other name is an error."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'credenza' has no attribute {name!r}")
    return vars(import_module(home))[name]


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
