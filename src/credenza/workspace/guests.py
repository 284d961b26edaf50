"""Parts that other installed packages offer: the one place that reads entry points.

An entry point is read by its name alone; its code runs when somebody asks for it by that
name, in a policy or on a command line, and never because it is installed.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.core.errors import UsageError
from credenza.core.guest import Guest, detector_flaw
from credenza.core.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from importlib.metadata import EntryPoint

    from credenza.core.protocols import Detector

DETECTOR_GROUP = "credenza.detectors"


@dataclass(frozen=True, slots=True)
class Door(Mapping[str, "Callable[..., Detector]"]):
    """The detectors that installed packages offer, looked up anew each time.

    Args:
        taken: names that no guest may bear.
    """

    taken: Collection[str]

    def __getitem__(self, name: str) -> Guest[Detector]:
        return self._guests()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._guests())

    def __len__(self) -> int:
        return len(self._guests())

    def _guests(self) -> dict[str, Guest[Detector]]:
        found: dict[str, Guest[Detector]] = {}
        for offered in entry_points(group=DETECTOR_GROUP):
            guest = Guest("detector", offered.name, _package(offered), offered.load, detector_flaw)
            if offered.name in self.taken or offered.name in found:
                raise _taken(guest)
            found[offered.name] = guest
        return found


def detectors() -> Catalog[Detector]:
    """Our detectors and those of installed packages; ours are looked up first."""
    from credenza.scanning.together import NAME  # noqa: PLC0415 - a second to load
    from credenza.screening.builtin import DETECTORS  # noqa: PLC0415 - as above

    door = Door({*DETECTORS, NAME})
    parts = ChainMap(dict(DETECTORS.parts), door)  # type: ignore[arg-type] # nothing writes into the door
    return Catalog(DETECTORS.kind, parts)


def asked_in_a_scan(names: Sequence[str]) -> tuple[str | Detector, ...]:
    """The names as they are, but guests made: a scan looks up only our own by name."""
    known = detectors()
    return tuple(known.make(name) if known.brought_by(name) else name for name in names)


def _package(offered: EntryPoint) -> str:
    return f"{offered.dist.name} {offered.dist.version}" if offered.dist else "an unknown package"


def _taken(guest: Guest[Detector]) -> UsageError:
    return UsageError(
        "name-taken",
        f"the detector {quote(guest.name)} of {quote(guest.package)} bears a name that is taken",
        why="a policy that names it must mean one detector",
        fix=f"uninstall {quote(guest.package)}, or ask its authors for another name",
    )
