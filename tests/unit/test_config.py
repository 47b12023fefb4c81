"""Settings: what is read, and that every fault is told at once."""

from pathlib import Path

import pytest

from portal.config import SETTINGS, read_settings
from portal.errors import SettingsError


def test_an_empty_environment_gives_sqlite_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings({})
    assert settings.data_dir == tmp_path / "var"
    assert settings.database_url == f"sqlite:///{tmp_path}/var/portal.db"
    assert settings.bind == ("127.0.0.1", 8000)
    assert settings.url == "http://127.0.0.1:8000"
    assert settings.local_bases == ()
    assert settings.secure_cookies is False


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgresql_url_means_psycopg_3(scheme: str) -> None:
    settings = read_settings({"PORTAL_DATABASE_URL": f"{scheme}://ada@db/portal"})
    assert settings.database_url == "postgresql+psycopg://ada@db/portal"
    assert not settings.is_sqlite


def test_an_https_address_turns_secure_cookies_on() -> None:
    assert read_settings({"PORTAL_URL": "https://portal.example/"}).secure_cookies is True
    assert read_settings({"PORTAL_URL": "https://portal.example/"}).url == "https://portal.example"


def test_base_directories_are_resolved(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    assert read_settings({"PORTAL_LOCAL_BASES": f"{tmp_path}/link"}).local_bases == (real,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_BIND", "8000"),
        ("PORTAL_BIND", "127.0.0.1:70000"),
        ("PORTAL_URL", "portal.example"),
        ("PORTAL_DATABASE_URL", "mysql://x/y"),
        ("PORTAL_HOST", "two words"),
        ("PORTAL_LOCAL_BASES", "relative/path"),
        ("PORTAL_LOCAL_BASES", "/no/such/folder"),
        ("PORTAL_ALLOWED_ENDPOINTS", "10.0.0.0/33"),
        ("PORTAL_SECURE_COOKIES", "yes"),
        ("PORTAL_WORKERS", "0"),
        ("PORTAL_WEB_THREADS", "many"),
        ("PORTAL_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is '{value}'"):
        read_settings({name: value})


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"PORTAL_BIND": "x", "PORTAL_WORKERS": "-1"})
    assert "PORTAL_BIND" in caught.value.message
    assert "PORTAL_WORKERS" in caught.value.message


def test_each_setting_has_one_name_and_one_sentence() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    for setting in SETTINGS:
        assert setting.name.startswith("PORTAL_")
        assert setting.sentence.endswith(".")


@pytest.mark.parametrize("digits", ["²", "9" * 5000])
def test_what_only_looks_like_a_number_is_told_in_the_same_words(digits: str) -> None:
    with pytest.raises(SettingsError, match="write a whole number from 0 to 8784"):
        read_settings({"PORTAL_QUIET_HOURS": digits})
    with pytest.raises(SettingsError) as caught:
        read_settings({"PORTAL_BIND": f"127.0.0.1:{digits}"})
    assert "int()" not in caught.value.message
