"""A summary verification result: what was verified of the release before it was made.

Source:
    in-toto attestation framework, predicate "Simple Verification Result" v0.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.canonical import canonical_json
from credenza.provenance.exports.slsa import STATEMENT, files_as_subjects

if TYPE_CHECKING:
    from credenza.provenance.exports.released import Released

PREDICATE = "https://in-toto.io/attestation/svr/v0.1"
# What the gate does to every batch before any of its rows is in a version.
PROPERTIES = (
    "CREDENZA_BATCHES_SIGNED",
    "CREDENZA_BATCHES_SCREENED",
    "CREDENZA_VERDICTS_LOGGED",
)


def svr(released: Released) -> bytes:
    """The statement. Says that the checks were made and passed, not that no poison is left."""
    return canonical_json(
        {
            "_type": STATEMENT,
            "subject": files_as_subjects(released),
            "predicateType": PREDICATE,
            "predicate": {
                "verifier": {"id": f"urn:credenza:gate:{released.gate}"},
                "timeCreated": released.created,
                "properties": [
                    *PROPERTIES,
                    f"CREDENZA_POLICY_SHA256_{released.release.policy.upper()}",
                ],
            },
        }
    )
