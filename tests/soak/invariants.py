"""What must hold whatever happened. Each check fails with words that name what is broken."""

from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session
from sqlalchemy import select

from portal.models import Event, Migration, Storage
from portal.planning.states import MOVES, SWITCHED, MigrationState
from portal.services.migrations import MigrationView
from tests.integration.moves import picture
from tests.integration.world import Portal
from tests.soak.processes import CrashingS3
from tests.soak.scene import Scene, digest, hashes, tree

_S = MigrationState
_NOT_FOR_PEOPLE = ("Traceback", "Error(", "Exception", "None", "object at 0x", "Something broke", "BrokenProcessPool")

#: States in which either root may be the registry's: a rollback switches before it is over.
_BETWEEN = frozenset({_S.ROLLING_BACK})


def check_registry(portal: Portal, migration_uid: str) -> None:
    """Check that the location names the root that the migration's state says, both read at once."""
    with portal.read_as("ada") as work:
        query = select(Migration, Storage).join(Storage).where(Migration.uid == migration_uid)
        migration, storage = work.session.execute(query).one()
        state, root = _S(migration.state), storage.root
        ends = (migration.source_root, migration.target_root)
    if state in _BETWEEN:
        assert root in ends, f"the location names {root}, which is neither end"
        return
    wanted = ends[1] if state in SWITCHED else ends[0]
    assert root == wanted, f"the migration is {state}, but the location names {root}"


def check_limits(portal: Portal, migration_uid: str) -> None:
    """Check that the error budget is the one that the last event about it tells: both were written, or neither."""
    with portal.read_as("ada") as work:
        budget = work.session.scalars(select(Migration.max_errors).where(Migration.uid == migration_uid)).one()
        query = select(Event).where(Event.target_uid == migration_uid, Event.action == "migration.limits-changed")
        told = [event.after["errors"] for event in work.session.scalars(query.order_by(Event.id)) if event.after]
    assert budget == (told[-1] if told else None), f"the budget is {budget}, and the events tell {told}"


def check_words(view: MigrationView) -> None:
    """Check that a person understands where a migration stopped."""
    if view.state is _S.PLANNED and not view.message:
        return
    assert view.message or view.state is _S.PAUSED, f"{view.state} without a word"
    words = f"{view.message} {view.hint}"
    assert not any(part in words for part in _NOT_FOR_PEOPLE), f"not for people: {words}"


def check_source(scene: Scene, *, was_rolled_back: bool = False) -> None:
    """Check that nothing at the old root was changed or deleted but by the run itself."""
    now = picture(scene.old)
    for key, was in scene.pristine.items():
        assert now.get(key) == was, f"{key} changed at the old root: {was} became {now.get(key)}"
    here = tree(scene.old)
    wanted = hashes(scene.expected | scene.marker)
    if was_rolled_back:
        extra = {key: value for key, value in here.items() if key not in wanted}
        check_brought_back(scene, here)
        allowed = set(scene.written) | {key for key in extra if ".rewritten-" in key}
        assert set(extra) <= allowed, f"foreign objects at the old root: {sorted(set(extra) - allowed)}"
        here = {key: value for key, value in here.items() if key in wanted}
    assert here == wanted, f"the old root differs: {differences(here, wanted)}"


def check_brought_back(scene: Scene, here: dict[str, str]) -> None:
    """Check that everything written at the new root since the cut-over is at the old one, rewritten objects beside."""
    for key, data in scene.written.items():
        if key in scene.expected:
            beside = [value for name, value in here.items() if name.startswith(f"{key}.rewritten-")]
            assert digest(data) in beside, f"{key}, rewritten since the cut-over, is not beside the old one"
        else:
            assert here.get(key) == digest(data), f"{key}, written since the cut-over, was not brought back"


def check_target_equal(scene: Scene, *, with_marker: bool) -> None:
    """Check that the target holds the source, byte for byte, and what was its own."""
    wanted = hashes(scene.foreign | scene.expected | (scene.marker if with_marker else {}))
    found = tree(scene.new)
    assert found == wanted, f"the target differs: {differences(found, wanted)}"


def check_target_honest(scene: Scene, *, is_half_way: bool = False) -> None:
    """Check that nothing at the target was overwritten, and all else is what the source once held.

    Half-way there may be temporaries too: a worker whose runner was killed ends what it was at, and the next one tidies
    up when it goes on.
    """
    found = tree(scene.new)
    for key, data in scene.foreign.items():
        assert found.get(key) == digest(data), f"{key} was the target's own and was changed"
    known = hashes(scene.written | scene.marker)
    for key, value in found.items():
        if is_half_way and "/_portal/" in key:
            continue
        is_known = value in scene.history.get(key, set()) or known.get(key) == value or key in scene.foreign
        assert is_known, f"{key} at the target is nothing the source ever held"


def check_tidy(scene: Scene, s3: CrashingS3, buckets: list[str]) -> None:
    """Check that no temporary is left on either side, and no upload in parts."""
    for folder in (scene.old, scene.new):
        left = [key for key in tree(folder) if "/_portal/" in key or "/_probe/" in key]
        assert not left, f"temporaries left: {left}"
    client = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=s3.endpoint_url,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    for bucket in buckets:
        try:
            uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        except ClientError as error:
            # What the test server says of a bucket that never had any.
            assert error.response["Error"]["Code"] == "NoSuchUpload", error  # noqa: PT017 - the other path is no failure
            continue
        for item in uploads:
            # One without parts holds no bytes: a kill between starting it and putting its record leaves it.
            named = {"Bucket": bucket, "Key": item["Key"], "UploadId": item["UploadId"]}
            parts = client.list_parts(**named).get("Parts", [])
            assert not parts, f"an upload of {item['Key']} was left with {len(parts)} parts"


def check_story(portal: Portal, migration_uid: str, final: MigrationState) -> list[str]:
    """Check that the events tell every state in order, by legal moves only, up to the present one; return them."""
    with portal.read_as("ada") as work:
        query = select(Event).where(Event.target_uid == migration_uid).order_by(Event.id)
        rows = [(row.action, row.before or {}, row.after or {}) for row in work.session.scalars(query)]
    story = [action for action, _, _ in rows]
    state: str | None = None
    for action, before, after in rows:
        state = _follow(action, state, before, after)
    assert state == final, f"the events end at {state}, the migration is {final}: {story}"
    return story


def _follow(action: str, state: str | None, before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """Return the state after an event."""
    if "state" not in after or "state" not in before:
        return after.get("state", state) if state is None else state
    assert state in (None, before["state"]), f"{action} begins at {before['state']}, the one before ended at {state}"
    assert after["state"] in MOVES[_S(before["state"])].values(), f"{action}: no such move"
    following: str = after["state"]
    return following


def differences(found: dict[str, str], wanted: dict[str, str]) -> str:
    """Say in words how two trees differ."""
    missing = sorted(set(wanted) - set(found))
    extra = sorted(set(found) - set(wanted))
    other = sorted(key for key in set(found) & set(wanted) if found[key] != wanted[key])
    return f"missing {missing[:5]}, too many {extra[:5]}, other bytes {other[:5]}"
