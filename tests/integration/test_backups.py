"""Backups of a living portal, put back on either database: all of it, or nothing."""

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine, select, text

from portal import database
from portal.config import Settings
from portal.errors import Conflict, ContentMismatch, InputError, SettingsError
from portal.models import Base, Connection, Event, Storage
from portal.planning.states import MigrationState as State
from portal.services import migrations
from portal.services.backups import Made, make_backup, restore_backup
from portal.services.migrations.certificate import get_certificate
from portal.services.reach import access_of
from portal.services.units import Units
from tests.integration.command_line import CommandLine
from tests.integration.move_fixtures import executor, moves, source
from tests.integration.moves import OBJECTS, Moves, contents, fill
from tests.integration.world import PASSWORD, Portal
from tests.servers import PostgresServer

__all__ = ["executor", "moves", "source"]

pytestmark = [pytest.mark.timeout(240), pytest.mark.dialects]
_NUMBERS = count()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def paused(moves: Moves, source: Path, local_base: Path) -> str:
    """A portal with a connection, a move that is cut over, and one that is paused in mid-copy; the latter's id."""
    moves.bucket(f"backed-up-{next(_NUMBERS)}")
    fill(local_base / "other")
    made = moves.copy(moves.register(local_base / "other"), local_base / "other-target")
    moves.cut_over(made, "other")
    get_certificate(Units(lambda: moves.portal.read_as("ada"), lambda: moves.portal.write_as("ada")), made)
    paused = moves.plan(moves.register(source), local_base / "target")
    with moves.portal.write_as("ada") as work:
        migrations.start(work, paused)
    with moves.row(made) as row:
        row.sweep_at = None
    moves.drive_while(lambda: moves.state(paused) is not State.COPYING)
    assert moves.wish(migrations.pause, paused).state is State.PAUSED
    return paused


@pytest.fixture
def filled(moves: Moves, local_base: Path, settings: Settings) -> Moves:
    """A portal with a connection, a location and something in its ledger."""
    moves.bucket(f"backed-up-{next(_NUMBERS)}")
    moves.register(local_base / "cells")
    fill(
        settings.ledger_dir, {"abc/forward-001/verify-0000000.jsonl.gz": b"lines", "abc/stop-1": b"", "abc/.x.tmp": b""}
    )
    return moves


@pytest.fixture
def backup(settings: Settings, filled: Moves, tmp_path: Path) -> Made:
    return make_backup(settings, tmp_path / "backup.tar.gz", NOW)


