"""Certificates of real moves: what they state, that nothing in them can be changed, and proofs of single objects."""

import copy
import hashlib
import json
import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from portal.errors import Conflict, InputError, NotFound
from portal.models import Event
from portal.planning.certificates import canonical, contradictions, signed_part
from portal.planning.states import MigrationState as State
from portal.services import migrations
from portal.services.certificate_checks import check_document
from portal.services.migrations.certificate import get_certificate, prove_object
from portal.services.signing import is_signed
from portal.services.units import Units
from portal.values import MARKER_KEY
from tests.integration.command_line import CommandLine
from tests.integration.move_fixtures import executor, marker_of, moves, source
from tests.integration.moves import OBJECTS, Moves, fill
from tests.integration.real_processes import PORTAL
from tests.servers import free_port

__all__ = ["executor", "moves", "source"]

pytestmark = pytest.mark.timeout(180)


def units_of(moves: Moves, handle: str = "ada") -> Units:
    return Units(lambda: moves.portal.read_as(handle), lambda: moves.portal.write_as(handle))


def moved(moves: Moves, source: Path, target: Path) -> str:
    """Move a root and cut over; something is new at the source when the fence goes up."""
    uid = moves.register(source)
    fill(source, {MARKER_KEY: marker_of(uid)})
    made = moves.copy(uid, target)
    fill(source, {"late/one.txt": b"written while it was ready"})
    assert moves.cut_over(made, source.name).state is State.SOAKING
    return made


@pytest.fixture
def made(moves: Moves, source: Path, local_base: Path) -> str:
    return moved(moves, source, local_base / "target")


@pytest.fixture
def certificate(moves: Moves, made: str) -> dict[str, Any]:
    return get_certificate(units_of(moves), made)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every single value of a document."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from leaves(inner, (*path, at))
    else:
        yield path


