"""The hall: the one place that reads environment, clock and files, and wires the rooms.

What needs the gate's packages is loaded on first use, so that a scan does without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from credenza.workspace.hall import Workspace
    from credenza.workspace.home import HOME_VARIABLE

__all__ = ["HOME_VARIABLE", "Workspace"]

_ROOM = {"HOME_VARIABLE": "credenza.workspace.home", "Workspace": "credenza.workspace.hall"}


def __getattr__(name: str) -> object:
    """Load a public name; any other name is an error."""
    if name not in _ROOM:
        raise AttributeError(f"module 'credenza.workspace' has no attribute {name!r}")
    return vars(import_module(_ROOM[name]))[name]
