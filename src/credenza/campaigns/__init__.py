"""Sources that move together: standardise, remove the common cause, scan, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from credenza.campaigns.unattended import scan_panel

__all__ = ["scan_panel"]


def __getattr__(name: str) -> object:
    """Load ``scan_panel`` on first use, so that importing a neighbour costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'credenza.campaigns' has no attribute {name!r}")
    from credenza.campaigns import unattended  # noqa: PLC0415 - loads SciPy only when used

    return vars(unattended)[name]
