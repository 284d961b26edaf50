from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from credenza.core.errors import CredenzaError, UntrustedError, UsageError
from credenza.store.ledger.checkpoint import read_checkpoint, sign_checkpoint
from credenza.store.ledger.note import key_id, open_note, sign_note, strict_base64
from credenza.store.ledger.tree import EMPTY_ROOT

ORIGIN = "example.com/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key()
ROOT = hashlib.sha256(b"root").digest()

# From the tests of golang.org/x/mod/sumdb/note, made by another implementation.
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501  # one line of the note
).encode()
GO_KEY = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")


def test_a_note_by_another_implementation_verifies_and_is_made_alike() -> None:
    public = Ed25519PublicKey.from_public_bytes(GO_KEY[1:])
    assert key_id("PeterNeumann", public).hex() == "c74f20a3"
    text = open_note(GO_NOTE, "PeterNeumann", public)
    private = Ed25519PrivateKey.from_private_bytes(GO_SEED[1:])
    assert sign_note(text, "PeterNeumann", private) == GO_NOTE


def test_a_note_with_blank_lines_in_its_text_comes_back_whole() -> None:
    text = "one\n\n\ntwo — three\n"
    assert open_note(sign_note(text, ORIGIN, KEY), ORIGIN, PUBLIC) == text


def test_only_the_expected_key_and_name_count() -> None:
    note = sign_note("text\n", ORIGIN, KEY)
    for name, key in ((ORIGIN, OTHER.public_key()), ("example.com/other", PUBLIC)):
        with pytest.raises(UntrustedError):
            open_note(note, name, key)


def test_cosignatures_of_others_are_ignored_and_cannot_stand_in() -> None:
    ours, theirs = sign_note("text\n", ORIGIN, KEY), sign_note("text\n", "witness.example", OTHER)
    line = theirs.split(b"\n\n")[1]
    assert open_note(ours + line, ORIGIN, PUBLIC) == "text\n"
    with pytest.raises(UntrustedError):
        open_note(theirs, ORIGIN, PUBLIC)


@pytest.mark.parametrize(
    "damage",
    [
        lambda note: note.replace(b"text", b"Text"),
        lambda note: note + note.split(b"\n\n")[1],
        lambda note: note[:-1],
        lambda note: note + b"\n",
        lambda note: note.replace(b"\n\n", b"\n"),
        lambda note: note.replace(b"\n", b"\r\n"),
        lambda note: b"\xef\xbb\xbf" + note,
        lambda note: note + b"rubbish\n",
        lambda note: note + "— x QQ==\n".encode(),
        lambda note: note.replace(b"text", b"te\0xt"),
        lambda note: note.replace(b"text", b"te\xffxt"),
        lambda note: note + "— x QUFBQUFB\n".encode() * 64,
        lambda note: b"x" * 70_000 + note,
        lambda _: b"",
    ],
)
def test_threat_10_a_damaged_note_is_refused(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(UntrustedError):
        open_note(damage(sign_note("text\n", ORIGIN, KEY)), ORIGIN, PUBLIC)


def test_base64_has_one_spelling() -> None:
    assert strict_base64("QQ==") == b"A"
    for text in ("QR==", "QQ=", "QQ", "QQ==\n", "Q Q==", "QQ-_", "=QQ=", "Ü"):
        with pytest.raises(UntrustedError):
            strict_base64(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\0b"])
def test_a_name_that_breaks_the_format_cannot_sign(name: str) -> None:
    with pytest.raises(UsageError):
        sign_note("text\n", name, KEY)


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n", "a\rb\n"])
def test_a_text_that_breaks_the_format_cannot_be_signed(text: str) -> None:
    with pytest.raises(UsageError):
        sign_note(text, ORIGIN, KEY)


def test_a_checkpoint_comes_back_as_signed() -> None:
    made = sign_checkpoint(ORIGIN, 7, ROOT, KEY)
    assert made.note.split(b"\n")[:3] == [ORIGIN.encode(), b"7", base64.b64encode(ROOT)]
    assert read_checkpoint(made.note, ORIGIN, PUBLIC) == made
    assert read_checkpoint(made.note, ORIGIN, None) == made


ROOT_TEXT = base64.b64encode(ROOT).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"other.example\n7\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n07\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n-7\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n\u0667\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n9999999999999999\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n0\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n7\n{ROOT_TEXT}\nextension\n",
        f"{ORIGIN}\n7\n\n",
        f"{ORIGIN}\n7\n{base64.b64encode(ROOT[:31]).decode()}\n",
        f"{ORIGIN}\n7\n{ROOT_TEXT[:-2]}B=\n",
    ],
)
def test_threat_10_even_a_signed_checkpoint_must_have_the_one_form(text: str) -> None:
    note = sign_note(text, ORIGIN, KEY)
    for key in (PUBLIC, None):
        with pytest.raises(UntrustedError):
            read_checkpoint(note, ORIGIN, key)


def test_the_empty_tree_has_one_root() -> None:
    assert read_checkpoint(sign_checkpoint(ORIGIN, 0, EMPTY_ROOT, KEY).note, ORIGIN, PUBLIC)


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(CredenzaError, match="fix: fetch it again"):
        read_checkpoint(b"", ORIGIN, PUBLIC)
