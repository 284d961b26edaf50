from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import socket
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from credenza.core import dsse
from credenza.core.canonical import MAX_BYTES, canonical_json, sha256_hex
from credenza.core.errors import ConflictError, NotFoundError, UntrustedError, UsageError
from credenza.core.keys import keyid_of, public_hex
from credenza.datasets.attestation import (
    ATTESTATION,
    Recalls,
    is_release_name,
    read_attestation,
    read_recalls,
    sign_recalls,
)
from credenza.datasets.release import Claim, write_release
from credenza.datasets.verify_release import verify_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.datasets.conftest import Publish

    from credenza.core.types import Release
    from credenza.datasets.versions import LanceDatasets

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUST = [public_hex(KEY)]
CLAIM = Claim("flights", 2, "f" * 64, "credenza/home\n42\nabc=\n", "2026-01-02T03:04:05Z")
PART = "part-00000.parquet"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "release"


@pytest.fixture
def released(store: LanceDatasets, publish: Publish, directory: Path) -> Release:
    publish(1, 2)
    return write_release(directory, store.read("flights", 2), CLAIM, KEY, rows_per_file=4)


def refused(directory: Path, code: str, **options: object) -> UntrustedError:
    with pytest.raises(UntrustedError) as caught:
        verify_release(directory, trust=TRUST, **options)  # type: ignore[arg-type]  # options vary
    assert caught.value.code == code, str(caught.value)
    assert caught.value.exit_code == 3
    assert caught.value.why
    assert caught.value.fix
    return caught.value


def resigned(directory: Path, change: Callable[[dict[str, object]], object]) -> None:
    """A hostile holder of the trusted key: the statement altered and signed again."""
    path = directory / ATTESTATION
    signed = dsse.verify(path.read_bytes(), TRUST)
    statement = json.loads(signed.payload)
    change(statement)
    path.write_bytes(dsse.sign(canonical_json(statement), [KEY]))


def test_an_untouched_release_verifies_as_it_was_made(
    released: Release, directory: Path, store: LanceDatasets
) -> None:
    assert verify_release(directory, trust=TRUST) == released
    assert released.rows == 8
    assert released.batches == (f"{1:064x}", f"{2:064x}")
    assert (released.dataset, released.version, released.policy) == ("flights", 2, "f" * 64)
    names = [file.name for file in released.files]
    assert names == [PART, "part-00001.parquet"]
    assert {path.name for path in directory.iterdir()} == {*names, ATTESTATION}
    there = [repr(row) for row in pq.read_table(directory).to_pylist()]
    assert there == [repr(row) for part in store.read("flights") for row in part.to_pylist()]


def test_the_attestation_is_an_in_toto_statement_with_the_checkpoint(
    released: Release, directory: Path
) -> None:
    envelope = (directory / ATTESTATION).read_bytes()
    attested = read_attestation(envelope, TRUST)
    assert attested.release == released
    assert attested.checkpoint == CLAIM.checkpoint
    assert attested.created == CLAIM.created
    assert attested.keyid == keyid_of(TRUST[0])
    payload = dsse.verify(envelope, TRUST).payload
    assert json.loads(payload)["_type"] == "https://in-toto.io/Statement/v1"
    assert sha256_hex(payload) == released.digest


def test_one_trusted_key_among_several_is_enough(released: Release, directory: Path) -> None:
    assert verify_release(directory, trust=[public_hex(OTHER), *TRUST]) == released


