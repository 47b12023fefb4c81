"""What `members/_members.html` shows: who has which role on a space, an instance or in an organisation."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal.services import people
from portal.services.members import MemberRow
from portal.services.organisations import OrganisationMemberRow
from portal.services.work import Work
from portal.values import MembershipRole, Role
from portal.web import gate
from portal.web.forms.spaces import RoleForm

ROLES = tuple(role.value for role in Role)
ORGANISATION_ROLES = tuple(role.value for role in MembershipRole)

#: Most names offered while typing; more would only make the page heavy.
MOST_NAMES = 500


@dataclass(frozen=True, slots=True)
class MembersPanel:
    """One list of members.

    Attributes:
        rows: the members.
        url: a POST here grants a role; one to `url/HANDLE/remove` takes it.
        form: the form that adds one, with its errors.
        may_manage: whether the person may change anything.
        noun: what one of them is called.
        roles: what can be chosen.
        known: (handle, name) of people who may be added, offered while typing.
    """

    rows: Sequence[MemberRow | OrganisationMemberRow]
    url: str
    form: RoleForm
    may_manage: bool
    noun: str = "member"
    roles: tuple[str, ...] = ROLES
    known: tuple[tuple[str, str], ...] = ()


def known_people(work: Work) -> tuple[tuple[str, str], ...]:
    """Return (handle, name) of people and bots that can be added."""
    rows = [row for row in people.list_people(work) if row.is_active]
    return tuple((row.handle, row.name) for row in rows[:MOST_NAMES])


def has_left(handle: str) -> bool:
    """Tell whether the person has just removed itself and cannot see the page any more."""
    who = gate.actor()
    return handle == who.handle and not who.is_portal_admin


def organisation_form(form: RoleForm) -> RoleForm:
    """Let a role form offer what one can be in an organisation."""
    form.role.choices = {role: role for role in ORGANISATION_ROLES}
    return form
