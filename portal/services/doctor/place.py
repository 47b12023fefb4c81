"""The data folder, the room in it, the key file, and whether stored secrets can be read with it."""

import shutil
from collections.abc import Iterator

from sqlalchemy import select

from portal.config import Settings
from portal.errors import PortalError
from portal.models import Connection, Registry
from portal.services.doctor.findings import Case, Finding, error, warning
from portal.services.signing import open_signer
from portal.services.vault import open_vault

#: Less room than this stops a move, a backup, or soon the portal.
_LOW_BYTES, _NONE_BYTES = 1_000_000_000, 50_000_000


def look_at_place(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with the folder and the files that belong in it."""
    folder = settings.data_dir
    if not folder.is_dir():
        yield error("no-folder", f"There is no data folder {folder}.", "Set PORTAL_DATA_DIR to the portal's folder.")
        return
    if folder.stat().st_mode & 0o022:
        yield warning("folder-open", f"Others may write to the data folder {folder}.", f"chmod go-w {folder}")
    free = shutil.disk_usage(folder).free
    if free < _LOW_BYTES:
        grade = error if free < _NONE_BYTES else warning
        yield grade("disk", f"The disk of {folder} has {free:,} bytes left.", f"Free some space: df -h {folder}")
    yield from _key(settings)
    for path in sorted(folder.glob(".restore-*")):
        yield warning("restore-left", f"A restore that was killed left {path}.", f"rm -r {path}")


def _key(settings: Settings) -> Iterator[Finding]:
    if not settings.key_path.exists():
        todo = f"Put the key file back that belongs to this database: {settings.key_path}"
        yield error("no-key", f"There is no key file {settings.key_path}: stored secrets cannot be read.", todo)
        return
    try:
        vault = open_vault(settings.key_path)
    except PortalError as trouble:
        yield error("key", trouble.message, _command(trouble))
        return
    if settings.certificate_key_path.exists():
        try:
            open_signer(settings.certificate_key_path, vault)
        except PortalError as trouble:
            yield error("signing-key", trouble.message, _command(trouble))


def _command(trouble: PortalError) -> str:
    return (trouble.hint or "Look at the file.").removeprefix("Run: ")


def look_at_secrets(case: Case) -> Iterator[Finding]:
    """Yield every stored secret that the present key file does not open."""
    if case.vault is None:
        return
    connections = select(Connection.name, Connection.uid, Connection.secret_encrypted).where(
        Connection.secret_encrypted.is_not(None)
    )
    for name, uid, secret in case.session.execute(connections):
        if secret is not None and not _opens(case, secret):
            what = f"The secret of the connection {name or uid} cannot be opened with the present key file."
            todo = f"Put the right key file at {case.settings.key_path}, or enter the secret again: /connections/{uid}"
            yield error("secret", what, todo)
    registries = select(Registry.label, Registry.url_encrypted).where(Registry.url_encrypted.is_not(None))
    for label, url in case.session.execute(registries):
        if url is not None and not _opens(case, url.encode()):
            what = f"The password of the attached database {label} cannot be opened with the present key file."
            todo = f"Put the right key file at {case.settings.key_path}, or detach the instance and attach it again."
            yield error("secret", what, todo)


def _opens(case: Case, encrypted: bytes) -> bool:
    try:
        return case.vault is not None and case.vault.decrypt(encrypted) is not None
    except PortalError:
        return False
