"""Both sides of a comparison as plain values: an instance's rows, and the portal's locations that could be them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import joinedload

from portal.config import Settings
from portal.errors import PortalError
from portal.lamindb.registry.rows import RegistryContent, RegistryStorage
from portal.models import Host, Reference, Registry, Space, Storage
from portal.permissions import Action, OwnerTarget, PortalTarget, SpaceTarget, allows
from portal.planning.reconcile import Comparing, Ours, Theirs
from portal.planning.roots import parse_root
from portal.services.access import among, storage_target
from portal.services.claims import moving_ids
from portal.services.reach import root_of
from portal.services.register import resolve
from portal.services.server_grants import is_open
from portal.services.work import Work
from portal.values import ALL_SPACE_UID, Branch, Root, StorageType

#: How many texts one statement names.
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Meant:
    """What a row's root means. `root` None: the portal takes no such root, and `problem` says why."""

    root: Root | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SpaceMeant:
    """The portal's space for one of the instance's: its row id, or what keeps it from being used.

    `space_id` None and no `problem`: there is none yet, and one can be made.
    """

    key: str
    name: str
    space_id: int | None
    problem: str = ""


def comparing_of(work: Work, registry: Registry) -> Comparing:
    """Return what a comparison with this registry needs beside both sides."""
    return Comparing(work.settings.host, registry.instance_uid, registry.instance_id)


def meanings(settings: Settings, content: RegistryContent) -> dict[int, Meant]:
    """Return what each row's root means, by row id. Asks the disk about local roots: not within a transaction."""
    return {row.row_id: _meaning(settings, row) for row in content.storages}


def _meaning(settings: Settings, row: RegistryStorage) -> Meant:
    try:
        root = parse_root(row.root, home="/", cwd="/")
        if root.type is not StorageType.LOCAL:
            return Meant(root)
        if not row.root.removeprefix("file://").startswith("/"):
            return Meant(None, f"{row.root or 'An empty root'} means another directory to every session.")
        return Meant(resolve(settings, root.path, row.host or settings.host))
    except PortalError as error:
        assumed = row.type == StorageType.LOCAL and not row.host
        why = f"Its row names no host, so {settings.host} is assumed." if assumed else ""
        return Meant(None, f"{error} {why}".strip())


def theirs_of(
    work: Work, registry: Registry, content: RegistryContent, meant: dict[int, Meant]
) -> tuple[list[Theirs], dict[str, SpaceMeant]]:
    """Return the instance's rows, and what stands for their spaces here, by the key in the rows."""
    spaces = {row.space_uid: _space(work, registry, row) for row in content.storages}
    rows = [_theirs(work, registry, row, meant[row.row_id], spaces[row.space_uid]) for row in content.storages]
    return rows, {space.key: space for space in spaces.values()}


def _theirs(work: Work, registry: Registry, row: RegistryStorage, meant: Meant, space: SpaceMeant) -> Theirs:
    known = {int(branch): branch.label for branch in Branch}.get(row.branch_id, Branch.MAIN.label)
    return Theirs(
        row_id=row.row_id,
        uid=row.uid,
        root=row.root,
        normal=meant.root,
        problem=meant.problem or _closed(work, row, meant.root) or space.problem,
        region=None if row.type == StorageType.LOCAL else row.region,
        host=row.host,
        description=row.description or "",
        instance_uid=row.instance_uid,
        space_key=space.key,
        space=row.space_name,
        branch=row.branch_name,
        known_branch=known,
        is_locked=row.is_locked,
        is_own=row.instance_uid == registry.instance_uid,
    )


def _closed(work: Work, row: RegistryStorage, root: Root | None) -> str:
    """Return why a local root may not become a location here: what a registry says opens no directory to anybody."""
    if root is None or root.type is not StorageType.LOCAL:
        return ""
    if not is_open(work, root):
        return f"The directory {root} is not open to you. Ask a portal admin to open it to your account."
    host = row.host or work.settings.host
    is_known = host == work.settings.host or work.session.scalar(select(Host.id).where(Host.name == host)) is not None
    if not is_known and not allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget()):
        return f"There is no host {host} here. A portal admin adds hosts, and a runner adds its own."
    return ""


