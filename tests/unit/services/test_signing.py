"""The signing key: one a portal, for the portal alone, and signatures that fit one text only."""

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from portal.errors import InputError, SettingsError
from portal.services.signing import is_signed, key_id_of, open_signer, read_public
from portal.services.vault import Vault


@pytest.fixture
def vault() -> Vault:
    return Vault([Fernet.generate_key()])


def test_the_key_is_made_once_and_stays(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "certificate.key"
    first, second = open_signer(path, vault), open_signer(path, vault)
    assert first.public == second.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert first.sign(b"text") == second.sign(b"text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["certificate.key"]


def test_a_signature_fits_one_text_one_key_and_one_spelling(tmp_path: Path, vault: Vault) -> None:
    signer, other = open_signer(tmp_path / "one", vault), open_signer(tmp_path / "two", vault)
    signature = signer.sign(b"text")
    assert is_signed(signer.public, signature, b"text")
    assert not is_signed(signer.public, signature, b"Text")
    assert not is_signed(other.public, signature, b"text")
    for bent in ("", "no base64", signature[:-4], signature + "AAAA", signature.rstrip("=")):
        assert not is_signed(signer.public, bent, b"text")
    # The last letter before the padding has two bits that decoding ignores.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = signature[:-3] + alphabet[alphabet.index(signature[-3]) ^ 1] + "=="
    assert not is_signed(signer.public, twin, b"text")
    assert not is_signed(b"short", signature, b"text")


def test_the_public_half_is_read_in_both_spellings(tmp_path: Path, vault: Vault) -> None:
    signer = open_signer(tmp_path / "key", vault)
    assert read_public(signer.public_text) == read_public(f" {signer.public_text}\n") == signer.public
    assert read_public(signer.public_pem) == signer.public
    assert key_id_of(signer.public) == signer.key_id
    for text in ("", "x", b64encode(b"short").decode(), signer.public_pem.replace("M", "N", 1)):
        with pytest.raises(InputError, match="no public key"):
            read_public(text)


def test_a_key_of_another_portal_or_for_others_to_read_is_refused(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "key"
    open_signer(path, vault)
    with pytest.raises(SettingsError, match="cannot be opened with the present key file"):
        open_signer(path, Vault([Fernet.generate_key()]))
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="read by others"):
        open_signer(path, vault)
    path.chmod(0o600)
    path.write_bytes(vault.encrypt("not a key"))
    with pytest.raises(SettingsError, match="damaged"):
        open_signer(path, vault)


def test_a_rotated_key_file_still_opens_it(tmp_path: Path) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    first = open_signer(tmp_path / "key", Vault([old]))
    assert open_signer(tmp_path / "key", Vault([new, old])).public == first.public
