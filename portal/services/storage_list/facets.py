"""What the filter menus offer."""

from dataclasses import dataclass

from sqlalchemy import select

from portal.models import Account, Host, Instance, Space
from portal.services.storage_list.filters import NO_INSTANCE
from portal.services.work import Work
from portal.values import ALL_SPACE_ID, Branch, Mode, StorageType

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


def list_facets(work: Work) -> Facets:
    """Return the choices in the actor's reach: three queries over small tables, none over the locations."""
    spaces = work.session.execute(
        select(Space.uid, Space.name, Account.handle)
        .outerjoin(Account, Account.id == Space.owner_id)
        .where(Space.id.in_([ALL_SPACE_ID, *work.actor.spaces]))
        .order_by(Space.id != ALL_SPACE_ID, Space.name, Account.handle)
        .limit(MOST_CHOICES)
    )
    instances = work.session.scalars(
        select(Instance.slug).where(Instance.id.in_(list(work.actor.instances))).order_by(Instance.slug)
        .limit(MOST_CHOICES)
    )  # fmt: skip
    hosts = work.session.scalars(select(Host.name).order_by(Host.name).limit(MOST_CHOICES))
    return Facets(
        types=_TYPES,
        spaces=tuple(Choice(uid, f"{owner}/{name}" if owner else name) for uid, name, owner in spaces),
        instances=(Choice(NO_INSTANCE, "none"), *(Choice(slug, slug) for slug in instances)),
        hosts=tuple(Choice(name, name) for name in hosts),
        modes=_MODES,
        branches=_BRANCHES,
    )
