from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credenza.core.canonical import sha256_hex
from credenza.core.errors import UntrustedError, UsageError
from credenza.store.ledger.checkpoint import read_checkpoint
from credenza.store.ledger.cosignature import cosign, cosigned_at
from credenza.store.ledger.ledger import Ledger
from credenza.store.ledger.note import COSIGNATURE, ED25519, Verifier, read_vkey, write_vkey
from credenza.store.ledger.proof import verify_proof
from credenza.store.ledger.trust import check_quorum, is_met, read_trust
from credenza.store.ledger.witness import Response, Witness, write_request

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "example.com/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = Verifier(ORIGIN, KEY.public_key())
NOW_S = 1_800_000_000
WITNESS_KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n + 7]) * 32) for n in range(3)]
WITNESSES = [
    Verifier(f"eyes.example/w{n}", key.public_key(), COSIGNATURE)
    for n, key in enumerate(WITNESS_KEYS)
]
TRUST = read_trust(
    "# two of three\n"
    + "".join(f"witness\tw{n} {write_vkey(one)}\n" for n, one in enumerate(WITNESSES))
    + "group any-two 2 w0 w1 w2\nquorum any-two\n"
)
# From c2sp.org/signed-note and c2sp.org/tlog-cosignature: keys by other implementations.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def grown(directory: Path, count: int, salt: str = "") -> Ledger:
    ledger = Ledger.create(directory, ORIGIN, KEY)
    ledger.append_many([("t", sha256_hex(f"{salt}{n}".encode())) for n in range(count)], NOW_S)
    return ledger


def witness(directory: Path, n: int = 0) -> Witness:
    return Witness(directory, WITNESSES[n].name, WITNESS_KEYS[n], {ORIGIN: LOG})


def show(one: Witness, ledger: Ledger, old: int) -> Response:
    proof = ledger.prove_consistency(old) if old else ()
    return one.add_checkpoint(write_request(old, proof, ledger.checkpoint()), NOW_S)


def test_a_verifier_key_by_another_implementation_is_read_and_written_alike() -> None:
    assert write_vkey(read_vkey(GO_VKEY, ED25519)) == GO_VKEY
    for wrong in (GO_VKEY[:-1], GO_VKEY.replace("c74", "c75"), "PeterNeumann", "", "a+b+c"):
        with pytest.raises(UsageError, match="verifier key"):
            read_vkey(wrong, ED25519)
    with pytest.raises(UsageError, match="verifier key"):
        read_vkey(GO_VKEY, COSIGNATURE)


def test_threat_09_a_witness_cosigns_a_tree_that_grew(tmp_path: Path) -> None:
    one = witness(tmp_path / "w")
    with grown(tmp_path / "log", 5) as ledger:
        for old, more in ((0, 300), (5, 1), (305, 0)):
            answer = show(one, ledger, old)
            assert answer.status == HTTPStatus.OK
            at = cosigned_at(ledger.checkpoint() + answer.body, {"w0": WITNESSES[0]})
            assert at == {"w0": NOW_S}
            ledger.append_many([("t", sha256_hex(b"more"))] * more, NOW_S)


def test_threat_09_a_witness_that_starts_again_remembers(tmp_path: Path) -> None:
    with grown(tmp_path / "log", 5) as ledger:
        show(witness(tmp_path / "w"), ledger, 0)
        answer = show(witness(tmp_path / "w"), ledger, 0)
    assert (answer.status, answer.media_type) == (HTTPStatus.CONFLICT, "text/x.tlog.size")
    assert answer.body == b"5\n"


def test_threat_09_a_rewritten_tree_is_not_cosigned(tmp_path: Path) -> None:
    one = witness(tmp_path / "w")
    with grown(tmp_path / "log", 5) as ledger, grown(tmp_path / "other", 9, "x") as other:
        show(one, ledger, 0)
        assert show(one, other, 5).status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_threat_09_a_fork_of_the_same_size_is_not_cosigned(tmp_path: Path) -> None:
    one = witness(tmp_path / "w")
    with grown(tmp_path / "log", 5) as ledger, grown(tmp_path / "other", 5, "x") as other:
        show(one, ledger, 0)
        assert show(one, other, 5).status == HTTPStatus.CONFLICT


