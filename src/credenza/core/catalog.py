"""A room's parts, listed in one place and looked up by name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from credenza.core.errors import NotFoundError, UsageError
from credenza.core.guest import Guest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Catalog(Generic[P]):
    """Names to factories. A value, not a registry: nothing adds to it on import.

    Args:
        kind: what the parts are called in messages, for example "detector".
        parts: factory by name.
    """

    kind: str
    parts: Mapping[str, Callable[..., P]] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """Known names, sorted."""
        return tuple(sorted(self.parts))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def make(self, name: str, /, **parameters: object) -> P:
        """The part called ``name``, with its parameters checked by its signature.

        Raises:
            NotFoundError: no part has that name; the message lists the known ones.
            UsageError: a parameter is unknown or unfit.
        """
        factory = self.parts.get(name)
        if factory is None:
            near = difflib.get_close_matches(name, self.names(), n=1)
            raise NotFoundError(
                f"no-such-{self.kind}",
                f"no {self.kind} is called {name!r}",
                why=f"the known {self.kind}s are: {', '.join(self.names())}",
                fix=(f"did you mean {near[0]!r}? " if near else "")
                + "`credenza catalog parts` says what each does; another package may bring it",
            )
        try:
            return factory(**parameters)
        except TypeError as wrong:
            raise UsageError(
                "bad-parameter",
                f"{self.kind} {name!r} refuses its parameters",
                why=str(wrong),
                fix="give the parameters that its documentation lists",
            ) from wrong

    def brought_by(self, name: str) -> str:
        """Name and version of the package that brings the part ``name``; "" for our own."""
        factory = self.parts.get(name)
        return factory.package if isinstance(factory, Guest) else ""

    def extended(self, others: Mapping[str, Callable[..., P]]) -> Catalog[P]:
        """A new catalog with ``others`` added; a name may not be taken twice.

        Raises:
            UsageError: a name is already taken.
        """
        taken = sorted(set(self.parts) & set(others))
        if taken:
            raise UsageError(
                "name-taken",
                f"{self.kind} {taken[0]!r} is registered twice",
                why="a name means one part",
                fix="rename one of them",
            )
        return Catalog(self.kind, {**self.parts, **others})
