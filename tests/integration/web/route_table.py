"""Every route of the portal and the least role it needs: the access policy of the pages, written down a second time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Answer(Enum):
    """What a request comes to."""

    SIGN_IN = "sent to the sign-in page"
    HIDDEN = "404"
    REFUSED = "403"
    GRANTED = "an answer that only depends on what was asked for"


class Need(Enum):
    """The least that a route asks for. The last word says on what."""

    PUBLIC = "nothing"
    SIGNED_IN = "an account"
    READ_STORAGE = "read on the storage location"
    WRITE_STORAGE = "write on the storage location"
    ADMIN_STORAGE = "admin of the storage location"
    READ_GROUP = "read on the instance or in the space"
    ADMIN_GROUP = "admin of the instance or space"
    ADMIN_CONTENT = "admin of the instance by a role: a portal admin reads no content without one"
    OWNER = "owner of the organisation"
    OWN_CONNECTION = "acting for the connection's owner"
    PORTAL_ADMIN = "portal admin"


#: What each of the people meets. rita reads, erik writes, uma is admin of lab/atlas and its spaces and nothing more;
#: otto has no role; pia is portal admin without any role; ada owns the organisation lab and is portal admin.
PEOPLE = ("anonymous", "otto", "rita", "erik", "uma", "pia", "ada")

_S, _H, _R, _G = Answer.SIGN_IN, Answer.HIDDEN, Answer.REFUSED, Answer.GRANTED

ANSWERS: Mapping[Need, tuple[Answer, ...]] = MappingProxyType(
    {
        #                    anonymous otto rita erik uma pia ada
        Need.PUBLIC: (_G, _G, _G, _G, _G, _G, _G),
        Need.SIGNED_IN: (_S, _G, _G, _G, _G, _G, _G),
        Need.READ_STORAGE: (_S, _H, _G, _G, _G, _H, _G),
        Need.WRITE_STORAGE: (_S, _H, _R, _G, _G, _H, _G),
        Need.ADMIN_STORAGE: (_S, _H, _R, _R, _G, _H, _G),
        Need.READ_GROUP: (_S, _H, _G, _G, _G, _G, _G),
        Need.ADMIN_GROUP: (_S, _H, _R, _R, _G, _G, _G),
        Need.ADMIN_CONTENT: (_S, _H, _R, _R, _G, _H, _G),
        Need.OWNER: (_S, _R, _R, _R, _R, _G, _G),
        Need.OWN_CONNECTION: (_S, _H, _H, _H, _H, _H, _G),
        Need.PORTAL_ADMIN: (_S, _R, _R, _R, _R, _G, _G),
    }
)


@dataclass(frozen=True)
class Route:
    """One method of one rule.

    Attributes:
        data: the form of a POST; `{name}` stands for what the world holds under that name.
        reaches: whether GRANTED may still be 404 because what the path names does not exist (a spent link).
    """

    need: Need
    data: Mapping[str, str] = field(default_factory=dict)
    reaches: bool = True


def _page(need: Need, **data: str) -> dict[str, Route]:
    """Return a form's page and what it is sent to."""
    return {"GET": Route(need), "POST": Route(need, data)}


def _get(need: Need) -> dict[str, Route]:
    return {"GET": Route(need)}


def _post(need: Need, **data: str) -> dict[str, Route]:
    return {"POST": Route(need, data)}


def _link(**data: str) -> dict[str, Route]:
    """Return the routes of a one-time link; the walk holds none that opens."""
    return {"GET": Route(Need.PUBLIC, reaches=False), "POST": Route(Need.PUBLIC, data, reaches=False)}


