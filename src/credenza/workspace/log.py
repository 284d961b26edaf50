"""The ledger's use-cases: what was recorded, and the proof of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.gate import proofs, witnessing
from credenza.gate.questions import batch_row
from credenza.store.ledger.note import write_vkey
from credenza.store.ledger.trust import read_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from credenza.core.types import Entry
    from credenza.gate.proofs import LogAudit
    from credenza.gate.stores import Stores
    from credenza.gate.witnessing import Ask, Cosigning
    from credenza.provenance.keys import SigningKey
    from credenza.store.ledger.ledger import Ledger
    from credenza.store.ledger.stamp import Stamp


class Log:
    """The ledger of a workspace and the index that is made from it.

    Args:
        stores: of the workspace.
        public_key: the operator's, 64 hex digits.
        operator: reads the operator's key, when something has to be signed.
    """

    def __init__(self, stores: Stores, public_key: str, operator: Callable[[], SigningKey]) -> None:
        self._stores = stores
        self._public_key = public_key
        self._operator = operator

    @property
    def ledger(self) -> Ledger:
        """The ledger itself, to be read."""
        return self._stores.journal.ledger

    def audit(self) -> LogAudit:
        """Recount the ledger and look up the content behind every entry."""
        return proofs.audit(self._stores, self._public_key)

    def prove(self, index: int) -> str:
        """Proof that entry ``index`` is in the ledger: its leaf and a C2SP ``.tlog-proof``."""
        return proofs.prove(self._stores, index)

    def prove_row(self, prefix: str, row: int) -> bytes:
        """Proof that a row was in a batch as its sender signed it; see ``verify_row``."""
        return proofs.prove_row_of(self._stores, batch_row(self._stores, prefix), row)

    def changed_cells(self, prefix: str, files: Sequence[Path]) -> tuple[tuple[int, str], ...]:
        """Row and column of every cell in which files differ from a batch as it was sent."""
        return proofs.changed_cells(self._stores, batch_row(self._stores, prefix), files)

    def receipt(self, prefix: str) -> bytes:
        """A signed receipt for a batch: proof against an operator who drops it later."""
        return witnessing.promise(self._stores, batch_row(self._stores, prefix), self._operator())

    def vkey(self) -> str:
        """The ledger's name and key on one line, for witnesses and trust policies."""
        return write_vkey(proofs.log_of(self._public_key))

    def cosign(self, policy: str, ask: Ask) -> Cosigning:
        """Show the latest checkpoint to the witnesses of a C2SP trust policy.

        Args:
            policy: its text, with the URL of each witness.
            ask: posts a body to a URL; status and body of the answer.
        """
        self._stores.journal.lock()
        return witnessing.cosign(self._stores, read_trust(policy), ask)

    def stamp_request(self) -> tuple[bytes, bytes]:
        """The latest checkpoint, and what to send to an RFC 3161 authority about it."""
        from credenza.store.ledger.stamp import stamp_request  # noqa: PLC0415 - an extra

        checkpoint = self.ledger.checkpoint()
        return checkpoint, stamp_request(checkpoint)

    def rebuild_catalog(self) -> int:
        """Drop the SQL index and make it again from the ledger; entries folded."""
        self._stores.journal.lock()
        return self._stores.journal.rebuild()

    def catalog_dump(self) -> bytes:
        """Everything in the catalog, in one canonical form: to compare two of them."""
        return self._stores.journal.catalog.dump()


def check_proof(text: str, *, trust: str, policy: str | None = None) -> Entry:
    """Check offline what ``Log.prove`` gave; the entry that it proves.

    Args:
        text: the proof.
        trust: the operator's public key, 64 hex digits; the ledger's name follows
            from it, so a proof of another ledger proves nothing here.
        policy: text of a C2SP trust policy whose quorum of witnesses must have
            cosigned; None demands none.

    Raises:
        UntrustedError: it proves nothing.
    """
    return proofs.check(text, trust, None if policy is None else read_trust(policy))


def check_stamp(answer: bytes, checkpoint: bytes, *, trust: str, authorities: bytes) -> Stamp:
    """Check offline by when a ledger had a checkpoint.

    Args:
        answer: what an RFC 3161 authority answered.
        checkpoint: what was stamped.
        trust: the operator's public key, 64 hex digits.
        authorities: the authority's certificates in PEM, its root among them.

    Raises:
        UntrustedError: it shows nothing.
    """
    from credenza.store.ledger.stamp import read_stamp  # noqa: PLC0415 - an extra

    return read_stamp(answer, checkpoint, proofs.log_of(trust), authorities)
