"""Registries whose names lead elsewhere from one moment to the next."""

import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from portal.config import Settings, read_settings
from portal.errors import RegistryRefused
from portal.services.registries.ways import opened, parse_entry
from tests.servers import PostgresServer

NAME = "registry.example.test"


class Changing:
    """A name that leads to the next address each time it is looked up."""

    def __init__(self, *addresses: str) -> None:
        self._left = list(addresses)
        self._real = socket.getaddrinfo

    def look_up(self, host: Any, *args: Any, **more: Any) -> Any:
        return self._real(self._left.pop(0) if host == NAME else host, *args, **more)


def settings_for(folder: Path, allowed: str) -> Settings:
    return read_settings({"PORTAL_DATA_DIR": str(folder), "PORTAL_ALLOWED_ENDPOINTS": allowed})


def test_a_registry_is_reached_at_the_address_that_was_judged(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server._dsn("postgres").replace("127.0.0.1", NAME)
    monkeypatch.setattr(socket, "getaddrinfo", Changing("127.0.0.1", "127.0.0.9").look_up)
    entry = parse_entry(settings_for(tmp_path, "127.0.0.1/32"), "", url)
    with opened(entry) as connection:
        assert connection.scalar(text("SELECT inet_server_addr()::text")) == "127.0.0.1/32"


def test_a_registry_that_leads_to_a_private_address_by_now_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Changing("127.0.0.1").look_up)
    entry = parse_entry(settings_for(tmp_path, "*.example.test"), "", f"postgresql://ada:secret@{NAME}:5432/atlas")
    with pytest.raises(RegistryRefused, match=f"{NAME} leads to the private address") as refusal, opened(entry):
        pass
    assert "secret" not in str(refusal.value)
