from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, NotFoundError, UntrustedError
from credenza.core.types import Limits, Standing
from credenza.provenance.keys import key_from_seed
from credenza.provenance.roster import Roster

if TYPE_CHECKING:
    from credenza.core.canonical import Json

A, B, C = (key_from_seed(letter * 32) for letter in (b"a", b"b", b"c"))
ADDED: dict[str, Json] = {"event": "source-added", "source": "ua-ewr", "keys": [A.public]}


def test_registrations_add_up_to_sources() -> None:
    roster = Roster.fold(
        [
            {**ADDED, "group": "united", "limits": {"rows": 1000}},
            {"event": "key-added", "source": "ua-ewr", "key": B.public},
        ]
    )
    source = roster.source("ua-ewr")
    assert source.keys == (A.public, B.public)
    assert (source.group, source.standing) == ("united", Standing.ACTIVE)
    assert source.limits == Limits(rows=1000)
    assert roster.owner(B.keyid) == source
    assert roster.owner("0" * 64) is None


def test_a_roster_is_a_value_that_later_events_leave_alone() -> None:
    before = Roster.fold([ADDED])
    after = before.after({"event": "source-frozen", "source": "ua-ewr", "reason": "drift"})
    assert before.source("ua-ewr").standing is Standing.ACTIVE
    assert after.source("ua-ewr").standing is Standing.FROZEN


def test_a_frozen_source_can_return_and_a_revoked_one_cannot() -> None:
    roster = Roster.fold([ADDED, {"event": "source-frozen", "source": "ua-ewr"}])
    back = roster.after({"event": "source-unfrozen", "source": "ua-ewr"})
    assert back.source("ua-ewr").standing is Standing.ACTIVE
    gone = roster.after({"event": "source-revoked", "source": "ua-ewr"})
    for event in ("source-unfrozen", "source-frozen", "source-revoked"):
        with pytest.raises(ConflictError):
            gone.after({"event": event, "source": "ua-ewr"})


def test_threat_02_one_key_cannot_be_registered_under_two_sources() -> None:
    roster = Roster.fold([ADDED, {**ADDED, "source": "dl-jfk", "keys": [B.public]}])
    doubled: tuple[dict[str, Json], ...] = (
        {"event": "source-added", "source": "aa-lga", "keys": [A.public]},
        {"event": "key-added", "source": "dl-jfk", "key": A.public},
        {"event": "key-added", "source": "ua-ewr", "key": A.public},
        {"event": "source-added", "source": "b6-jfk", "keys": [C.public, B.public]},
    )
    for event in doubled:
        with pytest.raises(UntrustedError) as refusal:
            roster.after(event)
        assert refusal.value.code == "key-taken"


def test_threat_02_one_key_cannot_be_listed_twice_for_one_source() -> None:
    with pytest.raises(UntrustedError) as refusal:
        Roster.fold([{**ADDED, "keys": [A.public, A.public]}])
    assert refusal.value.code == "key-taken"


def test_threat_05_a_revoked_sources_key_never_becomes_anothers() -> None:
    gone = Roster.fold([ADDED, {"event": "source-revoked", "source": "ua-ewr"}])
    with pytest.raises(UntrustedError) as refusal:
        gone.after({"event": "source-added", "source": "heir", "keys": [A.public]})
    assert refusal.value.code == "key-taken"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event": "source-blessed", "source": "ua-ewr"},
        {"event": ["source-added"], "source": "ua-ewr"},
        {"event": "source-added", "source": "ua-ewr"},
        {**ADDED, "scheme": "rsa"},
        {**ADDED, "source": "UA EWR"},
        {**ADDED, "source": "ua-ewr\n"},
        {**ADDED, "keys": []},
        {**ADDED, "keys": "x"},
        {**ADDED, "keys": [7]},
        {**ADDED, "group": "United Airlines"},
        {**ADDED, "limits": {"patience": 3}},
        {**ADDED, "limits": {"rows": 0}},
        {**ADDED, "limits": {"rows": True}},
    ],
)
def test_a_registration_without_one_meaning_is_refused(event: dict[str, Json]) -> None:
    with pytest.raises(UntrustedError):
        Roster().after(event)


def test_events_about_strangers_name_the_known_sources() -> None:
    with pytest.raises(NotFoundError) as refusal:
        Roster.fold([ADDED]).after({"event": "source-frozen", "source": "nobody"})
    assert refusal.value.why == "registered: ua-ewr"
    with pytest.raises(ConflictError):
        Roster.fold([ADDED]).after({**ADDED, "keys": [B.public]})
