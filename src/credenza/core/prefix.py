"""Digests by their first digits, as people name things that are named by a digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

FEWEST = 4
"""Digits that name something; with fewer, what is meant today is ambiguous tomorrow."""


def beginning(prefix: str, known: Iterable[str], kind: str, *, fix: str) -> str:
    """The one digest that begins so.

    Args:
        prefix: its first digits, at least four, or all of them.
        known: every digest of that kind.
        kind: what they name, for example "release".
        fix: where the reader finds them.

    Raises:
        NotFoundError: ``no-such-KIND``: none begins so, or several do.
    """
    digests = set(known)
    found = {one for one in digests if len(prefix) >= FEWEST and one.startswith(prefix)}
    if len(found) == 1:
        return found.pop()
    raise NotFoundError(
        f"no-such-{kind}",
        f"{'more than one' if found else 'no'} {kind} begins with {prefix[:70]!r}",
        why=f"of {len(digests)}, each is named by its digest or at least its first four digits",
        fix=fix,
    )
