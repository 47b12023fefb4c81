"""Rules for names people choose: handles, instances, spaces."""

import re
from collections.abc import Collection

from portal.errors import InputError

#: First parts of the portal's own addresses, now or likely later: `/<handle>/infrastructure` must never hide one.
RESERVED_HANDLES = frozenset(
    """
    about account accounts all anonymous api assets auth billing certificate certificates check checks connect
    connection connections contents create delete docs edit error errors event events export favicon healthz help
    home host hosts hub infrastructure instance instances invitation invitations invite join login logout me
    metrics migration migrations new null organisation organisations organization organizations password people
    public readyz register robots root runner runners search security server session sessions settings setup sign-
    in sign-out sign-up signin signout signup space spaces static status storage storages support system team teams
    trash user users well-known www
    """.split()  # noqa: SIM905 - eighty words read better as text than as a list
)

_HANDLE = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
_INSTANCE = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
_MAX_INSTANCE_CHARACTERS = 100
_MAX_SPACE_CHARACTERS = 100
_MAX_HOST_CHARACTERS = 64


def check_handle(text: str, reserved: Collection[str] = RESERVED_HANDLES) -> str:
    """Return a handle that may be taken: 2 to 39 lower-case letters, digits and single hyphens, no route word.

    Two hyphens in a row are LaminDB's separator of owner and instance in its settings files.

    Raises:
        InputError: with the rule that is broken; the field is `handle`.
    """
    handle = text.strip()
    if not 2 <= len(handle) <= 39 or not _HANDLE.match(handle):
        raise InputError(
            f"“{handle}” cannot be a handle.",
            hint="Use 2 to 39 lower-case letters, digits and single hyphens, with a letter or digit at both ends.",
            field="handle",
        )
    if handle in reserved:
        raise InputError(f"“{handle}” is a word of the portal's own addresses.", hint="Choose another.", field="handle")
    return handle


def check_instance_name(text: str) -> str:
    """Return an instance name: up to 100 letters, digits, dots, hyphens and underscores, never two hyphens in a row.

    Raises:
        InputError: with the rule that is broken; the field is `name`.
    """
    name = text.strip()
    if len(name) > _MAX_INSTANCE_CHARACTERS or "--" in name or not _INSTANCE.match(name):
        raise InputError(
            f"“{name}” cannot be the name of an instance.",
            hint="Use letters, digits, dots, underscores and single hyphens, with a letter or digit at both ends.",
            field="name",
        )
    return name


def check_space_name(text: str) -> str:
    """Return a space name: up to 100 characters of one line without a slash; `all` is LaminDB's own.

    Raises:
        InputError: with the rule that is broken; the field is `name`.
    """
    name = " ".join(text.split())
    if not name or len(name) > _MAX_SPACE_CHARACTERS or not name.isprintable() or "/" in name:
        raise InputError(
            "A space needs a name of 1 to 100 characters without a slash.", hint="Type another one.", field="name"
        )
    if name.casefold() == "all":
        raise InputError("The space “all” is there in every instance.", hint="Choose another name.", field="name")
    return name


def check_host_name(text: str) -> str:
    """Return a host name: up to 64 printable characters without space, slash or colon, as PORTAL_HOST takes.

    Raises:
        InputError: with the rule that is broken; the field is `name`.
    """
    name = text.strip()
    if not name or len(name) > _MAX_HOST_CHARACTERS or not name.isprintable() or any(mark in name for mark in " /:"):
        raise InputError(
            f"“{name}” cannot be the name of a host.",
            hint="Use at most 64 characters without space, slash or colon.",
            field="name",
        )
    return name
