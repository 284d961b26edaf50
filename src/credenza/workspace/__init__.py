"""The hall: the one place that reads environment, clock and files, and wires the rooms."""

from credenza.workspace.hall import Workspace
from credenza.workspace.home import HOME_VARIABLE

__all__ = ["HOME_VARIABLE", "Workspace"]
