"""Write the vectors again: ``python tests/vectors/make.py``.

Parquet files name the version of Arrow that wrote them, so their bytes, and what is signed
over them, differ from version to version. Keys are seeds that everybody knows; nothing here
protects anything.
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credenza.core import dsse
from credenza.core.canonical import canonical_json, sha256_hex
from credenza.core.keys import public_hex
from credenza.datasets.attestation import ATTESTATION, Recalls, sign_recalls
from credenza.datasets.release import Claim, write_release
from credenza.gate.proofs import origin_of
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import key_from_seed
from credenza.provenance.row_proof import prove_row
from credenza.provenance.sign import sign_batch
from credenza.store.ledger.cosignature import cosign
from credenza.store.ledger.ledger import Ledger
from credenza.store.ledger.note import COSIGNATURE, Verifier, write_vkey

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.canonical import Json

HERE = Path(__file__).parent
GATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
EYES = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
SENDER = key_from_seed(b"k" * 32)
TRUST = public_hex(GATE)
ORIGIN = origin_of(TRUST)
START_S = 1_700_000_000
PART = "part-00000.parquet"
WITNESS = Verifier("eyes.example/w1", EYES.public_key(), COSIGNATURE)


def case(name: str, command: str) -> Path:
    """A directory for one vector, with the command that a verifier is to run in it."""
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "command").write_text(command + "\n")
    return directory


# -- releases


def rows() -> pa.Table:
    return pa.table(
        {
            "hour": pa.array(range(6), pa.int64()),
            "late": ["no", "no", "no", "yes", "yes", "yes"],
            "_batch": [f"{n // 3 + 1:064x}" for n in range(6)],
            "_row": pa.array([n % 3 for n in range(6)], pa.int64()),
            "_source": ["acme"] * 6,
        }
    )


def release(name: str, damage: Callable[[Path], object], *, more: str = "", **claim: str) -> None:
    """A release that was signed as it should be, and then damaged."""
    directory = case(name, f"release verify release --trust {TRUST}{more}")
    told = {"checkpoint": "", "created": "2024-01-02T03:04:05Z", **claim}
    stated = Claim(
        "flights", 2, "f" * 64, told["checkpoint"], told["created"], claim.get("expires", "")
    )
    write_release(directory / "release", rows().to_batches(), stated, GATE)
    for path in (directory / "release").iterdir():
        path.chmod(0o644)
    damage(directory)


def resigned(change: Callable[[dict[str, Json]], object]) -> Callable[[Path], object]:
    """Damage that the gate's own key has signed: only the reader's rules refuse it."""

    def damage(directory: Path) -> None:
        path = directory / "release" / ATTESTATION
        statement = json.loads(dsse.verify(path.read_bytes(), [TRUST]).payload)
        change(statement)
        path.write_bytes(dsse.sign(canonical_json(statement), [GATE]))

    return damage


def renamed(to: str) -> Callable[[dict[str, Json]], object]:
    def change(statement: dict[str, Json]) -> None:
        subject, predicate = statement["subject"], statement["predicate"]
        assert isinstance(subject, list)
        assert isinstance(predicate, dict)
        subject[0]["name"] = to  # type: ignore[index,call-overload]  # JSON made above
        files = predicate["files"]
        files[to] = files.pop(PART)  # type: ignore[index,call-overload,union-attr,arg-type]

    return change


def signed_by(
    key: Ed25519PrivateKey, payload_type: str = dsse.PAYLOAD_TYPE
) -> Callable[[Path], object]:
    def damage(directory: Path) -> None:
        path = directory / "release" / ATTESTATION
        payload = dsse.verify(path.read_bytes(), [TRUST]).payload
        path.write_bytes(dsse.sign(payload, [key], payload_type=payload_type))

    return damage


def flip(path: str, at: int = -1) -> Callable[[Path], object]:
    def damage(directory: Path) -> None:
        data = bytearray((directory / path).read_bytes())
        data[at] ^= 1
        (directory / path).write_bytes(data)

    return damage


def recalled(directory: Path) -> None:
    payload = dsse.verify((directory / "release" / ATTESTATION).read_bytes(), [TRUST]).payload
    told = Recalls({sha256_hex(payload): "label flips"}, "2024-02-01T00:00:00Z")
    (directory / "recalls").write_bytes(sign_recalls(told, GATE))


def recalled_another(directory: Path) -> None:
    told = Recalls({"0" * 64: "label flips"}, "2024-02-01T00:00:00Z")
    (directory / "recalls").write_bytes(sign_recalls(told, GATE))


def edited(*path: str, to: Json) -> Callable[[dict[str, Json]], object]:
    def change(statement: dict[str, Json]) -> None:
        at: Json = statement
        for step in path[:-1]:
            at = at[step]  # type: ignore[index,call-overload]  # objects all the way
        at[path[-1]] = to  # type: ignore[index,call-overload]

    return change


def duplicated_key(directory: Path) -> None:
    path = directory / "release" / ATTESTATION
    payload = dsse.verify(path.read_bytes(), [TRUST]).payload
    doubled = payload.replace(b'"rows":6', b'"rows":6,"rows":999')
    path.write_bytes(dsse.sign(doubled, [GATE]))


def releases() -> None:
    inside = "release/"
    release("release-plain", lambda _: None)
    release("release-not-yet-expired", lambda _: None, expires="9999-12-31T23:59:59Z")
    release("release-expired_fail", lambda _: None, expires="2024-01-03T00:00:00Z")
    release("release-recalled_fail", recalled, more=" --recalls recalls")
    release("release-another-recalled", recalled_another, more=" --recalls recalls")
    release("release-byte-changed_fail", flip(inside + PART, 100))
    release("release-byte-added_fail", lambda d: (d / inside / PART).open("ab").write(b"x"))
    release("release-file-added_fail", lambda d: (d / inside / "more.parquet").write_bytes(b"x"))
    release("release-file-hidden_fail", lambda d: (d / inside / ".x.parquet").write_bytes(b"x"))
    release("release-file-missing_fail", lambda d: (d / inside / PART).unlink())
    release("release-folder-added_fail", lambda d: _nested(d / inside / "deep"))
    release("release-symlink_fail", lambda d: _linked(d / inside / PART))
    release("release-stranger-signed_fail", signed_by(STRANGER))
    release("release-payload-type_fail", signed_by(GATE, "text/plain"))
    release("release-attestation-altered_fail", flip(inside + ATTESTATION, 60))
    release("release-path-traversal_fail", resigned(renamed("../x.parquet")))
    release("release-newline-in-name_fail", resigned(renamed("x.parquet\n")))
    release("release-upper-case-name_fail", resigned(renamed("X.parquet")))
    release("release-rows-do-not-add-up_fail", resigned(edited("predicate", "rows", to=7)))
    release(
        "release-batches-not-sorted_fail",
        resigned(edited("predicate", "batches", to=["b" * 64, "a" * 64])),
    )
    release("release-unknown-field_fail", resigned(edited("predicate", "more", to=1)))
    release("release-another-predicate_fail", resigned(edited("predicateType", to="urn:x")))
    release("release-key-twice-in-json_fail", duplicated_key)


def _nested(path: Path) -> None:
    path.mkdir()
    (path / "x.parquet").write_bytes(b"x")


def _linked(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere.parquet")
    path.symlink_to("../elsewhere.parquet")


# -- proofs of ledger entries


def entry_proof(
    name: str, change: Callable[[str, str], tuple[str, str]], *, more: str = ""
) -> None:
    directory = case(name, f"log verify entry.tlog-proof --trust {TRUST}{more}")
    ledger_at = directory / "ledger"
    with Ledger.create(ledger_at, ORIGIN, GATE) as ledger:
        ledger.append_many([("verdict", sha256_hex(bytes([n]))) for n in range(7)], START_S)
        text = ledger.checkpoint().decode().split("\n\n")[0] + "\n"
        if name.startswith("proof-cosigned"):
            signer = STRANGER if "stranger" in name else EYES
            line = cosign(text, WITNESS.name, signer, START_S).encode()
            ledger.keep_cosigned(ledger.checkpoint() + line)
        leaf, proof = change(ledger.entry_bytes(5).decode(), ledger.proof(5).decode())
    shutil.rmtree(ledger_at)
    told = {"schema": "credenza.proof/1", "leaf": leaf, "tlog_proof": proof}
    (directory / "entry.tlog-proof").write_text(json.dumps(told, indent=1))
    if more:
        policy = f"witness w1 {write_vkey(WITNESS)}\nquorum w1\n"
        (directory / "trust.txt").write_text(policy)


def entry_proofs() -> None:
    def as_is(leaf: str, proof: str) -> tuple[str, str]:
        return leaf, proof

    def without_hash(leaf: str, proof: str) -> tuple[str, str]:
        lines = proof.split("\n")
        return leaf, "\n".join(lines[:2] + lines[3:])

    def hash_twice(leaf: str, proof: str) -> tuple[str, str]:
        lines = proof.split("\n")
        return leaf, "\n".join([*lines[:3], lines[2], *lines[3:]])

    entry_proof("proof-plain", as_is)
    entry_proof("proof-cosigned", as_is, more=" --policy trust.txt")
    entry_proof("proof-not-cosigned_fail", as_is, more=" --policy trust.txt")
    entry_proof("proof-cosigned-by-a-stranger_fail", as_is, more=" --policy trust.txt")
    entry_proof("proof-hash-missing_fail", without_hash)
    entry_proof("proof-hash-too-many_fail", hash_twice)
    entry_proof(
        "proof-index-moved_fail", lambda leaf, proof: (leaf, proof.replace("index 5", "index 4"))
    )
    entry_proof(
        "proof-leaf-changed_fail", lambda leaf, proof: (leaf.replace("verdict", "release"), proof)
    )
    entry_proof(
        "proof-size-changed_fail", lambda leaf, proof: (leaf, proof.replace("\n7\n", "\n8\n"))
    )
    entry_proof(
        "proof-time-changed_fail",
        lambda leaf, proof: (leaf.replace("1700000000", "1600000000"), proof),
    )


# -- proofs of rows


def row_proof(
    name: str, change: Callable[[dict[str, Json]], object], trusted: str = SENDER.public
) -> None:
    directory = case(name, f"batch verify row.proof --trust {trusted}")
    table = pa.table({"hour": pa.array(range(11), pa.int64()), "late": ["no"] * 11})
    path = directory / "june.parquet"
    pq.write_table(table, path)
    envelope = sign_batch(
        [path],
        source="acme",
        key=SENDER,
        dataset="flights",
        sequence=1,
        previous="",
        collected=("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"),
        read=read_own,
    )
    path.unlink()
    told = json.loads(prove_row(table, 6, envelope))
    change(told)
    (directory / "row.proof").write_bytes(canonical_json(told))


def row_proofs() -> None:
    def other_envelope(told: dict[str, Json]) -> None:
        envelope = bytearray(base64.b64decode(str(told["envelope"])))
        envelope[40] ^= 1
        told["envelope"] = base64.b64encode(bytes(envelope)).decode()

    def without_last(told: dict[str, Json]) -> None:
        hashes = told["hashes"]
        assert isinstance(hashes, list)
        hashes.pop()

    row_proof("row-plain", lambda _: None)
    row_proof("row-sender-not-trusted_fail", lambda _: None, public_hex(STRANGER))
    row_proof("row-moved_fail", lambda told: told.update(row=7))
    row_proof("row-beyond-the-batch_fail", lambda told: told.update(row=11))
    row_proof("row-leaf-changed_fail", lambda told: told.update(leaf="0" * 64))
    row_proof("row-hash-missing_fail", without_last)
    row_proof("row-envelope-altered_fail", other_envelope)
    row_proof("row-unknown-field_fail", lambda told: told.update(more=1))


if __name__ == "__main__":
    releases()
    entry_proofs()
    row_proofs()
