"""The formats that a release can be told in, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from credenza.provenance.exports.croissant import croissant
from credenza.provenance.exports.cyclonedx import cyclonedx
from credenza.provenance.exports.openlineage import openlineage
from credenza.provenance.exports.slsa import slsa
from credenza.provenance.exports.svr import svr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.provenance.exports.released import Released


class Export(NamedTuple):
    """A format.

    Attributes:
        write: the document's bytes.
        is_statement: an in-toto statement, to be signed by the gate.
    """

    write: Callable[[Released], bytes]
    is_statement: bool = False


EXPORTS: Mapping[str, Export] = {
    "croissant": Export(croissant),
    "cyclonedx": Export(cyclonedx),
    "openlineage": Export(openlineage),
    "slsa": Export(slsa, is_statement=True),
    "svr": Export(svr, is_statement=True),
}