_BY_RULE: dict[str, dict[str, Route]] = {
    "/": _get(Need.PUBLIC),
    "/<handle>/infrastructure": _get(Need.SIGNED_IN),
    "/<handle>/infrastructure.<any(csv, json):kind>": _get(Need.SIGNED_IN),
    "/account": _page(Need.SIGNED_IN, old_password="wrong", password="a new battery staple"),
    "/account/details": _post(Need.SIGNED_IN, name="Somebody", email="somebody@example.org"),
    "/certificate-key": _get(Need.PUBLIC),
    "/connect-s3": _page(
        Need.SIGNED_IN,
        root="s3://somewhere/atlas",
        endpoint_url="https://192.0.2.1",
        access="access key",
        access_key_id="AKIAEXAMPLEEXAMPLE11",
        secret_access_key="never/printed",
        step="save",
    ),
    "/connect-s3/normalise": _post(Need.SIGNED_IN, root="s3://somewhere/atlas"),
    "/connections": _get(Need.SIGNED_IN),
    "/connections/<uid>": _get(Need.OWN_CONNECTION),
    "/connections/<uid>/delete": _page(Need.OWN_CONNECTION),
    "/connections/<uid>/scopes": _post(Need.OWN_CONNECTION, scope="another/atlas"),
    "/connections/<uid>/scopes/remove": _post(Need.OWN_CONNECTION, scope="somewhere"),
    "/connections/<uid>/secret": _post(
        Need.OWN_CONNECTION, access_key_id="AKIAEXAMPLEEXAMPLE11", secret_access_key="never/printed"
    ),
    "/events": _get(Need.SIGNED_IN),
    "/events.csv": _get(Need.SIGNED_IN),
    "/events.json": _get(Need.SIGNED_IN),
    "/go": _get(Need.SIGNED_IN),
    "/healthz": _get(Need.PUBLIC),
    "/hosts": _get(Need.SIGNED_IN),
    "/hosts/<name>/edit": _page(Need.PORTAL_ADMIN, description="The big one"),
    "/hosts/new": _page(Need.PORTAL_ADMIN, name="far-host"),
    "/infrastructure": _get(Need.SIGNED_IN),
    "/infrastructure.<any(csv, json):kind>": _get(Need.SIGNED_IN),
    "/instances": _get(Need.SIGNED_IN),
    "/instances/<uid>": _get(Need.READ_GROUP),
    "/instances/<uid>/attach": _page(Need.ADMIN_GROUP, path="{base}/lamin.db", step="save"),
    "/instances/<uid>/check": _post(Need.ADMIN_GROUP),
    "/instances/<uid>/collaborators": _post(Need.ADMIN_GROUP, handle="otto", role="read"),
    "/instances/<uid>/collaborators/<handle>/remove": _post(Need.ADMIN_GROUP),
    "/instances/<uid>/compare": _page(Need.ADMIN_CONTENT, which="all"),
    "/instances/<uid>/default-storage": _page(Need.ADMIN_CONTENT, storage="{managed}"),
    "/instances/<uid>/detach": _page(Need.ADMIN_GROUP, confirm="atlas"),
    "/instances/<uid>/edit": _page(Need.ADMIN_GROUP, description="Changed"),
    "/instances/<uid>/keep-local": _post(Need.ADMIN_CONTENT, storage="{managed}"),
    "/instances/<uid>/spaces": _post(Need.ADMIN_GROUP, space="{imaging}"),
    "/instances/<uid>/spaces/<space_uid>/detach": _post(Need.ADMIN_GROUP),
    "/instances/new": _page(Need.SIGNED_IN, name="second"),
    "/jobs": _get(Need.SIGNED_IN),
    "/link/<token>": _link(password="a new battery staple"),
    "/migrations": _get(Need.SIGNED_IN),
    "/migrations/<uid>": _get(Need.READ_STORAGE),
    "/migrations/<uid>/cancel": _page(Need.ADMIN_STORAGE),
    "/migrations/<uid>/certificate": _get(Need.READ_STORAGE),
    "/migrations/<uid>/certificate.json": _get(Need.READ_STORAGE),
    "/migrations/<uid>/check": _post(Need.ADMIN_STORAGE),
    "/migrations/<uid>/cut-over": _page(Need.ADMIN_STORAGE, confirm="cells", registry_changed="y"),
    "/migrations/<uid>/errors": _get(Need.READ_STORAGE),
    "/migrations/<uid>/errors.<any(csv, json):kind>": _get(Need.READ_STORAGE),
    "/migrations/<uid>/errors/retry": _post(Need.ADMIN_STORAGE, kind="conflict"),
    "/migrations/<uid>/limits": _page(Need.ADMIN_STORAGE, bandwidth="20 MB/s"),
    "/migrations/<uid>/pause": _post(Need.ADMIN_STORAGE),
    "/migrations/<uid>/release": _page(Need.ADMIN_STORAGE),
    "/migrations/<uid>/report": _get(Need.READ_STORAGE),
    "/migrations/<uid>/resume": _post(Need.ADMIN_STORAGE),
    "/migrations/<uid>/retry": _post(Need.ADMIN_STORAGE),
    "/migrations/<uid>/roll-back": _page(Need.ADMIN_STORAGE),
    "/migrations/<uid>/schedule": _page(Need.ADMIN_STORAGE, begins="20:00", ends="06:00", zone="UTC"),
    "/migrations/<uid>/start": _post(Need.ADMIN_STORAGE),
    "/migrations/<uid>/take-as-is": _page(Need.ADMIN_STORAGE),
    "/people": _get(Need.SIGNED_IN),
    "/people/<handle>": _get(Need.SIGNED_IN),
    "/people/<handle>/active": _post(Need.PORTAL_ADMIN, is_active="0"),
    "/people/<handle>/admin": _post(Need.PORTAL_ADMIN, is_portal_admin="1"),
    "/people/<handle>/edit": _page(Need.OWNER, name="The laboratory"),
    "/people/<handle>/link": _post(Need.PORTAL_ADMIN),
    "/people/<handle>/members": _post(Need.OWNER, handle="otto", role="member"),
    "/people/<handle>/members/<member>/remove": _post(Need.OWNER),
    "/people/new": _page(Need.PORTAL_ADMIN, handle="newcomer", email="newcomer@example.org"),
    "/people/organisations/new": _page(Need.SIGNED_IN, handle="guild"),
    "/readyz": _get(Need.PUBLIC),
    "/register-local-root": _page(Need.SIGNED_IN, path="{base}/third", host="portal-host"),
    "/settings": _get(Need.SIGNED_IN),
    "/settings/grants": _post(Need.PORTAL_ADMIN, handle="otto", root="{base}"),
    "/settings/grants/<int:grant_id>/revoke": _post(Need.PORTAL_ADMIN),
    "/setup/<token>": _link(handle="newcomer", password="a new battery staple"),
    "/sign-in": _page(Need.PUBLIC, handle="rita", password="wrong"),
    "/sign-out": _post(Need.PUBLIC),
    "/spaces": _get(Need.SIGNED_IN),
    "/spaces/<uid>": _get(Need.READ_GROUP),
    "/spaces/<uid>/edit": _page(Need.ADMIN_GROUP, description="Changed"),
    "/spaces/<uid>/members": _post(Need.ADMIN_GROUP, handle="otto", role="read"),
    "/spaces/<uid>/members/<handle>/remove": _post(Need.ADMIN_GROUP),
    "/spaces/new": _page(Need.SIGNED_IN, name="second"),
    "/storages/<uid>": _get(Need.READ_STORAGE),
    "/storages/<uid>/access": _get(Need.READ_STORAGE),
    "/storages/<uid>/artifacts": _get(Need.READ_STORAGE),
    "/storages/<uid>/artifacts.<any(csv, json):kind>": _get(Need.READ_STORAGE),
    "/storages/<uid>/artifacts/objects": _get(Need.READ_STORAGE),
    "/storages/<uid>/branch": _post(Need.ADMIN_STORAGE, branch="archive"),
    "/storages/<uid>/checks": {"GET": Route(Need.READ_STORAGE), "POST": Route(Need.WRITE_STORAGE)},
    "/storages/<uid>/contents": _get(Need.READ_STORAGE),
    "/storages/<uid>/delete": _page(Need.ADMIN_STORAGE, confirm="cells"),
    "/storages/<uid>/edit": _page(Need.WRITE_STORAGE, description="Changed", space="{imaging}", branch="main"),
    "/storages/<uid>/events": _get(Need.READ_STORAGE),
    "/storages/<uid>/lock": _post(Need.ADMIN_STORAGE, locked="1"),
    "/storages/<uid>/migrations": _get(Need.READ_STORAGE),
    "/storages/<uid>/move": _page(
        Need.ADMIN_STORAGE, target_connection_uid="local", target_root="{base}/moved", target_host="portal-host"
    ),
    "/theme": _post(Need.PUBLIC, theme="dark"),
}

ROUTES: Mapping[tuple[str, str], Route] = MappingProxyType(
    {(method, rule): route for rule, methods in _BY_RULE.items() for method, route in methods.items()}
)