def test_threat_12_a_missing_attestation_and_a_missing_file_are_named(
    released: Release, directory: Path
) -> None:
    (directory / PART).unlink()
    assert PART in refused(directory, "release-file-missing").why
    (directory / ATTESTATION).unlink()
    assert ATTESTATION in refused(directory, "release-file-missing").why
    assert released.files


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize(
    "name",
    [
        "extra.parquet",
        ".hidden.parquet",
        "PART-00000.parquet",
        "part-00000.parquet ",
        "part-00000.parquet\n",
        "part-00000\r.parquet",
        unicodedata.normalize("NFC", "p\u00e4rt.parquet"),
        unicodedata.normalize("NFD", "pärt.parquet"),
        "p\u0430rt-00000.parquet",
        "part-00000.parquet\u202e",
        "_metadata",
    ],
    ids=ascii,
)
def test_threat_12_an_added_file_is_refused_whatever_it_is_called(
    directory: Path, name: str
) -> None:
    (directory / name).write_bytes((directory / PART).read_bytes())
    wrong = refused(directory, "release-file-added")
    assert wrong.why.isascii()
    assert "\n" not in wrong.why


@pytest.mark.usefixtures("released")
def test_a_file_with_bytes_that_are_no_text_is_refused_in_a_readable_message(
    directory: Path,
) -> None:
    Path(os.fsdecode(os.fsencode(directory) + b"/\xff\x1b[31m.parquet")).write_bytes(b"x")
    assert "\x1b" not in str(refused(directory, "release-file-added"))


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("folder", [".git", "data", "part-00000"])
def test_threat_12_a_folder_is_refused_even_when_it_is_hidden_or_empty(
    directory: Path, folder: str
) -> None:
    (directory / folder).mkdir()
    refused(directory, "release-file-added")
    (directory / folder / "x.parquet").write_bytes((directory / PART).read_bytes())
    refused(directory, "release-file-added")


@pytest.mark.usefixtures("released")
def test_threat_12_swapped_files_are_refused(directory: Path) -> None:
    first, second = (directory / f"part-0000{number}.parquet" for number in (0, 1))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    refused(directory, "release-file-altered")


@given(data=st.data())
def test_threat_12_no_changed_bit_of_a_file_passes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("release")
    content = bytes(range(40))
    (directory / "a.parquet").write_bytes(content)
    (directory / ATTESTATION).write_bytes(signed_by_hand({"a.parquet": content}))
    verify_release(directory, trust=TRUST)
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    (directory / "a.parquet").write_bytes(changed)
    refused(directory, "release-file-altered")


