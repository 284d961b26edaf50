from __future__ import annotations

import copy
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from credenza.core import dsse
from credenza.core.errors import NotFoundError, UsageError
from credenza.provenance.keys_token import token_key

if TYPE_CHECKING:
    from credenza.provenance.keys import SigningKey

pkcs11 = pytest.importorskip("pkcs11", reason="the extra pkcs11 is not installed")

MODULES = [
    path
    for path in (
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    )
    if Path(path).exists()
]
TOOL = shutil.which("softhsm2-util")
if not MODULES or TOOL is None:
    pytest.skip("softhsm2 is not installed", allow_module_level=True)

PIN, LABEL = "1234", "credenza test"
URI = f"pkcs11:token=credenza%20test;object=signer?module-path={MODULES[0]}"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    """A key in a SoftHSM token, made there; the library reads its settings once a process."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    words = f"--init-token --free --label TOKEN --pin {PIN} --so-pin {PIN}".split()
    words[words.index("TOKEN")] = LABEL
    subprocess.run([str(TOOL), *words], check=True, capture_output=True)
    from pkcs11.util.ec import encode_named_curve_parameters  # noqa: PLC0415 - an extra

    library = pkcs11.lib(MODULES[0])
    with library.get_token(token_label=LABEL).open(user_pin=PIN, rw=True) as session:
        for kind, curve, way, name in (
            (pkcs11.KeyType.EC_EDWARDS, "1.3.101.112", "EC_EDWARDS_KEY_PAIR_GEN", "signer"),
            (pkcs11.KeyType.EC, "secp256r1", "EC_KEY_PAIR_GEN", "other kind"),
        ):
            parameters = session.create_domain_parameters(
                kind,
                {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)},
                local=True,
            )
            parameters.generate_keypair(
                label=name, store=True, mechanism=getattr(pkcs11.Mechanism, way)
            )
    return token_key(URI, pin=PIN)


def test_a_key_in_a_token_signs_what_others_verify(token: SigningKey) -> None:
    envelope = dsse.sign(b"{}", [token.private])
    assert dsse.verify(envelope, [token.public]).keyids == (token.keyid,)


def test_a_key_never_leaves_its_token(token: SigningKey) -> None:
    private = token.private
    with pytest.raises(UsageError) as refusal:
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert refusal.value.code == "key-in-token"
    with pytest.raises(UsageError):
        private.private_bytes_raw()
    assert copy.deepcopy(private) is copy.copy(private) is private


def test_what_a_token_does_not_have_is_said(token: SigningKey) -> None:
    assert token
    with pytest.raises(NotFoundError):
        token_key(URI.replace("signer", "nobody"), pin=PIN)
    with pytest.raises(NotFoundError):
        token_key(URI.replace("credenza%20test", "nowhere"), pin=PIN)
    for uri, pin, code in (
        (URI.replace("signer", "other%20kind"), PIN, "not-ed25519"),
        (URI.partition("?")[0], PIN, "bad-key-uri"),
        (URI.replace(MODULES[0], "/nowhere.so"), PIN, "token-refuses"),
    ):
        with pytest.raises(UsageError) as refusal:
            token_key(uri, pin=pin)
        assert refusal.value.code == code