def bent(document: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """Return the document with one value changed a little."""
    made = copy.deepcopy(document)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    old = inner[path[-1]]
    if isinstance(old, bool):
        inner[path[-1]] = not old
    elif isinstance(old, int):
        inner[path[-1]] = old + 1
    elif isinstance(old, str) and old:
        inner[path[-1]] = ("B" if old[0] == "A" else "A") + old[1:]
    else:
        inner[path[-1]] = "x"
    return made


def test_a_certificate_states_what_was_done(
    moves: Moves, certificate: dict[str, Any], made: str, source: Path, local_base: Path
) -> None:
    statement = certificate["statement"]
    objects = OBJECTS | {"late/one.txt": b"written while it was ready"}
    size = sum(len(data) for data in objects.values())
    assert statement["objects"] == {
        "count": len(objects),
        "outcomes": {"copied": {"count": len(objects), "bytes": size}},
        "levels": {"read_back": {"count": len(objects), "bytes": size}},
        "hashes": {"sha256": {"count": len(objects), "bytes": size}},
        "level": "read_back",
        "moved_count": len(objects),
        "moved_bytes": size,
    }
    assert statement["manifest"]["root"] == moves.view(made).manifest_digest
    move = statement["migration"]
    assert (move["id"], move["state"], move["is_rolled_back"]) == (made, "soaking", False)
    assert (move["from"]["root"], move["to"]["root"]) == (str(source), str(local_base / "target"))
    assert statement["left_out"]["excluded"] == {"marker, copied at cut-over": {"count": 1, "bytes": 122}}
    steps = statement["steps"]
    assert {name for name, step in steps.items() if step} == {"planned", "started", "ready", "cut_over"}
    assert {step["by"] for step in steps.values() if step} == {"ada"}
    assert (statement["switch"]["fence"], statement["switch"]["instances"]) == ("soft", [])
    assert statement["lamindb"] == {
        "rot_taken_as_is": False,
        "hash_checked_count": 0,
        "folders_checked_count": None,
        "rehearsed_count": None,
    }


def test_what_is_signed_is_canonical_json_that_anybody_can_make(certificate: dict[str, Any]) -> None:
    rest = {name: value for name, value in certificate.items() if name != "signature"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert text == signed_part(certificate) == canonical(rest)


def test_it_is_issued_once_for_each_state_and_recorded(moves: Moves, certificate: dict[str, Any], made: str) -> None:
    assert get_certificate(units_of(moves), made) == certificate
    moves.wish(migrations.request_rollback, made)
    back = get_certificate(units_of(moves), made)
    assert back["statement"]["migration"]["is_rolled_back"]
    assert back["statement"]["steps"]["rolled_back"]["by"] == "ada"
    assert back["key"] == certificate["key"]
    assert back["statement"]["manifest"] == certificate["statement"]["manifest"]
    with moves.portal.read_as("ada") as work:
        query = select(Event.after).where(Event.action == "migration.certificate-issued").order_by(Event.id)
        states = [after["state"] for after in work.session.scalars(query) if after]
    assert states == ["soaking", "rolled_back"]


def test_no_value_can_be_changed_without_being_noticed(certificate: dict[str, Any]) -> None:
    assert check_document(certificate).faults == ()
    paths = list(leaves(certificate))
    assert len(paths) > 50
    for path in paths:
        if path == ("format",):
            continue
        assert not check_document(bent(certificate, path)).is_valid, path
    for name in certificate["statement"]:
        less = copy.deepcopy(certificate)
        del less["statement"][name]
        assert not check_document(less).is_valid, name
    more = copy.deepcopy(certificate)
    more["statement"]["more"] = 1
    assert not check_document(more).is_valid


def test_another_portals_key_is_not_this_ones(certificate: dict[str, Any]) -> None:
    verdict = check_document(certificate, bytes(32))
    assert "another key" in verdict.faults[0]


def test_each_object_is_proven_by_the_certificate_alone(moves: Moves, made: str, source: Path, tmp_path: Path) -> None:
    for key in [*OBJECTS, "late/one.txt"]:
        data = (source / key).read_bytes()
        proof = json.loads(json.dumps(prove_object(units_of(moves), made, key)))
        verdict = check_document(proof, file=source / key)
        assert (verdict.is_valid, verdict.checked) == (True, "SHA-256"), verdict.faults
        assert verdict.record is not None
        assert verdict.record["sha256"] == hashlib.sha256(data).hexdigest()
        other = tmp_path / "other"
        other.write_bytes(bytes([data[0] ^ 1]) + data[1:] if data else b"x")
        assert not check_document(proof, file=other).is_valid
        for path in leaves({name: value for name, value in proof.items() if name not in {"certificate", "format"}}):
            assert_refused(bent(proof, path), path)
        assert_refused(proof | {"object": proof["object"].replace(key.split("/")[0], "other", 1)}, ("object",))


def assert_refused(document: dict[str, Any], path: tuple[Any, ...]) -> None:
    try:
        verdict = check_document(document)
    except InputError:
        return
    assert not verdict.is_valid, path


def test_what_is_not_in_the_manifest_has_no_proof(moves: Moves, made: str) -> None:
    with pytest.raises(NotFound, match="has no object nothing"):
        prove_object(units_of(moves), made, "nothing")


def test_an_outsider_learns_nothing(moves: Moves, made: str) -> None:
    with pytest.raises(NotFound):
        get_certificate(units_of(moves, "otto"), made)


def test_a_move_that_is_not_cut_over_has_none(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.register(source)
    made = moves.copy(uid, local_base / "target")
    assert moves.view(made).manifest_digest
    with pytest.raises(Conflict, match="has no certificate"):
        get_certificate(units_of(moves), made)


def test_a_move_of_an_earlier_version_says_in_words_that_it_has_none(moves: Moves, made: str) -> None:
    with moves.row(made) as row:
        row.plan = {name: value for name, value in (row.plan or {}).items() if name != "manifest"}
    typing = CommandLine(moves.portal)
    for words in (["certificate", made], ["prove", made, "README.md"]):
        ran = typing.run("migration", *words, "--json")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == (
            f"portal: Migration {made} was cut over by an earlier version of the portal, which kept no manifest: "
            "it has no certificate. Its events say what was verified: portal migration show, or its page.\n"
        )
    page = moves.portal.client_as("ada").get(f"/migrations/{made}")
    assert (page.status_code, f"/migrations/{made}/certificate" in page.text) == (200, False)


def test_a_certificate_of_an_earlier_version_stays_valid_and_is_shown(moves: Moves, made: str) -> None:
    with moves.row(made) as row:
        plan = dict(row.plan or {})
        counts = {name: pair for name, pair in plan["manifest"]["counts"].items() if not name.startswith("recorded ")}
        row.plan = {**plan, "manifest": {**plan["manifest"], "counts": counts}}
    document = get_certificate(units_of(moves), made)
    assert document["statement"]["lamindb"]["hash_checked_count"] is None
    assert check_document(document).is_valid
    page = moves.portal.client_as("ada").get(f"/migrations/{made}/certificate").text
    assert "LaminDB&#39;s hash" not in page


def test_showing_a_move_leaves_its_certificates_out(moves: Moves, made: str, certificate: dict[str, Any]) -> None:
    shown = CommandLine(moves.portal).run("migration", "show", made, "--json")
    assert shown.code == 0
    assert certificate["signature"] not in shown.out
    assert "certificates" not in shown.record["plan"]
    assert shown.record["plan"]["summary"], "the rest stays"


def test_a_sum_of_recorded_hashes_above_what_was_moved_is_a_contradiction(certificate: dict[str, Any]) -> None:
    statement = copy.deepcopy(certificate["statement"])
    assert contradictions(statement) == []
    statement["lamindb"]["hash_checked_count"] = statement["objects"]["moved_count"] + 1
    assert "More objects" in contradictions(statement)[0]


def test_a_runner_killed_over_the_manifest_writes_it_again(moves: Moves, source: Path, local_base: Path) -> None:
    uid = moves.register(source)
    made = moves.copy(uid, local_base / "target")
    root = moves.view(made).manifest_digest
    with moves.row(made) as row:
        # As if it had died before the manifest was noted: files are there, the row knows nothing of them.
        row.plan = {name: value for name, value in (row.plan or {}).items() if name != "manifest"}
        row.manifest_digest, row.state, row.ready_at = None, State.VERIFYING.value, None
    moves.drive()
    view = moves.view(made)
    assert (view.state, view.manifest_digest) == (State.READY, root)


def test_the_signing_key_is_for_the_portal_alone(moves: Moves, certificate: dict[str, Any]) -> None:
    settings = moves.portal.app.extensions["portal_settings"]
    path = settings.certificate_key_path
    assert path.stat().st_mode & 0o777 == 0o600
    assert certificate["key"]["public"].encode() not in path.read_bytes()


def test_an_independent_reader_agrees_on_the_signature(certificate: dict[str, Any]) -> None:
    assert is_signed(b64decode(certificate["key"]["public"]), certificate["signature"], signed_part(certificate))


def test_the_commands_give_verify_and_prove(moves: Moves, made: str, source: Path, tmp_path: Path) -> None:
    typing = CommandLine(moves.portal)
    file, proof = tmp_path / "certificate.json", tmp_path / "proof.json"
    given = typing.run("migration", "certificate", made, "--output", str(file))
    assert (given.code, "level: read_back" in given.out) == (0, True), given.err
    assert typing.record("migration", "certificate", made) == json.loads(file.read_text())
    written = typing.run("migration", "prove", made, "README.md", "--output", str(proof))
    assert (written.code, "Add --output" in written.out) == (0, False)

    key = moves.portal.client_as(None).get("/certificate-key").text
    assert "BEGIN PUBLIC KEY" in key
    (tmp_path / "key.pem").write_text(key)
    for words in (["--key-file", str(tmp_path / "key.pem")], ["--key", json.loads(file.read_text())["key"]["public"]]):
        ran = typing.run("certificate", "verify", str(file), *words, actor=None)
        assert (ran.code, "Checked against the key inside" in ran.out) == (0, False), ran.err
    alone = typing.run("certificate", "verify", str(file), actor=None)
    assert (alone.code, "Checked against the key inside" in alone.out) == (0, True)
    whole = typing.run("certificate", "verify", str(proof), "--object", str(source / "README.md"), actor=None)
    assert (whole.code, "same SHA-256" in whole.out) == (0, True), whole.err
    wrong = typing.run("certificate", "verify", str(proof), "--object", str(source / "empty.txt"), "--json", actor=None)
    assert (wrong.code, wrong.record["is_valid"]) == (1, False)

    file.write_text(file.read_text().replace('"read_back"', '"server"'))
    changed = typing.run("certificate", "verify", str(file), actor=None)
    assert (changed.code, "The signature does not fit" in changed.err) == (1, True)
    for text in ("{", "[]", '{"format": 1.5}', '{"a": 1, "a": 2}', '{"format": "storage-portal/certificate/1"}'):
        file.write_text(text)
        assert typing.run("certificate", "verify", str(file), actor=None).code == 1
    assert typing.run("certificate", "verify", str(tmp_path / "none.json"), actor=None).code == 1


def test_a_certificate_is_verified_by_a_process_that_can_reach_no_portal(
    moves: Moves, made: str, tmp_path: Path
) -> None:
    file, nowhere = tmp_path / "certificate.json", tmp_path / "a file"
    assert CommandLine(moves.portal).run("migration", "certificate", made, "--output", str(file)).code == 0
    nowhere.write_text("where a folder would have to be")
    database_url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    own = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    environment = own | {"PORTAL_DATA_DIR": str(nowhere / "data"), "PORTAL_DATABASE_URL": database_url}

    def verify() -> "subprocess.CompletedProcess[str]":
        command = [*PORTAL, "certificate", "verify", str(file)]
        return subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=90)

    valid = verify()
    assert (valid.returncode, valid.stderr) == (0, "")
    assert valid.stdout.startswith("Valid certificate.")
    file.write_text(file.read_text().replace('"read_back"', '"server"'))
    forged = verify()
    assert (forged.returncode, "The signature does not fit" in forged.stderr) == (1, True), forged.stderr


def test_the_page_shows_what_is_signed(moves: Moves, made: str, certificate: dict[str, Any]) -> None:
    ada = moves.portal.client_as("ada")
    assert f'href="/migrations/{made}/certificate"' in ada.get(f"/migrations/{made}").text
    page = ada.get(f"/migrations/{made}/certificate")
    assert page.status_code == 200
    for text in (
        certificate["signature"],
        certificate["statement"]["manifest"]["root"],
        "Read back",
        "Known by the SHA-256",
    ):
        assert text.replace("+", "&#43;") in page.text or text in page.text
    assert "This move was rolled back." not in page.text
    file = ada.get(f"/migrations/{made}/certificate.json")
    assert (file.json, "attachment" in file.headers["Content-Disposition"]) == (certificate, True)
    moves.wish(migrations.request_rollback, made)
    assert "This move was rolled back." in ada.get(f"/migrations/{made}/certificate").text
