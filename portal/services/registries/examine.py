"""Look at an instance's own database before anything is saved: reach, schema, content, identity, rights.

Network and files only, outside of every transaction of the portal. Nothing there is changed: writes are rolled back.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from portal.errors import InputError, NoRegistry, PortalError, RegistryBusy, RegistryError
from portal.lamindb.ids import derive_instance_id, derive_instance_uid
from portal.lamindb.registry.identity import read_identity
from portal.lamindb.registry.opening import Limits
from portal.lamindb.registry.rights import RIGHTS, is_filtered, try_right
from portal.lamindb.registry.rows import RegistryContent, read_content
from portal.lamindb.registry.schema import Schema, read_schema
from portal.services.registries.examination import Asked, Examination
from portal.services.registries.ways import Entry, opened
from portal.values import CheckResult, CheckStatus

_T = TypeVar("_T")

#: A person waits; counting a million artifacts takes a few seconds.
LIMITS: Final = Limits(connect_seconds=5.0, lock_seconds=3.0, statement_seconds=60.0)

#: Owner in the name of every instance that was made without an account (facts: lamindb docs, (a)).
ANONYMOUS_OWNER: Final = "anonymous"

_TITLES: Final = {
    "reach": "Reach the database",
    "schema": "Know its schema",
    "content": "Read locations and artifacts",
    "identity": "Find the instance's id",
    "update": "Change locations and artifacts",
    "insert": "Add locations and users",
    "trigger": "Raise a fence",
}


@dataclass
class _Run:
    """An examination under way."""

    entry: Entry
    asked: Asked
    checks: list[CheckResult] = field(default_factory=list)
    rights: dict[str, bool] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def step(self, name: str, do: Callable[[], tuple[_T, str]]) -> _T:
        """Do one step and note how it ended; an error ends the examination."""
        started = time.monotonic()
        try:
            value, said = do()
        except PortalError as error:
            self.note(name, CheckStatus.FAILED, started, error.message, error)
            raise
        self.note(name, CheckStatus.PASSED, started, said)
        return value

    def note(
        self, name: str, status: CheckStatus, started: float | None, reason: str, error: PortalError | None = None
    ) -> None:
        """Add a check."""
        result = CheckResult(
            name=name,
            title=_TITLES[name],
            status=status,
            milliseconds=None if started is None else round((time.monotonic() - started) * 1000),
            reason=reason,
            fix=error.hint if error else None,
            is_write=name in RIGHTS,
            server_message=getattr(error, "server_message", None),
            missing_action=getattr(error, "missing_right", None),
        )
        self.checks.append(result)


def examine(entry: Entry, asked: Asked) -> Examination:
    """Return what the database is, holds and allows. What keeps it from being attached is in its `error`."""
    run = _Run(entry, asked)
    found = Examination(())
    try:
        found = _read(run)
        _try_rights(run)
    except PortalError as error:
        return _result(run, found, error)
    return _result(run, found, None)


def _result(run: _Run, found: Examination, error: PortalError | None) -> Examination:
    return Examination(
        checks=tuple(run.checks),
        identity=found.identity,
        schema=found.schema,
        content=found.content,
        instance_uid=found.instance_uid,
        instance_uuid=found.instance_uuid,
        rights=run.rights,
        why_read_only=" ".join(run.reasons),
        error=error,
    )


def _read(run: _Run) -> Examination:
    started = time.monotonic()
    try:
        with opened(run.entry, limits=LIMITS) as connection:
            return _read_open(run, connection, started)
    except PortalError as error:
        if not run.checks:
            run.note("reach", CheckStatus.FAILED, started, error.message, error)
        elif run.checks[-1].status is not CheckStatus.FAILED:
            # Between two steps: what the driver said while the transaction was under way.
            run.note("content", CheckStatus.FAILED, None, error.message, error)
        raise


def _read_open(run: _Run, connection: Connection, started: float) -> Examination:
    identity = read_identity(connection, run.entry.way, run.entry.settings.host)
    run.note("reach", CheckStatus.PASSED, started, f"It answers: {run.entry.way.label}.")
    started = time.monotonic()
    schema = _schema(run, connection, started)
    content = run.step("content", lambda: _content(connection))
    run.rights["read"] = True
    if is_filtered(connection):
        run.reasons.append("Its database hides rows from this role, so nothing there is known to be complete.")
    uid, uuid = run.step("identity", lambda: _instance(run.asked, content))
    return Examination((), identity, schema, content, uid, uuid)


def _schema(run: _Run, connection: Connection, started: float) -> Schema:
    """Return the schema, noting whether it is a known one.

    Raises:
        NoRegistry: it is none of LaminDB's, or lacks what even reading needs.
    """
    try:
        schema = read_schema(connection)
        if any(_is_needed(name) for name in schema.missing):
            raise NoRegistry(schema.why_read_only, hint="Bring the schema up to date with lamin, then attach it.")
    except NoRegistry as error:
        run.note("schema", CheckStatus.FAILED, started, error.message, error)
        raise
    if schema.is_known:
        run.note("schema", CheckStatus.PASSED, started, f"LaminDB, schema version {schema.version}.")
    else:
        run.reasons.append(schema.why_read_only)
        run.note("schema", CheckStatus.WARNING, started, f"{schema.why_read_only} The portal only reads.")
    return schema


def _is_needed(column: str) -> bool:
    """Tell whether comparing reads a column: every one but most of an artifact's."""
    return not column.startswith("lamindb_artifact.") or column.partition(".")[2] in {"size", "storage_id", "branch_id"}


