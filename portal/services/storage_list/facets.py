"""What the filter menus offer."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, literal, null, select, union_all

from portal.models import Account, Host, Instance, Space
from portal.services.storage_list.filters import NO_INSTANCE
from portal.services.work import Work
from portal.values import ALL_SPACE_ID, ALL_SPACE_UID, Branch, Mode, StorageType

#: A menu with more is no help; the search field and the address still take every value.
MOST_CHOICES = 300


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter: as the address writes it, and as people read it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Facets:
    """The choices of each filter, in the order they are shown."""

    types: tuple[Choice, ...]
    spaces: tuple[Choice, ...]
    instances: tuple[Choice, ...]
    hosts: tuple[Choice, ...]
    modes: tuple[Choice, ...]
    branches: tuple[Choice, ...]


TYPE_LABELS = {
    StorageType.LOCAL: "Local",
    StorageType.S3: "S3",
    StorageType.GS: "GCS",
    StorageType.HF: "Hugging Face",
    StorageType.HTTP: "HTTP",
    StorageType.HTTPS: "HTTPS",
}

_TYPES = tuple(Choice(kind.value, label) for kind, label in TYPE_LABELS.items())
_MODES = tuple(Choice(mode.value, mode.value.capitalize()) for mode in Mode)
_BRANCHES = tuple(Choice(branch.label, branch.label.capitalize()) for branch in reversed(Branch))


def _choices() -> Select[Any]:
    """Return the query for spaces, instances and hosts, each with a limit: (kind, value, label, owner)."""
    spaces = (
        select(literal("space").label("kind"), Space.uid.label("value"), Space.name.label("label"), Account.handle)
        .outerjoin(Account, Account.id == Space.owner_id)
        .where(Space.id.in_(bindparam("spaces", expanding=True, literal_execute=True)))
        .limit(MOST_CHOICES)
    )
    instances = (
        select(literal("instance"), Instance.slug, Instance.slug, null())
        .where(Instance.id.in_(bindparam("instances", expanding=True, literal_execute=True)))
        .limit(MOST_CHOICES)
    )
    hosts = select(literal("host"), Host.name, Host.name, null()).limit(MOST_CHOICES)
    # SQLite takes a limit only in a query of its own.
    return select(union_all(*(select(part.subquery()) for part in (spaces, instances, hosts))).subquery())


_CHOICES = _choices()


def list_facets(work: Work) -> Facets:
    """Return the choices in the actor's reach: one query over small tables, none over the locations."""
    reach = {"spaces": [ALL_SPACE_ID, *work.actor.spaces], "instances": list(work.actor.instances)}
    found: dict[str, list[Choice]] = {"space": [], "instance": [], "host": []}
    for kind, value, label, owner in work.session.execute(_CHOICES, reach):
        found[kind].append(Choice(value, f"{owner}/{label}" if owner else label))
    for choices in found.values():
        choices.sort(key=lambda choice: (choice.value != ALL_SPACE_UID, choice.label.lower(), choice.value))
    return Facets(
        types=_TYPES,
        spaces=tuple(found["space"]),
        instances=(Choice(NO_INSTANCE, "none"), *found["instance"]),
        hosts=tuple(found["host"]),
        modes=_MODES,
        branches=_BRANCHES,
    )
