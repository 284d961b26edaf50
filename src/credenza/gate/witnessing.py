"""What binds the operator: receipts for senders, and witnesses who saw the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from credenza.store.ledger.receipt import Promise, sign_promise
from credenza.store.ledger.trust import is_met, signed_by
from credenza.store.ledger.witness import write_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.gate.stores import Stores
    from credenza.provenance.keys import SigningKey
    from credenza.store.ledger.ledger import Ledger
    from credenza.store.ledger.trust import TrustPolicy
    from credenza.store.rows import BatchRow

    Ask = Callable[[str, bytes], tuple[int, bytes]]

MERGE_DELAY_S = 24 * 3600
"""How long after a receipt a published checkpoint may still lack its entry."""


@dataclass(frozen=True, slots=True)
class Cosigning:
    """What the witnesses said of the latest checkpoint.

    Attributes:
        size: entries it covers.
        signed: when each witness signed, seconds since the epoch, by its name.
        refusals: what the others answered.
        met: whether those who signed are a quorum, so that the checkpoint was kept.
    """

    size: int
    signed: Mapping[str, int]
    refusals: Mapping[str, str]
    met: bool


def promise(stores: Stores, row: BatchRow, key: SigningKey) -> bytes:
    """A signed receipt for a batch: its submission is in the log, and stays there."""
    entry = next(stores.journal.ledger.entries(row.submitted_index, row.submitted_index + 1))
    return sign_promise(
        Promise(
            origin=stores.journal.ledger.origin,
            index=entry.index,
            kind=entry.kind,
            digest=entry.digest,
            subject=row.digest,
            received_s=entry.time_s,
            merge_by_s=entry.time_s + MERGE_DELAY_S,
        ),
        key.private,
    )


def cosign(stores: Stores, policy: TrustPolicy, ask: Ask) -> Cosigning:
    """Show the latest checkpoint to every witness of a trust policy; keep what they sign.

    A witness that is away or refuses is named with its answer; the others count.

    Args:
        stores: whose ledger.
        policy: witnesses with their URLs, and the quorum.
        ask: posts a request body to a URL; status and body of the answer.

    Raises:
        UntrustedError: a witness signed something else than it was shown.
    """
    ledger = stores.journal.ledger
    note = ledger.checkpoint()
    refusals = {}
    for name, party in policy.witnesses.items():
        status, body = _grown(ledger, f"{party.url.rstrip('/')}/add-checkpoint", ask)
        if status == HTTPStatus.OK:
            note += body
        else:
            refusals[name] = f"{status} {body[:200].decode('utf-8', 'replace').strip()}"
    signed = signed_by(policy, note)
    met = is_met(policy, signed.keys())
    if met:
        ledger.keep_cosigned(note)
    return Cosigning(ledger.size, signed, refusals, met)


def _grown(ledger: Ledger, url: str, ask: Ask) -> tuple[int, bytes]:
    """Ask as if the witness knew nothing; it says what it knows; prove growth from there."""
    status, body = ask(url, write_request(0, (), ledger.checkpoint()))
    size = body.strip()
    if status != HTTPStatus.CONFLICT or not size.isdigit() or int(size) > ledger.size:
        return status, body
    proof = ledger.prove_consistency(int(size))
    return ask(url, write_request(int(size), proof, ledger.checkpoint()))
