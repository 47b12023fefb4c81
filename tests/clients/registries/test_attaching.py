"""An instance is attached to its own database after a look that changes nothing there."""

import hashlib
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select, text

from portal.errors import Conflict, InputError, NotFound, PermissionDenied, PortalError, Refused
from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way
from portal.models import Event, Instance, Reference, Registry
from portal.permissions import Action
from portal.services.instances import find_instance
from portal.services.registries.attach import AttachInstance
from portal.services.registries.care import check_again, detach_instance
from portal.services.registries.examination import Examination
from portal.values import CheckStatus
from tests.clients.instances import ask, execute
from tests.clients.registries.conftest import Desk
from tests.servers import PostgresServer

OTHER_WRITER = (
    "UPDATE lamindb_storage SET instance_uid = 'AAAAAAAAAAAA' WHERE id = (SELECT max(id) FROM lamindb_storage)"
)


def statuses(found: Examination) -> dict[str, str]:
    return {check.name: check.status.value for check in found.checks}


def dump(way: Way) -> str:
    """Return everything that a database holds, as one digest."""
    tables = ("lamindb_storage", "lamindb_artifact", "lamindb_space", "lamindb_user", "lamindb_branch")
    rows = [sorted(map(repr, ask(way, f"SELECT * FROM {name}"))) for name in tables]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def registries(desk: Desk) -> list[Registry]:
    with desk.portal.read_as("ada") as work:
        rows = list(work.session.scalars(select(Registry)))
        work.session.expunge_all()
        return rows


def test_it_attaches_and_changes_nothing_there(desk: Desk) -> None:
    before = dump(desk.way)
    out = desk.attach()
    assert set(statuses(out.examination).values()) == {"passed"}
    assert out.examination.rights == {"read": True, "update": True, "insert": True, "trigger": True}
    assert out.examination.counts["locations"] == 3
    assert out.examination.counts["artifacts"] == ask(desk.way, "SELECT count(*) FROM lamindb_artifact")[0][0]
    assert dump(desk.way) == before
    [registry] = registries(desk)
    assert (registry.can_write, registry.counts["locations"]) == (True, 3)
    assert registry.instance_uid == ask(desk.way, "SELECT instance_uid FROM lamindb_storage ORDER BY id")[0][0]


def test_the_way_is_told_without_its_secret_everywhere(
    desk: Desk, secret_of: str, capfd: pytest.CaptureFixture[str]
) -> None:
    out = desk.attach()
    check_again(desk.units(), desk.slug)
    with desk.portal.write_as("ada") as work:
        detach_instance(work, desk.slug, "atlas")
    desk.attach()
    with desk.portal.read_as("ada") as work:
        events = [(event.before, event.after, event.target_name) for event in work.session.scalars(select(Event))]
        row = work.session.execute(text("SELECT * FROM registry")).one()
    printed = capfd.readouterr()
    for told in (repr(out), str(events), str(row), printed.out, printed.err):
        assert secret_of not in told
    assert desk.way.label in str(events)


def test_a_dry_run_saves_nothing(desk: Desk) -> None:
    out = desk.attach(dry_run=True)
    assert out.examination.can_save
    assert out.uid is None
    assert registries(desk) == []


def test_the_instance_is_made_when_there_is_none(desk: Desk, facts: dict[str, Any]) -> None:
    slug = f"lab/{facts['slug'].partition('/')[2]}"
    out = desk.attach(slug=slug)
    with desk.portal.read_as("ada") as work:
        assert find_instance(work, slug).uid == out.uid
        [registry] = work.session.scalars(select(Registry))
        # The client made it as anonymous/NAME, from which the id follows.
        assert UUID(registry.instance_uuid or "").hex == facts["id"]


