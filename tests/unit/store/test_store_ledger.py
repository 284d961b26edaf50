from __future__ import annotations

import errno
import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credenza.core.canonical import canonical_json
from credenza.core.errors import ConflictError, NotFoundError, UntrustedError, UsageError
from credenza.core.types import Entry
from credenza.store.disk import write_durably
from credenza.store.ledger.audit import audit_ledger
from credenza.store.ledger.checkpoint import read_checkpoint, sign_checkpoint
from credenza.store.ledger.leaf import leaf_bytes
from credenza.store.ledger.ledger import Ledger
from credenza.store.ledger.note import Verifier
from credenza.store.ledger.proof import verify_proof
from credenza.store.ledger.tiles import Edge, grow
from credenza.store.ledger.tree import EMPTY_ROOT, fold_edge, verify_consistency

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORIGIN = "example.com/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key()
LOG = Verifier(ORIGIN, PUBLIC)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
TIME_S = 1_700_000_000


def digest_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def items(count: int, start: int = 0) -> list[tuple[str, str]]:
    return [("verdict", digest_of(number)) for number in range(start, start + count)]


def filled(directory: Path, *counts: int) -> Ledger:
    ledger = Ledger.create(directory, ORIGIN, KEY)
    for count in counts:
        ledger.append_many(items(count, ledger.size), TIME_S)
    return ledger


def assert_sound(directory: Path, size: int) -> None:
    with Ledger.open(directory, ORIGIN, PUBLIC) as ledger:
        audit = ledger.audit(PUBLIC)
        assert (audit.problems, audit.entries, audit.root) == ((), size, ledger.root)
        assert [entry.digest for entry in ledger.entries()] == [digest for _, digest in items(size)]


def tree_files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file() and path.name != "lock"}


def test_entries_come_back_in_order_with_their_index_and_time(tmp_path: Path) -> None:
    with filled(tmp_path / "log") as ledger:
        assert (ledger.size, ledger.root) == (0, EMPTY_ROOT)
        assert ledger.append_many([], TIME_S) == []
        first = ledger.append_many([("source", digest_of(1))], TIME_S)
        more = ledger.append_many(items(600), TIME_S + 1)
        assert first == [Entry(0, "source", digest_of(1), TIME_S)]
        assert [*first, *more] == list(ledger.entries())
        assert list(ledger.entries(255, 258)) == more[254:257]
        assert list(ledger.entries(601)) == []
        assert ledger.entry_bytes(0) == canonical_json(
            {"kind": "source", "digest": digest_of(1), "time_s": TIME_S}
        )


def test_a_ledger_opens_as_it_was_closed_at_every_tile_boundary(tmp_path: Path) -> None:
    for counts in ((255,), (255, 1), (255, 1, 1), (256, 256), (1, 511, 600)):
        directory = tmp_path / "-".join(map(str, counts))
        with filled(directory, *counts) as ledger:
            root = ledger.root
        with Ledger.open(directory, ORIGIN, KEY) as again:
            assert (again.size, again.root) == (sum(counts), root)
            again.append_many(items(3, again.size), TIME_S)
        assert_sound(directory, sum(counts) + 3)


def test_the_tree_does_not_depend_on_how_commits_were_grouped(tmp_path: Path) -> None:
    with filled(tmp_path / "a", 700) as a, filled(tmp_path / "b", *[100] * 7) as b:
        assert a.checkpoint() == b.checkpoint()


def test_partial_tiles_go_once_the_full_tile_is_durable(tmp_path: Path) -> None:
    with filled(tmp_path / "log", 100, 100) as ledger:
        early = Ledger.open(tmp_path / "log", ORIGIN, PUBLIC)
        partial = {path.parent.name for path in tree_files(tmp_path) if path.parent.suffix == ".p"}
        assert partial == {"000.p"}
        ledger.append_many(items(100, 200), TIME_S)
        names = {str(path.relative_to(tmp_path / "log")) for path in tree_files(tmp_path)}
    assert names == {
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    }
    # A reader that still stands at 200 reads the full tile in place of its partial one.
    assert [entry.digest for entry in early.entries()] == [digest for _, digest in items(200)]
    assert verify_proof(early.proof(7), early.entry_bytes(7), LOG).index == 7


def test_every_entry_has_a_proof_that_travels(tmp_path: Path) -> None:
    with filled(tmp_path / "log", 300) as ledger:
        for index in (0, 1, 254, 255, 256, 299):
            entry_bytes = ledger.entry_bytes(index)
            proof = ledger.proof(index)
            assert verify_proof(proof, entry_bytes, LOG) == next(ledger.entries(index))
            with pytest.raises(UntrustedError):
                verify_proof(proof, ledger.entry_bytes((index + 1) % 300), LOG)
            with pytest.raises(UntrustedError):
                verify_proof(proof, entry_bytes, Verifier("example.com/other", PUBLIC))
            with pytest.raises(UntrustedError):
                verify_proof(proof, entry_bytes, Verifier(ORIGIN, OTHER.public_key()))
        for index in (-1, 300):
            with pytest.raises(UsageError):
                ledger.proof(index)
            with pytest.raises(UsageError):
                ledger.entry_bytes(index)