@pytest.fixture(params=["to sqlite", "to postgresql"])
def target(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings of another, empty portal with the same key file."""
    folder = tmp_path / "restored"
    folder.mkdir(mode=0o700)
    shutil.copy2(settings.key_path, folder / "secret.key")
    if request.param == "to sqlite":
        yield replace(settings, data_dir=folder, database_url=f"sqlite:///{folder}/portal.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield replace(settings, data_dir=folder, database_url=url)
    server.drop_database(url)


def put_back(target: Settings, made: Made, *, force: bool = False) -> object:
    return restore_backup(target, made.path, database.upgrade, NOW, force=force)


def rows_of(app: Flask) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table as the models read them."""
    with app.app_context(), database.read() as session:
        return {
            name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for name, table in Base.metadata.tables.items()
        }


def test_a_portal_is_put_back_and_goes_on(
    moves: Moves, paused: str, target: Settings, new_app: Callable[[Settings], Flask], tmp_path: Path
) -> None:
    settings, local_base = moves.portal.app.extensions["portal_settings"], moves.base
    put_back(target, make_backup(settings, tmp_path / "backup.tar.gz", NOW))
    app = new_app(target)
    assert rows_of(app) == rows_of(moves.portal.app)
    kept = {name for name in contents(settings.ledger_dir) if "/progress-" not in name}
    assert contents(target.ledger_dir).keys() == kept
    assert target.certificate_key_path.read_bytes() == settings.certificate_key_path.read_bytes()
    assert [path.name for path in target.data_dir.iterdir() if path.name.startswith(".")] == []

    form = {"handle": "ada", "password": PASSWORD}
    browser = app.test_client()
    browser.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    assert browser.post("/sign-in", data=form).status_code == 303
    assert paused in browser.get("/migrations").text

    there = Moves(Portal(app), moves.executor, moves.s3, moves.base)
    with there.portal.read_as("ada") as work:
        assert (
            access_of(work, work.session.scalars(select(Connection)).one(), None).secret_access_key
            == moves.s3.secret_key
        )
        assert work.session.scalar(select(Event.id).where(Event.action == "migration.cut-over")) is not None
    view = there.wish(migrations.resume, paused)
    assert view.state is State.READY, view.message
    assert contents(local_base / "target") == OBJECTS
    # New rows get new ids: what counts them was put back too.
    there.register(local_base / "one more")
    client = there.portal.client_as("ada")
    assert "one more" in client.get("/infrastructure?q=one+more").text


def test_no_secret_lies_in_a_backup_and_only_its_maker_reads_it(moves: Moves, backup: Made, settings: Settings) -> None:
    data = gzip.decompress(backup.path.read_bytes())
    for secret in (moves.s3.secret_key, PASSWORD, settings.key_path.read_text().strip()):
        assert secret.encode() not in data
    assert moves.s3.access_key.encode() in data, "the search would find it"
    assert backup.path.stat().st_mode & 0o777 == 0o600
    assert backup.key_path == settings.key_path
    with tarfile.open(backup.path) as tar:
        names = tar.getnames()
    assert names[-1] == "manifest.json"
    assert "inventory.json" in names
    assert any(name.startswith("ledger/") for name in names)
    assert "secret.key" not in names


def test_the_inventory_says_which_marker_belongs_where(moves: Moves, backup: Made) -> None:
    with tarfile.open(backup.path) as tar:
        file = tar.extractfile("inventory.json")
        assert file is not None
        rows = json.loads(file.read())
    with moves.portal.read_as("ada") as work:
        expected = work.session.execute(select(Storage.uid, Storage.root)).all()
        assert sorted((row["uid"], row["root"]) for row in rows) == sorted((uid, root) for uid, root in expected)


def test_a_filled_portal_is_replaced_by_force_alone_and_kept_aside(
    moves: Moves, backup: Made, target: Settings, new_app: Callable[[Settings], Flask]
) -> None:
    put_back(target, backup)
    app = new_app(target)
    with Portal(app).write_as("ada") as work:
        work.session.scalars(select(Storage)).first().description = "changed since"  # type: ignore[union-attr]  # it is there
    close(app)
    with pytest.raises(Conflict, match="not empty"):
        put_back(target, backup)
    restored = put_back(target, backup, force=True)
    assert "changed since" not in repr(rows_of(new_app(target)))
    aside = getattr(restored, "set_aside", ())
    assert any("ledger.replaced-" in path for path in aside)
    assert any("portal.db.replaced-" in path for path in aside) == target.is_sqlite


def close(app: Flask) -> None:
    with app.app_context():
        database.db.session.remove()
        database.db.engine.dispose()


def test_a_portal_that_runs_is_not_replaced(
    backup: Made, target: Settings, new_app: Callable[[Settings], Flask]
) -> None:
    app = new_app(target)
    with app.app_context(), database.db.engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM account")
        with pytest.raises(Conflict, match="in use"):
            put_back(target, backup)


@pytest.mark.parametrize("damage", ["cut", "byte", "name", "part", "text"])
def test_a_damaged_backup_changes_nothing(backup: Made, settings: Settings, tmp_path: Path, damage: str) -> None:
    target = replace(settings, data_dir=tmp_path / "new", database_url=f"sqlite:///{tmp_path}/new/portal.db")
    data = backup.path.read_bytes()
    if damage == "cut":
        backup.path.write_bytes(data[: len(data) // 2])
    elif damage == "text":
        backup.path.write_text("no backup")
    else:
        backup.path.write_bytes(rewritten(data, damage))
    with pytest.raises((ContentMismatch, InputError)):
        put_back(target, backup)
    assert list(target.data_dir.iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def rewritten(data: bytes, damage: str) -> bytes:
    """Return the archive with a byte of a file changed, a name that leads out, or a part left out."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for number, info in enumerate(old):
            file = old.extractfile(info)
            assert file is not None
            inner = file.read()
            if number == 0 and damage == "byte":
                inner = inner[:-1] + bytes([inner[-1] ^ 1])
            if info.name == "inventory.json" and damage == "name":
                info.name = "ledger/../../../escaped"
            if info.name == "inventory.json" and damage == "part":
                continue
            new.addfile(info, io.BytesIO(inner))
    return out.getvalue()


def test_a_restore_that_fails_in_its_last_step_leaves_what_was_there(
    moves: Moves,
    backup: Made,
    target: Settings,
    new_app: Callable[[Settings], Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_back(target, backup)
    app = new_app(target)
    with Portal(app).write_as("ada") as work:
        work.session.scalars(select(Storage)).first().description = "changed since"  # type: ignore[union-attr]  # it is there
    before, files = rows_of(app), contents(target.ledger_dir)
    close(app)

    def full(*_: object) -> None:
        raise SettingsError("No space left on device.")

    # The last thing each does before it decides.
    last = "shutil.copyfile" if target.is_sqlite else "portal.services.backups.restoring.set_sequences"
    monkeypatch.setattr(last, full)
    with pytest.raises(SettingsError):
        put_back(target, backup, force=True)
    monkeypatch.undo()
    assert contents(target.ledger_dir) == files
    assert rows_of(new_app(target)) == before


def test_a_backup_of_an_older_revision_is_brought_to_the_newest(
    database_kind: str,
    tmp_path: Path,
    settings: Settings,
    new_app: Callable[[Settings], Flask],
    empty_database_url: str,
) -> None:
    old = replace(settings, data_dir=tmp_path / "old", database_url=empty_database_url)
    database.upgrade(empty_database_url, "0003")
    made = make_backup(old, tmp_path, NOW)
    assert (made.path.name, made.revision) == ("portal-backup-20261122T120000Z.tar.gz", "0003")
    new = replace(settings, data_dir=tmp_path / "new", database_url=f"sqlite:///{tmp_path}/new/portal.db")
    put_back(new, made)
    app = new_app(new)
    with app.app_context():
        assert database.is_current()


def test_a_backup_of_a_newer_version_is_refused(settings: Settings, tmp_path: Path) -> None:
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    made = make_backup(settings, tmp_path / "newer.tar.gz", NOW)
    new = replace(settings, data_dir=tmp_path / "new", database_url=f"sqlite:///{tmp_path}/new/portal.db")
    with pytest.raises(SettingsError, match="not known to this version"):
        put_back(new, made)
    assert list((tmp_path / "new").iterdir()) == []


def test_the_commands_say_where_the_key_lies(moves: Moves, filled: Moves, settings: Settings, tmp_path: Path) -> None:
    typing = CommandLine(moves.portal)
    ran = typing.run("backup", str(tmp_path / "b.tar.gz"), actor=None)
    assert (ran.code, str(settings.key_path) in ran.out) == (0, True), ran.err
    again = typing.run("backup", str(tmp_path / "b.tar.gz"), actor=None)
    assert (again.code, "is there already" in again.err) == (1, True)
    assert typing.run("backup", str(tmp_path / "nowhere" / "b.tar.gz"), actor=None).code == 1
    refused = typing.run("restore", str(tmp_path / "b.tar.gz"), actor=None)
    assert (refused.code, "--force" in refused.err) == (1, True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
