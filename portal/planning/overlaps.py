"""Find out which registered roots share objects with a new one: equal, inside or around it.

Paths are compared part by part (`data` does not contain `data2`), local ones per host, S3 ones per endpoint. Stored
roots stay verbatim; what is normalised here is only for comparing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from portal.values import Root, StorageType

_AWS_ENDPOINT = re.compile(r"^s3([.-][a-z0-9-]+)*\.amazonaws\.com$")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A root where it lies.

    Attributes:
        root: the normalised root.
        host: name of the host that sees a local root; None for every other kind.
        is_writable: whether an instance writes to it through its own location.
        name: what messages call it; empty for its root's text.
    """

    root: Root
    host: str | None = None
    is_writable: bool = True
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.root)


class Relation(StrEnum):
    """How a new root lies to a registered one."""

    EQUAL = "equal"
    INSIDE = "inside"
    AROUND = "around"


@dataclass(frozen=True, slots=True)
class Overlap:
    """A registered root that shares objects with a new one.

    Attributes:
        relation: how the new root lies to the other.
        other: the registered root.
        is_refused: equal roots, and a writable one inside another writable one; else it is only a warning.
    """

    relation: Relation
    other: Place
    is_refused: bool

    def __str__(self) -> str:
        words = {
            Relation.EQUAL: f"The root is registered already: {self.other}.",
            Relation.INSIDE: f"The root lies inside {self.other}.",
            Relation.AROUND: f"The root contains {self.other}.",
        }
        return words[self.relation]


def is_same(first: Place, second: Place) -> bool:
    """Tell whether two roots hold the same objects."""
    return _key(first) == _key(second)


def contains(outer: Place, inner: Place) -> bool:
    """Tell whether every object of `inner` is one of `outer` too; a root contains itself."""
    outer_store, outer_path = _key(outer)
    inner_store, inner_path = _key(inner)
    return outer_store == inner_store and inner_path.startswith(outer_path)


def overlap(new: Place, others: Iterable[Place]) -> tuple[Overlap, ...]:
    """Return every place of `others` that shares objects with `new`, refusals first."""
    found = [entry for other in others if (entry := _compare(new, other)) is not None]
    return tuple(sorted(found, key=lambda entry: not entry.is_refused))


def nested_prefixes(outer: Place, others: Iterable[Place]) -> tuple[str, ...]:
    """Return the prefixes of `outer` at which other roots lie, sorted, each ending in `/`; a plan leaves them out."""
    start = _key(outer)[1]
    inside = {_key(other)[1][len(start) :] for other in others if contains(outer, other) and not is_same(outer, other)}
    return tuple(sorted(inside))


def _compare(new: Place, other: Place) -> Overlap | None:
    if is_same(new, other):
        return Overlap(Relation.EQUAL, other, is_refused=True)
    both_writable = new.is_writable and other.is_writable
    if contains(other, new):
        return Overlap(Relation.INSIDE, other, is_refused=both_writable)
    if contains(new, other):
        return Overlap(Relation.AROUND, other, is_refused=both_writable)
    return None


def _key(place: Place) -> tuple[tuple[str, ...], str]:
    """Return the store (where paths can be compared) and the path below it, ending in `/` so that parts are whole."""
    root = place.root
    match root.type:
        case StorageType.LOCAL:
            return ("local", place.host or ""), f"{root.path.rstrip('/')}/"
        case StorageType.S3:
            return ("s3", _endpoint_key(root.endpoint_url), root.bucket), _folder(root.path)
        case StorageType.HTTP | StorageType.HTTPS:
            return ("web", root.bucket.lower()), _folder(root.path)
        case _:
            return (root.type.value, root.bucket), _folder(root.path)


def _folder(path: str) -> str:
    return f"{path}/" if path else ""


def _endpoint_key(endpoint_url: str | None) -> str:
    """Return one text for every way of writing an endpoint, without its scheme; empty for AWS."""
    if endpoint_url is None:
        return ""
    parts = urlsplit(endpoint_url)
    host = (parts.hostname or "").rstrip(".")
    if _AWS_ENDPOINT.match(host):
        return ""
    port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    return host + port + parts.path.rstrip("/")