def signed_by_hand(files: dict[str, bytes]) -> bytes:
    """An attestation without Parquet, as a hostile or careless maker could sign it."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": sha256_hex(data)}} for name, data in files.items()
        ],
        "predicateType": "urn:credenza:release:1",
        "predicate": {
            "dataset": "flights",
            "version": 1,
            "rows": len(files),
            "batches": [],
            "files": {name: {"size": len(data), "rows": 1} for name, data in files.items()},
            "policy": "",
            "checkpoint": "",
            "created": "2026-01-02T03:04:05Z",
            "expires": "",
        },
    }
    return dsse.sign(canonical_json(statement), [KEY])  # type: ignore[arg-type]  # JSON, widened


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("change", [b"x", b"", None], ids=["longer", "empty", "shorter"])
def test_another_size_is_refused_before_anything_is_hashed(
    directory: Path, change: bytes | None
) -> None:
    data = (directory / PART).read_bytes()
    (directory / PART).write_bytes(data[:-1] if change is None else change and data + change)
    assert "bytes, not" in refused(directory, "release-file-altered").why


@pytest.mark.usefixtures("released")
def test_a_file_of_a_terabyte_is_refused_without_reading_it(directory: Path) -> None:
    os.truncate(directory / PART, 2**40)
    assert str(2**40) in refused(directory, "release-file-altered").why


@pytest.mark.usefixtures("released")
def test_an_oversize_attestation_is_refused_without_reading_it(directory: Path) -> None:
    os.truncate(directory / ATTESTATION, 2**40)
    assert str(MAX_BYTES) in refused(directory, "release-bad-attestation").why


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("name", [PART, ATTESTATION])
def test_threat_12_a_symlink_is_refused_even_when_it_leads_to_the_right_bytes(
    directory: Path, tmp_path: Path, name: str
) -> None:
    (directory / name).rename(tmp_path / "elsewhere")
    (directory / name).symlink_to(tmp_path / "elsewhere")
    refused(directory, "release-not-regular")


@pytest.mark.usefixtures("released")
def test_threat_12_a_pipe_a_folder_and_a_socket_under_a_file_name_are_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = directory / PART
    path.unlink()
    os.mkfifo(path)
    refused(directory, "release-not-regular")
    path.unlink()
    path.mkdir()
    refused(directory, "release-not-regular")
    path.rmdir()
    monkeypatch.chdir(directory)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(PART)
        refused(directory, "release-not-regular")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x.parquet",
        "/etc/passwd",
        "a/b.parquet",
        "a\\b.parquet",
        ".git/x.parquet",
        ".x.parquet",
        "a..parquet",
        "a.parquet.",
        "a.parquet\n",
        "a\nb.parquet",
        "a\0.parquet",
        "A.parquet",
        "a b.parquet",
        "-a.parquet",
        "pärt.parquet",
        "c:x.parquet",
        "x" * 129,
        ATTESTATION,
    ],
    ids=ascii,
)
def test_threat_12_an_attestation_cannot_name_what_no_release_may_hold(
    tmp_path: Path, name: str
) -> None:
    assert not is_release_name(name)
    (tmp_path / ATTESTATION).write_bytes(signed_by_hand({"a.parquet": b"", name: b""}))
    (tmp_path / "a.parquet").write_bytes(b"")
    refused(tmp_path, "release-bad-name")


@pytest.mark.parametrize(
    "name", ["a", "part-00000.parquet", "0", "a_b-c.tar.gz", "x" * 128, "con.parquet"]
)
def test_a_plain_name_is_allowed(name: str) -> None:
    assert is_release_name(name)


@pytest.mark.usefixtures("released")
def test_a_key_that_is_not_trusted_is_refused(directory: Path) -> None:
    with pytest.raises(UntrustedError) as caught:
        verify_release(directory, trust=[public_hex(OTHER)])
    assert caught.value.code == "unknown-key"


@pytest.mark.usefixtures("released")
def test_nothing_verifies_without_a_trusted_key(directory: Path) -> None:
    with pytest.raises(UsageError) as caught:
        verify_release(directory, trust=[])
    assert caught.value.code == "no-trusted-key"


@pytest.mark.usefixtures("released")
def test_a_key_that_anyone_can_sign_with_is_never_trusted(directory: Path) -> None:
    with pytest.raises(UntrustedError) as caught:
        verify_release(directory, trust=[*TRUST, "0" * 64])
    assert caught.value.code == "bad-key"


@pytest.mark.usefixtures("released")
def test_a_release_has_one_signer_even_when_two_are_trusted(directory: Path) -> None:
    path = directory / ATTESTATION
    path.write_bytes(dsse.sign(dsse.verify(path.read_bytes(), TRUST).payload, [KEY, OTHER]))
    with pytest.raises(UntrustedError) as caught:
        verify_release(directory, trust=[*TRUST, public_hex(OTHER)])
    assert caught.value.code == "release-bad-attestation"


@pytest.mark.usefixtures("released")
def test_threat_12_an_altered_attestation_is_refused(directory: Path) -> None:
    path = directory / ATTESTATION
    envelope = json.loads(path.read_bytes())
    forged = {**envelope, "payloadType": "application/json"}
    path.write_bytes(canonical_json(forged))
    refused(directory, "bad-envelope")
    path.write_bytes(canonical_json(envelope) + b"\n")
    refused(directory, "bad-envelope")
    path.write_bytes(dsse.sign(b"{}", [KEY], payload_type="application/json"))
    refused(directory, "bad-envelope")
    path.write_bytes(dsse.sign(b"{}", [KEY]))
    refused(directory, "release-bad-attestation")


def _edit(*path: str | int, to: object) -> Callable[[dict[str, object]], object]:
    def edit(statement: dict[str, object]) -> None:
        place: object = statement
        for step in path[:-1]:
            place = place[step]  # type: ignore[index]  # JSON
        place[path[-1]] = to  # type: ignore[index]  # JSON

    return edit


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize(
    "change",
    [
        _edit("_type", to="https://in-toto.io/Statement/v0.1"),
        _edit("predicateType", to="https://slsa.dev/provenance/v1"),
        _edit("extra", to=1),
        _edit("subject", to={}),
        _edit("subject", to=[]),
        _edit("subject", 1, "name", to=PART),
        _edit("subject", 1, "name", to="part-00002.parquet"),
        _edit("subject", 0, "digest", "sha512", to="0"),
        _edit("subject", 0, "digest", "sha256", to="F" * 64),
        _edit("subject", 0, "digest", "sha256", to="f" * 64 + "\n"),
        _edit("predicate", "rows", to=9),
        _edit("predicate", "rows", to=True),
        _edit("predicate", "version", to=-1),
        _edit("predicate", "version", to="2"),
        _edit("predicate", "dataset", to=None),
        _edit("predicate", "batches", to=["b" * 64, "a" * 64]),
        _edit("predicate", "batches", to=["a" * 64, "a" * 64]),
        _edit("predicate", "batches", to=["a"]),
        _edit("predicate", "files", to=[]),
        _edit("predicate", "files", PART, "mode", to=1),
        _edit("predicate", "files", "part-00002.parquet", to={"size": 1, "rows": 0}),
        _edit("predicate", "note", to=""),
    ],
)
def test_a_statement_of_another_shape_is_refused_even_when_signed(
    directory: Path, change: Callable[[dict[str, object]], object]
) -> None:
    resigned(directory, change)
    refused(directory, "release-bad-attestation")


def test_threat_14_a_recalled_release_is_refused_with_the_reason(
    released: Release, directory: Path
) -> None:
    wrong = refused(directory, "release-recalled", recalls={released.digest: "label flips"})
    assert wrong.why == "label flips"
    assert verify_release(directory, trust=TRUST, recalls={"0" * 64: "another"}) == released


def test_threat_14_a_signed_list_of_recalls_travels(released: Release, directory: Path) -> None:
    told = Recalls({released.digest: "label flips"}, "2026-02-01T00:00:00Z")
    envelope = sign_recalls(told, KEY)
    assert read_recalls(envelope, TRUST) == told
    refused(directory, "release-recalled", recalls=read_recalls(envelope, TRUST).reasons)
    for forged in (sign_recalls(told, OTHER), envelope.replace(b"a", b"b"), b"{}"):
        with pytest.raises(UntrustedError):
            read_recalls(forged, TRUST)
    for wrong in (Recalls({"not a digest": "x"}, told.created), Recalls({}, "yesterday")):
        with pytest.raises(UntrustedError):
            read_recalls(sign_recalls(wrong, KEY), TRUST)


def test_threat_14_an_expired_release_is_refused_from_its_day_on(
    store: LanceDatasets, publish: Publish, directory: Path
) -> None:
    publish(1, 2)
    claim = dataclasses.replace(CLAIM, expires="2026-03-01T00:00:00Z")
    write_release(directory, store.read("flights", 2), claim, KEY)
    day = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert verify_release(directory, trust=TRUST, now=day - dt.timedelta(seconds=1)).version == 2
    assert refused(directory, "release-expired", now=day).why.endswith("2026-03-01T00:00:00Z")
    refused(directory, "release-expired")


def test_threat_14_a_recall_still_holds_when_the_statement_is_signed_by_another_trusted_key(
    released: Release, directory: Path
) -> None:
    path = directory / ATTESTATION
    payload = dsse.verify(path.read_bytes(), TRUST).payload
    path.write_bytes(dsse.sign(payload, [OTHER]))
    with pytest.raises(UntrustedError) as caught:
        verify_release(
            directory,
            trust=[*TRUST, public_hex(OTHER)],
            recalls={released.digest: "label flips"},
        )
    assert caught.value.code == "release-recalled"


def test_threat_13_a_verified_copy_keeps_its_bytes_when_the_original_is_swapped(
    released: Release, directory: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "kept" / "copy"
    assert verify_release(directory, trust=TRUST, copy_to=copy) == released
    (directory / PART).write_bytes(b"swapped")
    assert verify_release(copy, trust=TRUST) == released
    assert sha256_hex((copy / PART).read_bytes()) == released.files[0].sha256
    assert not (copy / PART).stat().st_mode & 0o222
    with pytest.raises(ConflictError, match="already exists"):
        verify_release(copy, trust=TRUST, copy_to=copy)


@pytest.mark.usefixtures("released")
def test_threat_13_nothing_is_kept_of_a_release_that_fails(directory: Path, tmp_path: Path) -> None:
    path = directory / "part-00001.parquet"
    path.write_bytes(path.read_bytes()[::-1])
    refused(directory, "release-file-altered", copy_to=tmp_path / "kept" / "copy")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_directory_that_does_not_exist_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        verify_release(tmp_path / "none", trust=TRUST)
    assert caught.value.code == "no-such-release"
    assert caught.value.why


def test_an_older_release_of_the_same_signer_passes_which_is_why_the_version_is_returned(
    store: LanceDatasets, publish: Publish, tmp_path: Path
) -> None:
    """What verification is blind to."""
    publish(1, 2)
    for version in (1, 2):
        claim = Claim("flights", version, "f" * 64, "", "2026-01-02T03:04:05Z")
        out = tmp_path / str(version)
        write_release(out, store.read("flights", version), claim, KEY)
    assert verify_release(tmp_path / "1", trust=TRUST).version == 1


def test_verifying_loads_nothing_but_the_standard_library_and_cryptography(
    released: Release, directory: Path
) -> None:
    code = """
