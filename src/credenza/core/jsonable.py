"""Any answer of ours as JSON: for ``--json``, and for files that scripts read.

Not for what is signed or hashed; that is ``canonical``'s, which refuses floats.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import SupportsFloat


def jsonable(value: object) -> object:
    """``value`` as JSON scalars, lists and objects; NaN and infinities become null.

    Nouns become objects without their bytes; whatever JSON has no word for, its text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.IntEnum):
        return value.name.lower()
    if isinstance(value, (str, int)):
        return str(value) if isinstance(value, str) else int(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: jsonable(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not isinstance(getattr(value, field.name), bytes)
        }
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    return _other(value)


def _other(value: object) -> object:
    """Lists, numbers of any library, and the text of everything else."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if not isinstance(value, SupportsFloat):
        return str(value)
    number = float(value)
    return number if math.isfinite(number) else None
