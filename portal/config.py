"""Every setting of the portal: name, default, unit, one sentence each. All faults are reported at once."""

import ipaddress
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from portal.errors import SettingsError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its name, its default in words, and the sentence the README repeats."""

    name: str
    default: str
    sentence: str


#: A session that is not used ends after a year at the latest.
MOST_SESSION_HOURS = 8784

SETTINGS: tuple[Setting, ...] = (
    Setting("PORTAL_DATA_DIR", "./var", "Folder of the database, the key file and the ledger; made if absent."),
    Setting("PORTAL_DATABASE_URL", "SQLite in the data folder", "`postgresql://user@host/name` to use PostgreSQL."),
    Setting("PORTAL_BIND", "127.0.0.1:8000", "Address and port the web process listens on."),
    Setting("PORTAL_URL", "http:// and the bind address", "Address people type, for links in messages."),
    Setting("PORTAL_HOST", "the machine's name", "Name of this machine as the host of local roots."),
    Setting("PORTAL_LOCAL_BASES", "none", "Colon-separated base directories; local roots must lie below one of them."),
    Setting(
        "PORTAL_ALLOWED_ENDPOINTS",
        "none",
        "Comma-separated hosts, host:port or networks of S3-compatible endpoints that may be contacted, beside AWS.",
    ),
    Setting("PORTAL_SECURE_COOKIES", "on when PORTAL_URL is https", "`1` or `0`: send cookies over https only."),
    Setting("PORTAL_TRUSTED_PROXIES", "0", "Number of reverse proxies in front whose X-Forwarded-* headers count."),
    Setting("PORTAL_WEB_THREADS", "8", "Threads of the web process."),
    Setting("PORTAL_WORKERS", "2", "Worker processes of a runner."),
    Setting("PORTAL_SESSION_HOURS", "336", "Hours after which an unused sign-in ends."),
    Setting("PORTAL_SOAK_DAYS", "7", "Days for which rolling back is offered after a cut-over."),
    Setting("PORTAL_FENCE_MINUTES", "30", "Minutes for which a cut-over may hold writers off before the fence lifts."),
    Setting(
        "PORTAL_MAX_ERRORS",
        "1000",
        "Failing objects after which a move stops for attention, unless it has its own number.",
    ),
    Setting(
        "PORTAL_QUIET_HOURS",
        "24",
        "Hours after the cut-over without anything new at the old root before a move can be released.",
    ),
    Setting("PORTAL_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR; logs are JSON lines on stderr."),
    Setting("PORTAL_ACCOUNT", "none", "Handle the command line acts as when `--as` is not given."),
    Setting("PORTAL_PASSWORD", "asked for", "Password for `portal account add`, so that scripts need no prompt."),
    Setting("PORTAL_REGISTRY_URL", "asked for", "PostgreSQL URL for `portal instance attach`, password included."),
    Setting("PORTAL_SECRET_ACCESS_KEY", "asked for", "Secret of the access key for `portal storage connect-s3`."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings a process runs with, checked. Build with `read_settings`.

    Attributes:
        data_dir: absolute folder of database, key file and ledger.
        database_url: SQLAlchemy URL; `postgresql://` means psycopg 3.
        bind: (address, port).
        url: base address for links, without trailing slash.
        host: name of this machine as a host of local roots.
        local_bases: absolute, resolved base directories.
        allowed_endpoints: hosts, host:port, or networks, lower case.
    """

    data_dir: Path
    database_url: str
    bind: tuple[str, int]
    url: str
    host: str
    local_bases: tuple[Path, ...] = ()
    allowed_endpoints: tuple[str, ...] = ()
    secure_cookies: bool = False
    trusted_proxies: int = 0
    web_threads: int = 8
    workers: int = 2
    session_hours: int = 336
    soak_days: int = 7
    fence_minutes: int = 30
    quiet_hours: int = 24
    max_errors: int = 1000
    log_level: str = "INFO"

    @property
    def key_path(self) -> Path:
        """Return the file that holds the key of all secrets at rest. It is never in the database or a backup of it."""
        return self.data_dir / "secret.key"

    @property
    def certificate_key_path(self) -> Path:
        """Return the file that holds the key certificates are signed with, closed with the key file."""
        return self.data_dir / "certificate.key"

    @property
    def ledger_dir(self) -> Path:
        """Return the folder of the migrations' immutable segments."""
        return self.data_dir / "ledger"

    @property
    def is_sqlite(self) -> bool:
        """Tell whether the portal's own database is SQLite."""
        return self.database_url.startswith("sqlite")


