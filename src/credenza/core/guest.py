"""A part that another package brings: made like one of ours, but not believed like one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from credenza.core.errors import UsageError
from credenza.core.text import quote
from credenza.core.types import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.protocols import Detector

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Guest(Generic[P]):
    """The factory of a part that an installed package offers.

    Nothing of the package runs before the part is asked for by name. Blind to what its code
    does then: it runs with the rights of whoever asked, so installing it is trusting it.

    Attributes:
        kind: what it claims to be, for example "detector".
        name: what it is offered as.
        package: who brings it, name and version.
        load: imports the package and gives the factory.
        flaw: what keeps a made part from being one of its kind; "" for nothing.
    """

    kind: str
    name: str
    package: str
    load: Callable[[], Callable[..., P]]
    flaw: Callable[[P, str], str]

    def __call__(self, **parameters: object) -> P:
        """The part, if it can be made and has the form of its kind.

        Raises:
            UsageError: ``broken-guest``; the message names the package.
            TypeError: it does not take these parameters.
        """
        try:
            factory = self.load()
        except Exception as wrong:
            raise self._broken(f"{type(wrong).__name__}: {quote(str(wrong), limit=200)}") from wrong
        if not callable(factory):
            raise self._broken("what it offers is no class or function that makes one")
        part = factory(**parameters)
        if flaw := self.flaw(part, self.name):
            raise self._broken(flaw)
        return part

    def _broken(self, why: str) -> UsageError:
        return UsageError(
            "broken-guest",
            f"the {self.kind} {quote(self.name)} of {quote(self.package)} cannot be used",
            why=why,
            fix=f"update or uninstall {quote(self.package)}, or name another {self.kind}",
        )


def detector_flaw(part: Detector, name: str) -> str:
    """What keeps ``part`` from being asked as the detector ``name``; "" for nothing.

    Looks at its form alone. Whether its scores can be used is seen when it scores, and
    whether it keeps what detectors promise by ``credenza.testing``.
    """
    members = {one: getattr(part, one, None) for one in ("name", "needs", "score")}
    if members["name"] != name:
        return f"it calls itself {quote(str(members['name']))}"
    needs = members["needs"]
    if not isinstance(needs, frozenset) or not all(isinstance(role, Role) for role in needs):
        return "its needs are no frozenset of roles"
    return "" if callable(members["score"]) else "it has no method score"
