"""Proofs that travel: one text that shows, offline, that an entry is in the ledger.

Source:
    c2sp.org/tlog-proof. Narrower: the optional ``extra`` line is refused, since
    nothing authenticates it.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError
from credenza.store.ledger.checkpoint import read_checkpoint
from credenza.store.ledger.leaf import parse_leaf
from credenza.store.ledger.note import strict_base64
from credenza.store.ledger.tree import hash_leaf, verify_inclusion
from credenza.store.ledger.trust import check_quorum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Entry
    from credenza.store.ledger.note import Verifier
    from credenza.store.ledger.trust import TrustPolicy

HEADER = "c2sp.org/tlog-proof@v1"

_HEAD = re.compile(
    re.escape(HEADER) + r"\nindex (0|[1-9][0-9]{0,15})((?:\n[A-Za-z0-9+/]{43}=){0,64})"
)


def write_proof(index: int, hashes: Sequence[bytes], checkpoint: bytes) -> bytes:
    """The proof file: header, index, hashes, blank line, checkpoint verbatim."""
    lines = [HEADER, f"index {index}", *(base64.b64encode(one).decode() for one in hashes)]
    return "\n".join([*lines, "", ""]).encode() + checkpoint


def verify_proof(
    text: bytes, entry_bytes: bytes, log: Verifier, trust: TrustPolicy | None = None
) -> Entry:
    """The entry, if this ledger signed a tree that has exactly these bytes at its index.

    Without a trust policy, blind to an operator who shows different trees to different
    people; with one, blind only to one who colludes with a quorum of the witnesses.

    Args:
        text: a ``.tlog-proof`` file.
        entry_bytes: the leaf, as ``leaf_bytes`` writes it.
        log: the ledger's name and key.
        trust: demand cosignatures of a quorum of its witnesses.

    Raises:
        UntrustedError: anything does not fit.
    """
    head, blank, checkpoint = text.partition(b"\n\n")
    matched = _HEAD.fullmatch(head.decode("utf-8", errors="replace"))
    if not blank or matched is None:
        raise UntrustedError(
            "bad-proof",
            "a ledger proof was refused",
            why="it is not header, index, hashes and checkpoint",
            fix="ask the ledger for a new proof",
        )
    head_of_tree = read_checkpoint(checkpoint, log.name, log.public_key)
    if trust is not None:
        check_quorum(head_of_tree, trust)
    index = int(matched[1])
    hashes = [strict_base64(line) for line in matched[2].split("\n")[1:]]
    verify_inclusion(hash_leaf(entry_bytes), index, head_of_tree.size, hashes, head_of_tree.root)
    return parse_leaf(entry_bytes, index)