def test_threat_09_a_tree_that_was_rolled_back_is_not_cosigned(tmp_path: Path) -> None:
    one = witness(tmp_path / "w")
    with grown(tmp_path / "log", 5) as ledger, grown(tmp_path / "short", 3) as short:
        show(one, ledger, 0)
        assert show(one, short, 3).status == HTTPStatus.CONFLICT
        request = write_request(5, (), short.checkpoint())
        assert one.add_checkpoint(request, NOW_S).status == HTTPStatus.BAD_REQUEST


def test_an_unknown_log_and_a_false_signature_are_not_cosigned(tmp_path: Path) -> None:
    one = witness(tmp_path / "w")
    stranger = Ledger.create(tmp_path / "s", "example.com/stranger", KEY)
    forger = Ledger.create(tmp_path / "f", ORIGIN, WITNESS_KEYS[0])
    with stranger, forger:
        assert show(one, stranger, 0).status == HTTPStatus.NOT_FOUND
        assert show(one, forger, 0).status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"old 1",
        b"old -1\n\n",
        b"old 01\n\n",
        b"old 1\nnot base64\n\n",
        b"old 0\n" + b"AAAA\n" * 64 + b"\n",
        b"old 0\n\n\xff\xfe",
        b"old 0\n\n" + b"x" * 100_000,
    ],
)
def test_a_malformed_request_is_answered_400(request_: bytes, tmp_path: Path) -> None:
    one = witness(tmp_path / "w")
    assert one.add_checkpoint(request_, NOW_S).status == HTTPStatus.BAD_REQUEST


