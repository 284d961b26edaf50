"""What outsiders hand to ``scan_panel``, checked before a window is judged.

NumPy would take most of it: a mask would be dropped, text read as numbers, a list of four
groups stretched over five sources. Every such guess would be a verdict on something else than
what was meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Bools, Floats

WHOLE = (int, np.integer)


def values_of(values: object, start: object) -> Floats:
    """``(S, T, P)`` float64, at least one source and statistic, ``start`` within T.

    Raises:
        UsageError: another shape or type, an infinite value, a start outside the panel.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise _refused("the panel has a mask", "NaN says absent", "call values.filled(np.nan)")
    given = _array(values, "the panel")
    if given.ndim != 3 or 0 in {given.shape[0], given.shape[2]}:
        raise _refused(
            "the panel is not (sources, windows, statistics)",
            f"its shape is {given.shape}",
            "give a three-dimensional array, NaN where a source is absent",
        )
    if not isinstance(start, WHOLE) or not 0 <= start <= given.shape[1]:
        raise _refused(
            "the start is no window of the panel",
            f"start {start!r:.40}, {given.shape[1]} windows",
            "give the position of the first window to judge",
        )
    infinite = np.argwhere(np.isinf(given))
    if len(infinite):
        raise _refused(
            "the panel has infinite values",
            f"{len(infinite)} of them, the first at {tuple(infinite[0].tolist())}",
            "give NaN where nothing was measured",
        )
    return np.asarray(given, dtype=np.float64)


def periods_of(periods: object) -> tuple[int, ...]:
    """Whole windows, at least 2 each.

    Raises:
        UsageError: it is no sequence of such.
    """
    lengths = _items(periods)
    if lengths is None or not all(isinstance(one, WHOLE) and one >= 2 for one in lengths):
        raise _refused(
            "the periods are no lengths of cycles",
            f"{periods!r:.80}",
            "give whole windows, at least 2 each, such as (7,)",
        )
    return tuple(int(one) for one in lengths)


def groups_of(groups: object, sources: int) -> tuple[str, ...] | None:
    """Name of each source's group, "" = alone.

    Raises:
        UsageError: not one name or number for each source.
    """
    if groups is None:
        return None
    names = _items(groups)
    if names is None or len(names) != sources:
        raise _refused(
            "the groups are not one for each source",
            f"{sources} sources, {'no sequence' if names is None else f'{len(names)} groups'}",
            "give a list as long as the panel has sources, None for who stands alone",
        )
    wrong = [one for one in names if not (one is None or isinstance(one, (str, *WHOLE)))]
    if wrong:
        raise _refused(
            "a group is neither a name nor a number",
            f"{wrong[0]!r:.80}",
            "give text or a whole number, None for who stands alone",
        )
    return tuple("" if one is None else str(one) for one in names)


def rate_of(rate: object) -> float:
    """False campaigns per window, above 0 and below 1.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(rate, (*WHOLE, float, np.floating)) or not 0 < rate < 1:
        raise _refused(
            "the rate is not between 0 and 1",
            f"rate {rate!r:.40}",
            "give false campaigns per window that you accept, such as 0.01",
        )
    return float(rate)


def accepted_of(accepted: object, shape: tuple[int, int]) -> Bools | None:
    """``(S, T)`` whether each source's window may teach.

    Raises:
        UsageError: another shape, or something else than true and false.
    """
    if accepted is None:
        return None
    given = _array(accepted, "what was accepted")
    if given.shape != shape or not np.isin(given, (0, 1)).all():
        raise _refused(
            "what was accepted is not true or false for each source and window",
            f"shape {given.shape} of {given.dtype}, the panel has {shape}",
            "give a boolean array (sources, windows)",
        )
    return np.asarray(given, dtype=np.bool_)


def _array(given: object, what: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Booleans, whole and real numbers as an array; not yet of one type."""
    try:
        found = np.asarray(given)
    except ValueError as uneven:
        raise _refused(f"{what} is no array", str(uneven), "give rows of one length") from uneven
    if found.dtype.kind not in "biuf":
        raise _refused(
            f"{what} is not an array of numbers",
            f"its type is {found.dtype}",
            "convert it first, such as with astype(float)",
        )
    return found


def _items(given: object) -> Sequence[Any] | None:
    """The items of a list, a tuple or an array; None for text and what has none."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        return None
    return list(given)


def _refused(what: str, why: str, fix: str) -> UsageError:
    return UsageError("bad-panel", what, why=why, fix=fix)
