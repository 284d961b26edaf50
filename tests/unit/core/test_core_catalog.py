from __future__ import annotations

from dataclasses import dataclass

import pytest

from credenza.core.catalog import Catalog
from credenza.core.errors import NotFoundError, UsageError


@dataclass(frozen=True)
class Lamp:
    watts: int = 40


LAMPS: Catalog[Lamp] = Catalog("lamp", {"floor": Lamp, "desk": Lamp})


def test_a_part_is_made_by_name_with_its_parameters() -> None:
    assert LAMPS.make("desk", watts=7) == Lamp(7)
    assert list(LAMPS) == ["desk", "floor"]


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(NotFoundError) as refusal:
        LAMPS.make("dask")
    assert refusal.value.code == "no-such-lamp"
    assert refusal.value.why == "the known lamps are: desk, floor"
    assert "did you mean 'desk'?" in refusal.value.fix


def test_an_unknown_parameter_is_refused_not_ignored() -> None:
    with pytest.raises(UsageError) as refusal:
        LAMPS.make("desk", volts=3)
    assert "volts" in refusal.value.why


def test_extending_makes_a_new_catalog_and_never_replaces_a_part() -> None:
    more = LAMPS.extended({"wall": Lamp})
    assert more.names() == ("desk", "floor", "wall")
    assert LAMPS.names() == ("desk", "floor")
    with pytest.raises(UsageError, match="registered twice"):
        more.extended({"wall": Lamp})