import sys
from pathlib import Path
from credenza.datasets.verify_release import verify_release
print(verify_release(Path(sys.argv[1]), trust=[sys.argv[2]]).digest)
tops = {name.partition(".")[0] for name in sys.modules}
allowed = sys.stdlib_module_names | {"credenza", "cryptography", "_cffi_backend", "__main__"}
started = {"sitecustomize", "usercustomize"}
print(*sorted(top for top in tops - allowed - started if not top.startswith("_")))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(directory), TRUST[0]],
        check=True,
        capture_output=True,
        text=True,
    )
    digest, loaded = done.stdout.split("\n")[:2]
    assert digest == released.digest
    assert not {"pyarrow", "lance", "numpy", "sqlalchemy"} & set(loaded.split())
    assert loaded == ""


def test_a_release_is_not_written_over_something_else(
    released: Release, store: LanceDatasets, directory: Path
) -> None:
    with pytest.raises(ConflictError, match="already exists"):
        write_release(directory, store.read("flights"), CLAIM, KEY)
    assert verify_release(directory, trust=TRUST) == released


def test_a_release_without_rows_or_lineage_leaves_nothing_behind(
    store: LanceDatasets, publish: Publish, tmp_path: Path
) -> None:
    publish(1)
    with pytest.raises(UsageError, match="no rows to release"):
        write_release(tmp_path / "out", iter(()), CLAIM, KEY)
    bare = store.read("flights", columns=["delay"])
    with pytest.raises(UsageError, match="which batch"):
        write_release(tmp_path / "out", bare, CLAIM, KEY)
    assert [path.name for path in tmp_path.iterdir()] == ["datasets"]


def test_the_same_version_and_claim_give_the_same_release(
    released: Release, store: LanceDatasets, tmp_path: Path
) -> None:
    again = write_release(tmp_path / "again", store.read("flights", 2), CLAIM, KEY, rows_per_file=4)
    assert again == released
