"""What "clean" means, in one document, and who put their name to it.

In a governed workspace the rules say who must approve. In any other, two registered
members each sign the document; one key is one member, so two signatures are two people as
far as the register knows. Blind to one person who was registered twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.canonical import canonical_json, sha256_hex
from credenza.core.errors import ForbiddenError, PendingError, UntrustedError
from credenza.core.keys import keyid_of
from credenza.gate.journal import Event
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores
    from credenza.provenance.keys import SigningKey

PEOPLE = 2
KIND = "recovery-signature"
PAYLOAD_TYPE = "application/vnd.credenza.declaration+json"


def signed(terms: Mapping[str, Json], key: SigningKey) -> Event:
    """The event that holds one person's signature under a declaration."""
    envelope = dsse.sign(canonical_json(dict(terms)), [key.private], payload_type=PAYLOAD_TYPE)
    return Event(KIND, {"recovery": str(terms["incident"]), "envelope": envelope.decode("utf-8")})


def signers(
    stores: Stores, terms: Mapping[str, Json], members: Mapping[str, str]
) -> tuple[str, ...]:
    """Members whose signature under exactly these terms is in the ledger, by name.

    Args:
        stores: the workspace.
        terms: the declaration.
        members: names by public key, of everybody whose word counts now.
    """
    wanted = canonical_json(dict(terms))
    names = {keyid_of(key): name for key, name in members.items()}
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind=KIND)
    found: set[str] = set()
    for entry in entries:
        envelope = str(stores.journal.document(entry.digest)["envelope"]).encode()
        try:
            made = dsse.verify(envelope, members, payload_type=PAYLOAD_TYPE)
        except UntrustedError:  # by somebody who is a member no more
            continue
        if made.payload == wanted:
            found |= {names[keyid] for keyid in made.keyids}
    return tuple(sorted(found))


def check_signed(
    stores: Stores, terms: Mapping[str, Json], members: Mapping[str, str]
) -> tuple[str, ...]:
    """The members who signed, if they are enough.

    Raises:
        PendingError: they are not yet.
    """
    found = signers(stores, terms, members)
    if len(found) < PEOPLE:
        plan = str(terms["incident"])[:12]
        raise PendingError(
            "waits-for-signatures",
            f"the declaration of recovery {plan} has {len(found)} of {PEOPLE} signatures",
            why=f"signed by: {', '.join(found) or 'nobody'}; digest of the declaration: "
            f"{sha256_hex(canonical_json(dict(terms)))[:16]}",
            fix=f"two members run `credenza recover sign {plan} --key THEIR.key`, then apply "
            "the plan again; `credenza member add` registers them",
        )
    return found


def check_member(key: SigningKey, members: Mapping[str, str]) -> str:
    """The member whose key it is.

    Raises:
        ForbiddenError: nobody's.
    """
    name = members.get(key.public)
    if name is None:
        raise ForbiddenError(
            "no-member",
            "whoever signs this is no member of the workspace",
            why=f"the key {key.public[:16]}… belongs to nobody who is registered now",
            fix="run `credenza member add NAME --key KEY --role steward`",
        )
    return name
