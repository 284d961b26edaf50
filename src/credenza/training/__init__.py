"""Defences while and after training; the reference model that the gate judges labels by.

The public names load their modules on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from credenza.training.builtin import aggregator
    from credenza.training.certified import SourceCertified

_HOME = {
    "SourceCertified": "credenza.training.certified",
    "aggregator": "credenza.training.builtin",
}

__all__ = ["SourceCertified", "aggregator"]


def __getattr__(name: str) -> object:
    """Load a public name from its module; any other name is an error."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'credenza.training' has no attribute {name!r}")
    return vars(import_module(home))[name]