def test_nobody_makes_an_instance_for_another_owner(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.attach("erik", slug="lab/filled")
    with desk.portal.read_as("ada") as work:
        assert work.session.scalar(select(Instance).where(Instance.name == "filled")) is None


@pytest.mark.parametrize(
    ("handle", "error"), [("erik", PermissionDenied), ("rita", PermissionDenied), ("otto", NotFound)]
)
def test_only_an_admin_attaches(desk: Desk, handle: str, error: type[PortalError]) -> None:
    with pytest.raises(error):
        desk.attach(handle)
    assert registries(desk) == []


def test_it_is_attached_once(attached: Desk) -> None:
    with pytest.raises(Conflict, match="attached already"):
        attached.attach()
    with pytest.raises(Conflict, match="attached to lab/atlas already"):
        attached.attach(slug="lab/other")


def test_which_instance_it_is_is_asked_when_nothing_says_so(desk: Desk) -> None:
    execute(
        desk.way,
        OTHER_WRITER,
    )
    out = desk.attach()
    assert isinstance(out.examination.error, InputError)
    assert out.uid is None
    assert statuses(out.examination)["identity"] == "failed"
    wrong = desk.attach(instance_id_hex="0" * 32)
    assert "No location there" in str(wrong.examination.error)
    no_id = desk.attach(instance_id_hex="what?")
    assert "32 hexadecimal digits" in str(no_id.examination.error)
    assert registries(desk) == []


def test_the_given_id_counts(desk: Desk, facts: dict[str, Any]) -> None:
    execute(
        desk.way,
        OTHER_WRITER,
    )
    assert desk.attach(instance_id_hex=facts["id"]).uid is not None
    assert registries(desk)[0].instance_uuid == str(UUID(facts["id"]))


@pytest.mark.parametrize(("version", "word"), [("0194_v9_9", "newer"), ("0150_old", "older"), ("odd", "older")])
def test_an_unknown_schema_is_attached_read_only(desk: Desk, version: str, word: str) -> None:
    if word == "newer":
        execute(
            desk.way,
            f"INSERT INTO django_migrations (app, name, applied) VALUES ('lamindb', '{version}', '2030-01-01')",
        )
    else:
        execute(desk.way, f"UPDATE django_migrations SET name = '{version}' WHERE app = 'lamindb'")
    out = desk.attach()
    assert out.uid is not None
    assert word in out.examination.why_read_only
    assert statuses(out.examination)["schema"] == "warning"
    assert statuses(out.examination)["update"] == "skipped"
    assert not registries(desk)[0].can_write


def test_a_column_that_is_missing_is_named(desk: Desk) -> None:
    execute(desk.way, "ALTER TABLE lamindb_artifact RENAME COLUMN n_files TO file_count")
    out = desk.attach()
    assert out.uid is not None
    assert "lamindb_artifact.n_files" in out.examination.why_read_only


def test_without_what_reading_needs_it_is_refused(desk: Desk) -> None:
    execute(desk.way, "ALTER TABLE lamindb_storage RENAME COLUMN instance_uid TO other")
    out = desk.attach()
    assert out.uid is None
    assert "lamindb_storage.instance_uid" in str(out.examination.error)


def test_a_database_that_is_no_lamindb_is_refused(desk: Desk) -> None:
    for name in ("lamindb_storage", "lamindb_artifact", "lamindb_space", "lamindb_branch", "lamindb_user"):
        execute(desk.way, f"ALTER TABLE {name} RENAME TO other_{name[8:]}")
    out = desk.attach()
    assert out.uid is None
    assert "not that of a LaminDB instance" in str(out.examination.error)


def test_read_only_by_choice_tries_no_write(desk: Desk) -> None:
    out = desk.attach(is_read_only=True)
    assert {statuses(out.examination)[name] for name in ("update", "insert", "trigger")} == {"skipped"}
    assert not registries(desk)[0].can_write


def test_looking_again_renews_what_is_known(attached: Desk) -> None:
    execute(attached.way, "UPDATE django_migrations SET name = '0100_old' WHERE app = 'lamindb'")
    assert check_again(attached.units(), "lab/atlas").can_save
    assert "older" in registries(attached)[0].why_read_only
    with pytest.raises(PermissionDenied):
        check_again(attached.units("erik"), "lab/atlas")


def test_detaching_forgets_all_of_it_here_and_nothing_there(attached: Desk) -> None:
    before = dump(attached.way)
    with attached.portal.write_as("ada") as work, pytest.raises(InputError, match="Type atlas"):
        detach_instance(work, "lab/atlas", "other")
    with attached.portal.write_as("ada") as work:
        detach_instance(work, "lab/atlas", "atlas")
    assert registries(attached) == []
    with attached.portal.read_as("ada") as work:
        assert work.session.scalars(select(Reference)).all() == []
        find_instance(work, "lab/atlas", Action.INSTANCE_MANAGE)
    assert dump(attached.way) == before


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
class TestFiles:
    def test_a_locked_file_is_told(self, desk: Desk) -> None:
        holder = sqlite3.connect(desk.way.label, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        out = desk.attach()
        holder.rollback()
        holder.close()
        assert out.uid is None
        assert "Another program is writing" in str(out.examination.error)
        assert registries(desk) == []

    def test_a_file_in_use_for_writing_is_told(self, desk: Desk) -> None:
        holder = sqlite3.connect(desk.way.label, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        out = desk.attach()
        holder.rollback()
        holder.close()
        assert out.uid is None
        assert statuses(out.examination)["update"] == "failed"

    @pytest.mark.parametrize(
        ("name", "said"),
        [("none.db", "There is no file"), ("text.db", "no SQLite database"), ("folder", "no regular file")],
    )
    def test_what_is_no_database_is_told(self, desk: Desk, tmp_path: Path, name: str, said: str) -> None:
        (tmp_path / "text.db").write_text("just words " * 500)
        (tmp_path / "folder").mkdir()
        out = desk.attach(path=str(tmp_path / name))
        assert out.uid is None
        assert said in str(out.examination.error)

    def test_a_relative_path_and_both_ways_are_refused(self, desk: Desk) -> None:
        with pytest.raises(InputError, match="whole path"):
            desk.attach(path="lamin.db")
        with pytest.raises(InputError, match="one database"):
            desk.attach(path="")
        with pytest.raises(InputError, match="one database"):
            desk.attach(url="postgresql://u:p@localhost/x")

    @pytest.mark.parametrize("path", ["/etc/passwd", "/srv/elsewhere/lamin.db"])
    def test_a_file_outside_of_the_base_directories_is_refused(self, desk: Desk, path: str) -> None:
        with pytest.raises(Refused, match="not allowed"):
            desk.attach(path=path)

    def test_a_link_that_leads_out_is_refused(self, desk: Desk, tmp_path: Path) -> None:
        (tmp_path / "link.db").symlink_to("/etc/passwd")
        with pytest.raises(Refused, match="not allowed"):
            desk.attach(path=str(tmp_path / "link.db"))

    def test_the_portals_own_data_is_refused(self, desk: Desk, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="the portal's own data"):
            desk.attach(path=str(tmp_path / "data/portal.db"))

    def test_only_who_has_the_directory_opened_may_name_a_file_in_it(self, desk: Desk) -> None:
        with desk.portal.write_as("ada") as work:
            from portal.services.instances import grant_instance_role
            from portal.values import Role

            grant_instance_role(work, "lab/atlas", "erik", Role.ADMIN)
        with pytest.raises(Refused, match="not open to you"):
            desk.attach("erik")
        missing = str(Path(desk.way.label).parent / "missing.db")
        with pytest.raises(Refused, match="not open to you"):
            desk.attach("erik", path=missing)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
class TestServers:
    def url(self, desk: Desk) -> str:
        assert isinstance(desk.way, PostgresWay)
        return desk.way.url

    def test_a_wrong_password_is_told_without_it(self, desk: Desk, secret_of: str) -> None:
        out = desk.attach(url=self.url(desk).replace(secret_of, "not-this-one"))
        assert out.uid is None
        assert "refused the sign-in" in str(out.examination.error)
        assert "not-this-one" not in repr(out)

    def test_a_wrong_database_is_told(self, desk: Desk) -> None:
        out = desk.attach(url=self.url(desk).rpartition("/")[0] + "/nowhere")
        assert out.uid is None
        assert "no such database" in str(out.examination.error)

    def test_a_port_where_nobody_answers_is_told(self, desk: Desk) -> None:
        out = desk.attach(url="postgresql://u:p@127.0.0.1:9/x")
        assert out.uid is None
        assert "does not answer" in str(out.examination.error)

    @pytest.mark.parametrize("host", ["db.example.org", "169.254.169.254", "10.1.2.3", "[::1]"])
    def test_a_server_that_is_not_listed_is_refused(
        self, desk: Desk, host: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from portal.services.registries import ways

        monkeypatch.setattr(
            ways, "addresses_of", lambda url: ("93.184.216.34",) if "example" in url else (host.strip("[]"),)
        )
        out = desk.attach(url=f"postgresql://u:hidden@{host}/x")
        assert out.uid is None
        assert "PORTAL_ALLOWED_ENDPOINTS" in str(out.examination.error)
        assert "hidden" not in repr(out)

    def test_a_role_that_may_only_read_is_attached_read_only(self, desk: Desk, postgres_server: PostgresServer) -> None:
        with psycopg.connect(self.url(desk), autocommit=True) as session:
            session.execute("DROP ROLE IF EXISTS reader")
            session.execute("CREATE ROLE reader LOGIN PASSWORD 'reads'")
            session.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        _, _, tail = self.url(desk).rpartition("@")
        out = desk.attach(url=f"postgresql://reader:reads@{tail}")
        with psycopg.connect(self.url(desk), autocommit=True) as session:
            session.execute("DROP OWNED BY reader")
            session.execute("DROP ROLE reader")
        assert out.uid is not None
        assert out.examination.rights == {"read": True, "update": False, "insert": False, "trigger": False}
        assert "permission denied" in out.examination.why_read_only
        assert [check.status for check in out.examination.checks if check.is_write] == [CheckStatus.WARNING] * 3

    def test_rows_that_are_hidden_from_the_role_keep_it_read_only(self, desk: Desk) -> None:
        with psycopg.connect(self.url(desk), autocommit=True) as session:
            session.execute("DROP ROLE IF EXISTS peeper")
            session.execute("CREATE ROLE peeper LOGIN PASSWORD 'peeps'")
            session.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO peeper")
            session.execute("ALTER TABLE lamindb_artifact ENABLE ROW LEVEL SECURITY")
        _, _, tail = self.url(desk).rpartition("@")
        out = desk.attach(url=f"postgresql://peeper:peeps@{tail}")
        with psycopg.connect(self.url(desk), autocommit=True) as session:
            session.execute("DROP OWNED BY peeper")
            session.execute("DROP ROLE peeper")
        assert "hides rows" in out.examination.why_read_only

    def test_one_database_under_two_addresses_is_one(self, attached: Desk) -> None:
        with pytest.raises(Conflict, match="attached to lab/atlas already"):
            attached.attach(slug="lab/other", url=self.url(attached).replace("127.0.0.1", "localhost"))


def test_the_repr_of_the_input_hides_the_url() -> None:
    assert "hidden" not in repr(replace(AttachInstance("a/b"), url="postgresql://u:hidden@h/d"))
    assert SqliteWay("/x").label == "/x"