def _content(connection: Connection) -> tuple[RegistryContent, str]:
    content = read_content(connection)
    locations, artifacts = len(content.storages), content.artifact_count
    return content, f"{locations:,} storage locations, {artifacts:,} artifacts."


def _instance(asked: Asked, content: RegistryContent) -> tuple[tuple[str, str | None], str]:
    """Settle which of the uids there is the instance's own: never guessed.

    Raises:
        InputError: several could be it, or the one that was given is not there.
    """
    named = {storage.instance_uid for storage in content.storages if storage.instance_uid is not None}
    if asked.instance_id_hex:
        return _given(asked.instance_id_hex, named)
    _, _, name = asked.slug.partition("/")
    for slug in (asked.slug, f"{ANONYMOUS_OWNER}/{name}"):
        uuid = derive_instance_id(slug)
        uid = derive_instance_uid(uuid)
        if uid in named and asked.instance_uid in {"", uid}:
            return (uid, str(uuid)), f"{uid}, as follows from the name {slug}."
    if asked.instance_uid:
        return (asked.instance_uid, None), f"{asked.instance_uid}, as it was attached."
    if len(named) == 1:
        [uid] = named
        return (uid, None), f"{uid}, the only one its locations name. It does not follow from the name {asked.slug}."
    known = f"They name {', '.join(sorted(named))}." if named else "No location names one."
    raise InputError(
        f"Which instance this is does not follow from its locations. {known}",
        hint="Give the instance's id, 32 hexadecimal digits: `lamin info` shows it.",
        field="instance_id",
    )


def _given(text: str, named: set[str]) -> tuple[tuple[str, str | None], str]:
    try:
        uuid = UUID(hex=text.strip())
    except ValueError:
        raise InputError(
            "An instance's id is 32 hexadecimal digits.", hint="`lamin info` shows it.", field="instance_id"
        ) from None
    uid = derive_instance_uid(uuid)
    if named and uid not in named:
        raise InputError(
            f"No location there is written by the instance of this id, whose uid is {uid}.",
            hint=f"They name {', '.join(sorted(named))}.",
            field="instance_id",
        )
    return (uid, str(uuid)), f"{uid}, of the id that was given."


def _try_rights(run: _Run) -> None:
    """Try every right by using it, unless the portal will only read anyway.

    Raises:
        RegistryBusy: somebody holds a lock, so that nothing can be said.
    """
    if run.asked.is_read_only or run.reasons:
        reason = "Not tried: read-only was chosen." if run.asked.is_read_only else "Not tried: the portal only reads."
        for right in RIGHTS:
            run.note(right, CheckStatus.SKIPPED, None, reason)
        return
    started = time.monotonic()
    try:
        with opened(run.entry, writes=True, limits=LIMITS) as connection:
            for right in RIGHTS:
                _try_one(run, connection, right)
            connection.rollback()
    except RegistryError as error:
        rest = [right for right in RIGHTS if right not in {check.name for check in run.checks}]
        if not rest:
            raise
        if isinstance(error, RegistryBusy):
            run.note(rest[0], CheckStatus.FAILED, started, error.message, error)
            raise
        for right in rest:
            _lacks(run, right, started, error)


def _try_one(run: _Run, connection: Connection, right: str) -> None:
    started = time.monotonic()
    error = try_right(connection, run.entry.way, right)
    if isinstance(error, RegistryBusy):
        raise error
    if error is not None:
        _lacks(run, right, started, error)
        return
    run.rights[right] = True
    run.note(right, CheckStatus.PASSED, started, "Tried, and taken back.")


def _lacks(run: _Run, right: str, started: float, error: RegistryError) -> None:
    run.rights[right] = False
    run.reasons.append(f"{_TITLES[right]}: {error.message}")
    run.note(right, CheckStatus.WARNING, started, error.message, error)
