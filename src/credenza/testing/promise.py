"""How a part is held to its word."""

from __future__ import annotations


class BrokenPromiseError(AssertionError):
    """A part does not do what every part of its kind promises."""


def kept(holds: object, otherwise: str) -> None:
    """Nothing, if it ``holds``.

    Raises:
        BrokenPromiseError: it does not; ``otherwise`` says what was seen instead.
    """
    if not holds:
        raise BrokenPromiseError(otherwise)