def test_threat_10_a_proof_with_unauthenticated_extra_data_is_refused(tmp_path: Path) -> None:
    with filled(tmp_path / "log", 3) as ledger:
        head, rest = ledger.proof(1).split(b"\n", 1)
        with pytest.raises(UntrustedError):
            verify_proof(head + b"\nextra QQ==\n" + rest, ledger.entry_bytes(1), LOG)


def test_any_two_sizes_are_shown_to_be_one_history(tmp_path: Path) -> None:
    with filled(tmp_path / "log", 600) as ledger:
        for old, new in ((0, 0), (0, 600), (1, 600), (256, 257), (255, 511), (600, 600)):
            proof = ledger.prove_consistency(old, new)
            verify_consistency(old, ledger.root_at(old), new, ledger.root_at(new), proof)
        assert ledger.prove_consistency(300) == ledger.prove_consistency(300, 600)
        for old, new in ((2, 1), (0, 601), (-1, 600)):
            with pytest.raises(UsageError):
                ledger.prove_consistency(old, new)


@pytest.mark.parametrize(
    ("kind", "digest", "time_s"),
    [
        ("", digest_of(1), 1),
        ("Verdict", digest_of(1), 1),
        ('x"', digest_of(1), 1),
        ("verdict", "ab", 1),
        ("verdict", digest_of(1).upper(), 1),
        ("verdict", digest_of(1), -1),
        ("verdict", digest_of(1), True),
    ],
)
def test_a_malformed_entry_is_refused_with_all_of_its_group(
    tmp_path: Path, kind: str, digest: str, time_s: int
) -> None:
    with filled(tmp_path / "log", 1) as ledger:
        with pytest.raises(UsageError) as refused:
            ledger.append_many([*items(1), (kind, digest)], time_s)
        assert refused.value.code == "bad-entry"
        assert ledger.size == 1


def test_threat_11_a_second_writer_is_told_who_holds_the_ledger(tmp_path: Path) -> None:
    with filled(tmp_path / "log", 1) as ledger:
        with pytest.raises(ConflictError) as refused:
            Ledger.open(tmp_path / "log", ORIGIN, KEY)
        assert refused.value.code == "ledger-busy"
        assert str(os.getpid()) in refused.value.why
        assert str(os.getpid()) in refused.value.fix
        assert Ledger.open(tmp_path / "log", ORIGIN, PUBLIC).size == 1
        ledger.close()
        Ledger.open(tmp_path / "log", ORIGIN, KEY).close()


def test_a_reader_cannot_write_and_a_closed_writer_neither(tmp_path: Path) -> None:
    ledger = filled(tmp_path / "log", 1)
    ledger.close()
    for one in (ledger, Ledger.open(tmp_path / "log", ORIGIN, PUBLIC)):
        with pytest.raises(UsageError) as refused:
            one.append_many(items(1), TIME_S)
        assert refused.value.code == "read-only-ledger"


def test_a_ledger_is_created_once_and_must_exist_to_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Ledger.open(tmp_path / "nowhere", ORIGIN, KEY)
    assert not (tmp_path / "nowhere").exists()
    filled(tmp_path / "log").close()
    with pytest.raises(ConflictError) as refused:
        Ledger.create(tmp_path / "log", ORIGIN, KEY)
    assert refused.value.code == "ledger-exists"
    Ledger.open(tmp_path / "log", ORIGIN, KEY).close()


def test_a_ledger_of_another_name_or_key_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "log", 1).close()
    for origin, key in (("example.com/other", KEY), (ORIGIN, OTHER)):
        with pytest.raises(UntrustedError):
            Ledger.open(tmp_path / "log", origin, key)
    assert Ledger.open(tmp_path / "log", ORIGIN).size == 1


def test_threat_09_a_reader_follows_the_ledger_only_along_one_history(tmp_path: Path) -> None:
    with filled(tmp_path / "log", 5) as ledger:
        reader = Ledger.open(tmp_path / "log", ORIGIN, PUBLIC)
        ledger.append_many(items(300, 5), TIME_S)
        assert reader.size == 5
        assert reader.refresh() == ledger.refresh() == 305
        assert reader.root == ledger.root
    shrunken, forked = tmp_path / "shrunken", tmp_path / "forked"
    filled(shrunken, 4).close()
    with Ledger.create(forked, ORIGIN, KEY) as fork:
        fork.append_many(items(400, 9), TIME_S)
    for other, complaint in ((shrunken, "shrank"), (forked, "no prefix")):
        shutil.rmtree(tmp_path / "log")
        shutil.copytree(other, tmp_path / "log")
        with pytest.raises(UntrustedError) as refused:
            reader.refresh()
        assert complaint in refused.value.why
        assert reader.size == 305