class _Reader:
    """Read values from an environment and collect every fault instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []

    def take(self, name: str, default: str, convert: Callable[[str], _T], fallback: _T) -> _T:
        text = self.environ.get(name, "").strip() or default
        try:
            return convert(text)
        except (ValueError, OSError) as error:
            self.faults.append(f"{name} is {text!r}: {error}.")
            return fallback


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (default: the process's own).

    Raises:
        SettingsError: one or more values are wrong; the message names every one.
    """
    read = _Reader(os.environ if environ is None else environ)
    data_dir = read.take("PORTAL_DATA_DIR", "var", lambda text: Path(text).expanduser().resolve(), Path())
    bind = read.take("PORTAL_BIND", "127.0.0.1:8000", parse_bind, ("127.0.0.1", 8000))
    url = read.take("PORTAL_URL", f"http://{bind[0]}:{bind[1]}", _web_url, "")
    settings = Settings(
        data_dir=data_dir,
        database_url=read.take("PORTAL_DATABASE_URL", f"sqlite:///{data_dir}/portal.db", _database_url, ""),
        bind=bind,
        url=url,
        host=read.take("PORTAL_HOST", socket.gethostname(), parse_host, ""),
        local_bases=read.take("PORTAL_LOCAL_BASES", "", _bases, ()),
        allowed_endpoints=read.take("PORTAL_ALLOWED_ENDPOINTS", "", _endpoints, ()),
        secure_cookies=read.take("PORTAL_SECURE_COOKIES", "1" if url.startswith("https:") else "0", _switch, False),
        trusted_proxies=read.take("PORTAL_TRUSTED_PROXIES", "0", _number(0, 9), 0),
        web_threads=read.take("PORTAL_WEB_THREADS", "8", _number(1, 256), 8),
        workers=read.take("PORTAL_WORKERS", "2", _number(1, 256), 2),
        session_hours=read.take("PORTAL_SESSION_HOURS", "336", _number(1, MOST_SESSION_HOURS), 336),
        soak_days=read.take("PORTAL_SOAK_DAYS", "7", _number(1, 365), 7),
        fence_minutes=read.take("PORTAL_FENCE_MINUTES", "30", _number(1, 1440), 30),
        quiet_hours=read.take("PORTAL_QUIET_HOURS", "24", _number(0, 8784), 24),
        max_errors=read.take("PORTAL_MAX_ERRORS", "1000", _number(1, 1_000_000), 1000),
        log_level=read.take("PORTAL_LOG_LEVEL", "INFO", _log_level, "INFO"),
    )
    if read.faults:
        raise SettingsError(" ".join(read.faults), hint="Correct these environment variables and start again.")
    return settings


def parse_bind(text: str) -> tuple[str, int]:
    """Split `ADDRESS:PORT`.

    Raises:
        ValueError: the port is missing or out of range.
    """
    address, separator, port = text.rpartition(":")
    if not separator or not address or not port.isdecimal() or len(port) > 5 or not 0 <= int(port) <= 65535:
        raise ValueError("write ADDRESS:PORT, such as 127.0.0.1:8000")
    return address.strip("[]"), int(port)


def _web_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write an http or https address")
    return text.rstrip("/")


def _database_url(text: str) -> str:
    if text.startswith(("postgres://", "postgresql://")):
        return "postgresql+psycopg://" + text.split("://", 1)[1]
    if not text.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("use sqlite:///PATH or postgresql://USER@HOST/NAME")
    return text


def parse_host(text: str) -> str:
    """Return a host name as it is.

    Raises:
        ValueError: it is too long, or holds what paths and addresses need.
    """
    if len(text) > 64 or not text.isprintable() or any(mark in text for mark in " /:"):
        raise ValueError("a host name has at most 64 characters and no space, slash or colon")
    return text


def _bases(text: str) -> tuple[Path, ...]:
    bases = [Path(part).expanduser() for part in text.split(":") if part]
    for base in bases:
        if not base.is_absolute():
            raise ValueError(f"{base} is not an absolute path")
        if not base.is_dir():
            raise ValueError(f"{base} is not a directory")
    return tuple(base.resolve() for base in bases)


def _endpoints(text: str) -> tuple[str, ...]:
    entries = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for entry in entries:
        if "/" in entry:
            ipaddress.ip_network(entry)
    return entries


def _switch(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("write 1 or 0")
    return text == "1"


def _number(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or len(text) > 18 or not least <= int(text) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(text)

    return convert


def _log_level(text: str) -> str:
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("use DEBUG, INFO, WARNING or ERROR")
    return text.upper()