def _space(work: Work, registry: Registry, row: RegistryStorage) -> SpaceMeant:
    """Return the space of the same uid, else one of the same name and the instance's owner, else one to be made."""
    if row.space_uid == ALL_SPACE_UID:
        return SpaceMeant(ALL_SPACE_UID, "all", work.session.scalar(select(Space.id).where(Space.uid == ALL_SPACE_UID)))
    named = select(Space).where(
        Space.owner_id == registry.instance.owner_id, func.lower(Space.name) == row.space_name.lower()
    )
    space = work.session.scalar(select(Space).where(Space.uid == row.space_uid)) or work.session.scalar(named)
    if space is None:
        return SpaceMeant(f"new {row.space_uid}", row.space_name, None, _no_space_to_make(work, registry))
    problem = ""
    if not allows(work.actor, Action.SPACE_PLACE_STORAGE, SpaceTarget(space.id)):
        problem = f"Its space {row.space_name} is one you are not admin of."
    return SpaceMeant(space.uid, space.name, space.id, problem)


def _no_space_to_make(work: Work, registry: Registry) -> str:
    if allows(work.actor, Action.SPACE_CREATE, OwnerTarget(registry.instance.owner_id)):
        return ""
    return "Its space is not here, and only who acts for the instance's owner makes one."


def ours_of(work: Work, registry: Registry, rows: Sequence[Theirs]) -> list[Ours]:
    """Return the portal's locations that could be the instance's rows, and those it has references to."""
    storages = _candidates(work, registry, rows)
    ids = list(storages)
    referred = {
        reference.storage_id: reference
        for reference in work.session.scalars(select(Reference).where(Reference.instance_id == registry.instance_id))
    }
    others = dict(
        work.session.execute(
            select(Reference.storage_id, func.count())
            .where(Reference.instance_id != registry.instance_id, among(Reference.storage_id, ids))
            .group_by(Reference.storage_id)
        ).all()
    )
    moving = moving_ids(work, storages.values())
    return [
        _ours(work, storage, referred.get(storage.id), others.get(storage.id, 0), is_moving=storage.id in moving)
        for storage in storages.values()
    ]


def _ours(work: Work, storage: Storage, reference: Reference | None, others: int, *, is_moving: bool) -> Ours:
    target = storage_target(storage)
    return Ours(
        storage_id=storage.id,
        uid=storage.uid,
        root=root_of(storage),
        host=storage.host.name if storage.host else None,
        region=storage.region,
        description=storage.description,
        instance_uid=storage.instance_uid,
        instance_id=storage.instance_id,
        space_key=storage.space.uid,
        space=storage.space.name,
        branch=Branch(storage.branch_id).label,
        is_locked=storage.is_locked,
        row_id=reference.row_id if reference else None,
        ref_uid=reference.uid if reference else None,
        other_references=others,
        is_visible=allows(work.actor, Action.STORAGE_READ, target),
        may_change=allows(work.actor, Action.STORAGE_MANAGE, target),
        why_fixed="It is being moved. Finish or cancel the migration first." if is_moving else "",
    )


def _candidates(work: Work, registry: Registry, rows: Sequence[Theirs]) -> dict[int, Storage]:
    """Return the locations by uid, by the texts a root can have here, and those of references."""
    kept: dict[int, Storage] = {}
    refers = select(Reference.storage_id).where(Reference.instance_id == registry.instance_id)
    conditions: list[ColumnElement[bool]] = [Storage.id.in_(refers)]
    for part in _chunks(rows):
        buckets = {f"s3://{row.normal.bucket}" for row in part if row.normal and row.normal.type is StorageType.S3}
        named = [Storage.root == start for start in buckets] + [
            Storage.root.startswith(start + mark, autoescape=True) for start in sorted(buckets) for mark in "/?"
        ]
        texts = {row.normal.text for row in part if row.normal}
        conditions.append(or_(Storage.uid.in_([row.uid for row in part]), Storage.root.in_(texts), *named))
    for condition in conditions:
        query = select(Storage).options(joinedload(Storage.host), joinedload(Storage.space)).where(condition)
        kept |= {storage.id: storage for storage in work.session.scalars(query)}
    return kept


def _chunks(rows: Sequence[Theirs]) -> Iterable[Sequence[Theirs]]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