def alter(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def flip_middle(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_threat_09_an_audit_finds_any_altered_missing_or_padded_file(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    filled(directory, 70, 530).close()
    names = sorted(tree_files(directory))
    assert len(names) == 8
    for name in names:
        intact = name.read_bytes()
        for change in (flip_middle, lambda data: data[:-1], lambda data: data + b"\0"):
            alter(name, change)
            assert audit_ledger(directory, ORIGIN, PUBLIC).problems, name
            name.write_bytes(intact)
        if name.name != "checkpoint":
            name.unlink()
            assert audit_ledger(directory, ORIGIN, PUBLIC).problems, name
            name.write_bytes(intact)
    assert_sound(directory, 600)


def test_an_audit_names_the_file_and_still_looks_at_the_rest(tmp_path: Path) -> None:
    filled(tmp_path, 600).close()
    (tmp_path / "tile/entries/000").unlink()
    alter(tmp_path / "tile/0/001", flip_middle)
    audit = audit_ledger(tmp_path, ORIGIN, PUBLIC)
    assert [problem.split(" ")[0] for problem in audit.problems] == [
        "tile/entries/000",
        "tile/0/001",
    ]
    (tmp_path / "tile/0/000").unlink()
    assert "nothing after it" in audit_ledger(tmp_path, ORIGIN, PUBLIC).problems[-1]


def test_threat_09_an_audit_sees_an_entry_and_its_tiles_altered_together(tmp_path: Path) -> None:
    filled(tmp_path / "log", 300).close()
    with filled(tmp_path / "forged", 5) as forged:
        forged.append_many(items(295, 6), TIME_S)
    (tmp_path / "forged/checkpoint").write_bytes((tmp_path / "log/checkpoint").read_bytes())
    audit = audit_ledger(tmp_path / "forged", ORIGIN, PUBLIC)
    assert "the checkpoint signs root" in audit.problems[0]


def test_threat_09_an_audit_is_blind_to_a_history_that_the_operator_signed_afresh(
    tmp_path: Path,
) -> None:
    with filled(tmp_path / "log", 5) as ledger, Ledger.create(tmp_path / "b", ORIGIN, KEY) as fork:
        fork.append_many(items(9, 50), TIME_S)
        assert fork.audit(PUBLIC).problems == ()
        proof = fork.prove_consistency(5)
        with pytest.raises(UntrustedError):
            verify_consistency(5, ledger.root, 9, fork.root, proof)


def test_an_audit_reports_entries_that_are_no_entries(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    filled(directory).close()
    growth = grow(Edge(), [b'{"kind":"x"}', leaf_bytes("verdict", digest_of(1), TIME_S)])
    write_durably(directory, growth.files)
    head = sign_checkpoint(ORIGIN, 2, fold_edge(growth.edge.rows), KEY)
    (directory / "checkpoint").write_bytes(head.note)
    audit = audit_ledger(directory, ORIGIN, PUBLIC)
    assert audit.problems == ("entry 0 is malformed",)
    with pytest.raises(UntrustedError) as refused:
        list(Ledger.open(directory, ORIGIN, PUBLIC).entries())
    assert refused.value.code == "bad-entry"


def test_threat_10_altered_tiles_open_nothing_and_prove_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 600).close()
    reader = Ledger.open(tmp_path, ORIGIN, PUBLIC)
    alter(tmp_path / "tile/0/000", flip_middle)
    for ask in (
        lambda: reader.proof(1),
        lambda: reader.prove_consistency(100),
        lambda: list(reader.entries()),
    ):
        with pytest.raises(UntrustedError) as refused:
            ask()
        assert refused.value.code == "ledger-altered"
    alter(tmp_path / "tile/1/000.p/2", flip_middle)
    with pytest.raises(UntrustedError):
        Ledger.open(tmp_path, ORIGIN, PUBLIC)


OS_CALLS = ("write", "fsync", "replace", "mkdir", "open")


def failing_at(monkeypatch: pytest.MonkeyPatch, step: int, wrong: BaseException) -> list[str]:
    """Let the ``step``-th change to the disk fail, as on a full disk or in a crash."""
    done: list[str] = []
    steps = itertools.count(1)

    def failing(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            done.append(name)
            if next(steps) == step:
                raise wrong
            return real(*arguments, **named)

        return call

    for name in OS_CALLS:
        monkeypatch.setattr(os, name, failing(name, getattr(os, name)))
    return done


def test_threat_11_a_full_disk_at_any_step_loses_nothing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "log"
    ledger = filled(directory)
    full = OSError(errno.ENOSPC, "No space left on device")
    refusals = unconfirmed = 0
    for step in range(1, 100):
        size, before = ledger.size, tree_files(directory)
        with monkeypatch.context() as patch:
            done = failing_at(patch, step, full)
            try:
                ledger.append_many(items(3, size), TIME_S)
            except ConflictError as refused:
                wrong = refused
        if len(done) < step:
            break
        assert wrong.code == "disk-full"
        if ledger.size == size:
            refusals += 1
            assert tree_files(directory) == before
        else:
            unconfirmed += 1
            assert "were appended, but" in wrong.what
        assert_sound(directory, ledger.size)
    assert refusals >= 15
    assert unconfirmed == 2
    ledger.append_many(items(300, ledger.size), TIME_S)
    assert_sound(directory, 300 + 3 * 3)


class PowerCut(BaseException):
    """Stops everything, cleaning up included."""


def test_threat_11_a_crash_at_any_step_leaves_what_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "log"
    filled(directory, 254).close()
    step, acknowledged = 0, 254
    while True:
        step += 1
        ledger = Ledger.open(directory, ORIGIN, KEY)
        assert ledger.size in (acknowledged, acknowledged + 3)
        acknowledged = ledger.size
        with monkeypatch.context() as patch:
            done = failing_at(patch, step, PowerCut())
            try:
                ledger.append_many(items(3, acknowledged), TIME_S)
            except PowerCut:
                pass
            else:
                assert len(done) < step
                ledger.close()
                break
        ledger.close()
        assert_sound(directory, Ledger.open(directory, ORIGIN, PUBLIC).size)
    assert step >= 15
    assert_sound(directory, acknowledged + 3)


APPENDING = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hashlib import sha256
from credenza.store.disk import write_durably
from credenza.store.ledger.audit import audit_ledger
from credenza.store.ledger.checkpoint import read_checkpoint, sign_checkpoint
from credenza.store.ledger.leaf import leaf_bytes
from credenza.store.ledger.ledger import Ledger
key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ledger = Ledger.open(Path(sys.argv[1]), "example.com/log", key)
while True:
    many = [ledger.size + more for more in range(ledger.size % 7 + 1)]
    ledger.append_many([("verdict", sha256(b"%d" % n).hexdigest()) for n in many], 1_700_000_000)
    print(ledger.size, flush=True)
"""


def test_threat_11_whatever_was_acknowledged_before_a_kill_is_in_the_ledger(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    filled(directory).close()
    rng = random.Random(7)  # noqa: S311  # no secret
    for _ in range(10):
        command = [sys.executable, "-c", APPENDING, str(directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            acknowledged = [int(writer.stdout.readline()) for _ in range(rng.randint(1, 60))]
            writer.send_signal(signal.SIGKILL)
            acknowledged += [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]
        with Ledger.open(directory, ORIGIN, KEY) as survived:
            size = survived.size
        assert size >= acknowledged[-1]
        assert_sound(directory, size)


def mutants(data: bytes, rng: random.Random, count: int) -> set[bytes]:
    """Different bytes: bits flipped, bytes or lines dropped, doubled, swapped or cut off."""
    found: set[bytes] = set()
    while len(found) < count:
        at, to = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
        lines = data.split(b"\n")
        one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
        swapped = lines.copy()
        swapped[one], swapped[two] = lines[two], lines[one]
        found.add(
            rng.choice(
                (
                    data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
                    data[:at] + bytes([rng.randrange(256)]) + data[at:],
                    data[:at] + data[at + 1 :],
                    data[:at] + data[to:],
                    data[:to] + data[at:],
                    data[:at],
                    b"\n".join(swapped),
                    b"\n".join([*lines[:one], *lines[one + 1 :]]),
                    b"\n".join([*lines[: one + 1], *lines[one:]]),
                )
            )
        )
        found.discard(data)
    return found


def test_threat_10_thousands_of_mutated_proofs_and_checkpoints_are_refused(tmp_path: Path) -> None:
    rng = random.Random(11)  # noqa: S311  # no secret
    refused = 0
    with filled(tmp_path / "log", 300) as ledger:
        checkpoint = ledger.checkpoint()
        for index in (0, 63, 256, 299):
            entry_bytes, proof = ledger.entry_bytes(index), ledger.proof(index)
            for mutant in mutants(proof, rng, 500):
                with pytest.raises(UntrustedError):
                    verify_proof(mutant, entry_bytes, LOG)
                refused += 1
            for mutant in mutants(entry_bytes, rng, 200):
                with pytest.raises(UntrustedError):
                    verify_proof(proof, mutant, LOG)
                refused += 1
    for mutant in mutants(checkpoint, rng, 500):
        with pytest.raises(UntrustedError):
            read_checkpoint(mutant, ORIGIN, PUBLIC)
        refused += 1
    assert refused == 3300
