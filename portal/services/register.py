"""Register a directory on a host as a local root. Nothing is created there but the marker of a writing instance."""

import os
from dataclasses import dataclass
from pathlib import Path

from portal.config import Settings
from portal.errors import InputError, Refused
from portal.models.ids import random_uid
from portal.permissions import Action, PortalTarget, allows
from portal.planning.names import check_host_name
from portal.planning.roots import expand_local, is_local, local_root, parse_root
from portal.services import marking
from portal.services.checks import elsewhere
from portal.services.connect import Outcome
from portal.services.hosts import ensure_host, find_host
from portal.services.placing import Placing, check_overlaps, place_of, settle
from portal.services.reach import bases_hint, make_door, within
from portal.services.registries.new_rows import warnings_of
from portal.services.server_grants import is_open
from portal.services.trials import Attempt, Trial, decide, try_root
from portal.services.units import Units
from portal.services.work import Work
from portal.values import Root

#: Directories of the system itself, whatever the base directories say.
_FORBIDDEN = ("/proc", "/sys", "/dev", "/etc")

#: How long a path may take to be looked at, seconds: a dead network file system never answers.
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RegisterLocal:
    """A directory to register, as forms and the command line give it.

    Attributes:
        path: as typed; `~` and relative paths only for this machine.
        host: the machine that sees it; empty for this one.
        space, instance, owner: references; empty for `all`, none (unmanaged), the actor.
        read_only: read-only by choice.
    """

    path: str
    host: str = ""
    space: str = ""
    instance: str = ""
    description: str = ""
    is_default: bool = False
    read_only: bool = False
    owner: str = ""

    @property
    def placing(self) -> Placing:
        """Return where the location goes."""
        return Placing(
            space=self.space or None,
            instance=self.instance or None,
            owner=self.owner or None,
            description=self.description,
            is_default=self.is_default,
        )


def register_local(units: Units, new: RegisterLocal, *, dry_run: bool = False) -> Outcome:
    """Register a directory; one on this machine is tried first, one on another machine is noted as not reached.

    Raises:
        Conflict: (root, host) is registered already; writable roots would overlap.
        InputError, Refused: the path cannot be used, or is not open to the actor.
        NotFound, PermissionDenied: a right is missing.
    """
    with units.reading() as work:
        settings = work.settings
    host = check_host_name(new.host.strip() or settings.host)
    root = resolve(settings, new.path, host)
    with units.reading() as work:
        attempt = prepare(work, new, root, host)
    if host == settings.host:
        require_directory(root)
        trial = try_root(attempt)
    else:
        trial = _untried(attempt)
    if dry_run or not trial.can_save:
        with units.reading() as work:
            marking.check_free(work, trial)
        return Outcome(trial, None)

    def recheck(work: Work) -> None:
        prepare(work, new, root, host)

    def links(work: Work) -> tuple[int | None, int | None]:
        may_add = host == settings.host or allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
        return None, (ensure_host(work, host) if may_add else find_host(work, host)).id

    return Outcome(trial, marking.save_tried(units, attempt, trial, recheck, links))


def prepare(work: Work, new: RegisterLocal, root: Root, host: str) -> Attempt:
    """Ask for every right and check the root against what is registered.

    Raises:
        Conflict, InputError, NotFound, PermissionDenied, Refused: see `register_local`.
    """
    settled = settle(work, new.placing)
    is_here = host == work.settings.host
    if not is_here and not allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget()):
        find_host(work, host)
    if not is_open(work, root):
        raise Refused(
            f"The directory {root} is not open to you.",
            hint="Ask a portal admin to open it, or one around it, to your account.",
            field="path",
        )
    is_writable = is_here and settled.instance_id is not None and not new.read_only
    warnings = check_overlaps(work, place_of(root, host, is_writable=is_writable))
    return Attempt(
        door=make_door(work.settings, root, None, host),
        settled=settled,
        uid=random_uid(),
        read_only=new.read_only or not is_here,
        may_try_writing=settled.instance_id is not None,
        warnings=(*warnings, *warnings_of(work, settled)),
    )


def resolve(settings: Settings, text: str, host: str) -> Root:
    """Return the root a path means on `host`, having refused what may never be one.

    Raises:
        InputError: no such directory, `..`, not a path.
        Refused: outside of the base directories, of the system, or the portal's own.
        Unreachable: the file system does not answer.
    """
    try:
        _refuse_shape(text, is_here=host == settings.host)
        if host != settings.host:
            root = parse_root(text, home="/", cwd="/")
            _refuse_system(root.path, ())
            return root
        path = expand_local(text, home=str(Path.home()), cwd=str(Path.cwd()))
        return within(LOOK_SECONDS, lambda: _resolve_here(settings, path), f"{path} does not answer.")
    except InputError as error:
        raise InputError(error.message, hint=error.hint, field="path") from error


def _refuse_shape(text: str, *, is_here: bool) -> None:
    typed = text.strip()
    parse_root(text, home="/", cwd="/")  # what LaminDB refuses in any root
    if not is_local(typed):
        raise InputError(f"{typed} is not a path.", hint="Connect a bucket with Connect S3 bucket.")
    if ".." in typed.split("/"):
        raise InputError("The path contains “..”, which leads out of a directory.", hint="Type the whole path.")
    if not is_here and not typed.removeprefix("file://").startswith("/"):
        raise InputError("The portal cannot see this host, so it cannot complete the path.", hint="Type all of it.")


def _resolve_here(settings: Settings, path: str) -> Root:
    typed = os.path.normpath(path)
    _refuse_system(typed, settings.local_bases)
    real = os.path.realpath(path)
    _refuse_system(real, settings.local_bases)
    if not any(Path(real).is_relative_to(base) for base in settings.local_bases):
        if any(Path(typed).is_relative_to(base) for base in settings.local_bases):
            raise Refused(
                f"{typed} leads out of the base directories by a symbolic link.",
                hint=bases_hint(settings.local_bases),
                field="path",
            )
        raise Refused(f"{typed} is not allowed.", hint=bases_hint(settings.local_bases), field="path")
    data = settings.data_dir
    if Path(real).is_relative_to(data) or data.is_relative_to(real):
        raise Refused(f"{typed} holds the portal's own data.", hint="Choose another directory.", field="path")
    return local_root(real)


def require_directory(root: Root) -> None:
    """Refuse a directory that is not there; asked last, so that only those it is open to learn what exists.

    Raises:
        InputError: there is none; the field is `path`.
        Unreachable: the file system does not answer.
    """
    if not within(LOOK_SECONDS, Path(root.path).is_dir, f"{root} does not answer."):
        raise InputError(
            f"There is no directory {root} on this host.",
            hint="Make it first: the portal creates no directory by itself.",
            field="path",
        )


def _refuse_system(path: str, bases: tuple[Path, ...]) -> None:
    for forbidden in _FORBIDDEN:
        if path == forbidden or path.startswith(forbidden + "/"):
            hint = bases_hint(bases) if bases else "Choose a directory that holds data."
            raise Refused(f"{forbidden} is not allowed.", hint=hint, field="path")


def _untried(attempt: Attempt) -> Trial:
    """Return what can be said of a root on another host: nothing was tried, so nothing may be written."""
    return decide(attempt, attempt.door, (elsewhere(attempt.door),), None)
