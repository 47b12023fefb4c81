"""Secrets at rest: the key file, encryption, and sealed form values."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from portal.errors import Conflict, SettingsError
from portal.services.vault import open_vault


def test_the_key_file_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    encrypted = open_vault(path).encrypt("s3cret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_vault(path).decrypt(encrypted) == "s3cret"
    assert b"s3cret" not in encrypted
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]


def test_another_key_file_says_what_is_wrong(tmp_path: Path) -> None:
    encrypted = open_vault(tmp_path / "one.key").encrypt("s3cret")
    with pytest.raises(Conflict, match="cannot be opened with the present key file"):
        open_vault(tmp_path / "two.key").decrypt(encrypted)


def test_a_second_line_is_an_older_key_that_still_decrypts(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    encrypted = open_vault(path).encrypt("s3cret")
    path.write_bytes(Fernet.generate_key() + b"\n" + path.read_bytes())
    assert open_vault(path).decrypt(encrypted) == "s3cret"


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    open_vault(path)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others"):
        open_vault(path)


@pytest.mark.parametrize("content", [b"", b"not a key\n"])
def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="holds no key"):
        open_vault(path)
    assert path.read_bytes() == content


def test_a_sealed_value_opens_once_unchanged_and_not_for_ever(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "secret.key")
    token = vault.seal({"secret": "s3cret"})
    assert "s3cret" not in token
    assert vault.unseal(token, max_age_seconds=60) == {"secret": "s3cret"}
    assert vault.unseal(token[:-4] + "AAAA", max_age_seconds=60) is None
    assert vault.unseal(token, max_age_seconds=-1) is None
    assert vault.unseal("", max_age_seconds=60) is None


def test_its_repr_shows_no_key(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "secret.key")
    assert vault.signing_key not in repr(vault)
