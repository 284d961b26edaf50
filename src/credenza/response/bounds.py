"""What little poison can do at most, as a share of what a model learns from.

If a share ``s`` of the weight of a training set is suspicious, its distribution lies within
``s`` in total variation of the same set without them: whatever is averaged over it, such as
a loss between 0 and 1, moves by at most ``s``. That is a bound on what is learnt *from*, not
on what is learnt: a trigger that a handful of rows teach stays within it, which is why a
measure is for contamination that is minor and not aimed.
"""

from __future__ import annotations

from credenza.core.errors import ConflictError, UsageError


def share(suspects: int, clean: int, weight: float = 1.0) -> float:
    """Suspicious share of the weight, when each suspicious row counts ``weight``.

    Args:
        suspects: suspicious rows.
        clean: all others, which count 1.
        weight: in [0, 1].
    """
    heavy = suspects * weight
    return heavy / (clean + heavy) if clean + heavy else 0.0


def weight_for(suspects: int, clean: int, at_most: float) -> float:
    """The largest weight in [0, 1] at which the suspicious share is ``at_most``.

    Raises:
        ConflictError: no clean row is left, so that no weight does.
        UsageError: ``at_most`` is no share below 1.
    """
    _check(clean, at_most)
    return min(1.0, at_most * clean / ((1 - at_most) * suspects)) if suspects else 1.0


def rows_for(suspects: int, clean: int, at_most: float) -> int:
    """The largest number of suspicious rows that may stay for their share to be ``at_most``."""
    _check(clean, at_most)
    rows = min(suspects, int(at_most * clean / (1 - at_most)))
    return rows - (share(rows, clean) > at_most)  # the division may round up


def _check(clean: int, at_most: float) -> None:
    if not 0 <= at_most < 1:
        raise UsageError(
            "bad-bound",
            f"{at_most:g} is no share between 0 and 1",
            why="it is a share of the rows",
            fix="give a share between 0 and 1",
        )
    if not clean:
        raise ConflictError(
            "all-suspicious",
            "every row is suspicious: nothing bounds them",
            why="the bound comes from rows that are not under suspicion",
            fix="narrow the suspicion, or roll back",
        )