def test_threat_09_of_two_requests_at_once_none_rolls_the_witness_back(tmp_path: Path) -> None:
    one = witness(tmp_path / "w")
    with grown(tmp_path / "log", 5) as ledger:
        show(one, ledger, 0)
        requests = []
        for _ in range(8):
            ledger.append_many([("t", sha256_hex(b"more"))], NOW_S)
            proof = ledger.prove_consistency(5)
            requests.append(write_request(5, proof, ledger.checkpoint()))
    answers: list[Response] = []
    start = threading.Barrier(len(requests))

    def ask(request: bytes) -> None:
        start.wait()
        answers.append(one.add_checkpoint(request, NOW_S))

    threads = [threading.Thread(target=ask, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [HTTPStatus.OK, *[HTTPStatus.CONFLICT] * 7]
    known = one.latest(ORIGIN)
    assert known is not None
    assert {answer.body for answer in answers if answer.status == HTTPStatus.CONFLICT} == {
        f"{known.size}\n".encode()
    }


def test_threat_09_a_quorum_is_counted_over_known_witnesses_only(tmp_path: Path) -> None:
    with grown(tmp_path / "log", 5) as ledger:
        note = ledger.checkpoint()
        stranger = Ed25519PrivateKey.from_private_bytes(bytes([99]) * 32)
        text = note.decode().split("\n\n")[0] + "\n"
        lines = [
            cosign(text, one.name, key, NOW_S)
            for one, key in zip(WITNESSES, WITNESS_KEYS, strict=True)
        ]
        unknown = cosign(text, "eyes.example/w9", stranger, NOW_S)
        posing = cosign(text, WITNESSES[1].name, stranger, NOW_S)
        for signed, enough in (
            ([], False),
            (lines[:1], False),
            ([lines[0], unknown, posing], False),
            (lines[:2], True),
            (lines, True),
        ):
            head = read_checkpoint(note + "".join(signed).encode(), *LOG[:2])
            if enough:
                assert len(check_quorum(head, TRUST)) == len(signed)
            else:
                with pytest.raises(UntrustedError, match="too few witnesses"):
                    check_quorum(head, TRUST)


def test_a_cosignature_of_another_checkpoint_or_time_refuses_the_note(tmp_path: Path) -> None:
    with grown(tmp_path / "log", 5) as ledger, grown(tmp_path / "other", 6) as other:
        text = other.checkpoint().decode().split("\n\n")[0] + "\n"
        line = cosign(text, WITNESSES[0].name, WITNESS_KEYS[0], NOW_S)
        with pytest.raises(UntrustedError):
            cosigned_at(ledger.checkpoint() + line.encode(), {"w0": WITNESSES[0]})
        assert cosigned_at(other.checkpoint() + line.encode(), {"w0": WITNESSES[0]})


def test_threat_09_a_proof_carries_the_quorum_and_is_checked_offline(tmp_path: Path) -> None:
    with grown(tmp_path / "log", 5) as ledger:
        bare = ledger.proof(3)
        body = b"".join(show(witness(tmp_path / f"w{n}", n), ledger, 0).body for n in range(2))
        ledger.keep_cosigned(ledger.checkpoint() + body)
        ledger.append_many([("t", sha256_hex(b"later"))], NOW_S)
        entry_bytes, proof = ledger.entry_bytes(3), ledger.proof(3)
        assert verify_proof(proof, entry_bytes, LOG, TRUST).index == 3
        with pytest.raises(UntrustedError, match="too few witnesses"):
            verify_proof(bare, entry_bytes, LOG, TRUST)
        with pytest.raises(UntrustedError, match="too few witnesses"):
            verify_proof(ledger.proof(5), ledger.entry_bytes(5), LOG, TRUST)


def test_threat_09_a_cosigned_checkpoint_of_another_history_is_not_kept(tmp_path: Path) -> None:
    with grown(tmp_path / "log", 5) as ledger, grown(tmp_path / "other", 5, "x") as other:
        with pytest.raises(UntrustedError):
            ledger.keep_cosigned(other.checkpoint())
        assert ledger.cosigned() is None


def test_groups_of_groups_are_counted() -> None:
    policy = read_trust(
        "".join(f"witness w{n} {write_vkey(one)}\n" for n, one in enumerate(WITNESSES))
        + "group pair any w0 w1\ngroup both all pair w2\nquorum both\n"
    )
    assert is_met(policy, {"w0", "w2"})
    assert not is_met(policy, {"w0", "w1"})
    assert is_met(read_trust("quorum none\n"), set())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum w0\n",
        "quorum none\nquorum none\n",
        "witnes w0 x\nquorum none\n",
        f"witness w0 {write_vkey(LOG)}\nquorum w0\n",
        f"witness none {write_vkey(WITNESSES[0])}\nquorum none\n",
        f"witness a {write_vkey(WITNESSES[0])}\nwitness b {write_vkey(WITNESSES[0])}\nquorum a\n",
        f"witness a {write_vkey(WITNESSES[0])}\ngroup g 2 a\nquorum g\n",
        f"witness a {write_vkey(WITNESSES[0])}\ngroup g 1 a a\nquorum g\n",
        f"witness a {write_vkey(WITNESSES[0])}\ngroup g 0 a\nquorum g\n",
        f"witness a {write_vkey(WITNESSES[0])}\ngroup g 1 b\nquorum g\n",
        f"witness a {write_vkey(WITNESSES[0])}\ngroup g any a\ngroup h any a\nquorum h\n",
    ],
)
def test_a_trust_policy_with_a_mistake_is_refused_whole(text: str) -> None:
    with pytest.raises(UsageError, match="trust policy"):
        read_trust(text)


def test_threat_09_one_witness_key_under_two_names_does_not_reach_a_quorum() -> None:
    twin = Verifier("eyes.example/twin", WITNESS_KEYS[0].public_key(), COSIGNATURE)
    with pytest.raises(UsageError, match="trust policy"):
        read_trust(
            f"witness a {write_vkey(WITNESSES[0])}\nwitness b {write_vkey(twin)}\n"
            "group g all a b\nquorum g\n"
        )
