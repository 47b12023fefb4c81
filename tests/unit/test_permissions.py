"""The access policy as tables."""

import pytest

from portal.errors import NotFound, PermissionDenied
from portal.permissions import (
    Action,
    InstanceTarget,
    OwnerTarget,
    PortalTarget,
    SpaceTarget,
    StorageTarget,
    Target,
    allows,
    explain_storage,
    require,
)
from portal.values import ALL_SPACE_ID, ANONYMOUS, Actor, Role

R, W, A = Role.READ, Role.WRITE, Role.ADMIN
INSTANCE, SPACE, ME, OTHER = 10, 20, 1, 2


def actor(on_instance: Role | None = None, in_space: Role | None = None, is_portal_admin: bool = False) -> Actor:
    """Somebody with up to two roles, who owns only what is its own."""
    return Actor(
        account_id=ME,
        handle="me",
        instances={} if on_instance is None else {INSTANCE: on_instance},
        spaces={} if in_space is None else {SPACE: in_space},
        owners=frozenset({ME}),
        is_portal_admin=is_portal_admin,
    )


@pytest.mark.parametrize(
    ("on_instance", "in_space", "expected"),
    [
        (None, None, None),
        (A, None, None),
        (None, A, None),
        (R, A, R),
        (A, R, R),
        (W, A, W),
        (A, W, W),
        (A, A, A),
    ],
)
def test_with_a_writing_instance_the_lower_of_two_roles_counts(
    on_instance: Role | None, in_space: Role | None, expected: Role | None
) -> None:
    # Being its owner adds nothing: the instance governs.
    assert explain_storage(actor(on_instance, in_space), StorageTarget(INSTANCE, SPACE, ME)).role is expected


@pytest.mark.parametrize("role", [None, R, W, A])
def test_in_the_space_all_the_role_on_the_instance_counts(role: Role | None) -> None:
    assert explain_storage(actor(role, A), StorageTarget(INSTANCE, ALL_SPACE_ID, ME)).role is role


@pytest.mark.parametrize(
    ("owner", "in_space", "expected"),
    [(ME, None, A), (ME, R, A), (OTHER, None, None), (OTHER, R, R), (OTHER, W, W), (OTHER, A, A)],
)
def test_without_a_writing_instance_owner_or_space_count(
    owner: int, in_space: Role | None, expected: Role | None
) -> None:
    assert explain_storage(actor(A, in_space), StorageTarget(None, SPACE, owner)).role is expected


STORAGE = StorageTarget(INSTANCE, ALL_SPACE_ID, OTHER)
NEEDS: dict[Action, tuple[Target, Role]] = {
    Action.STORAGE_READ: (STORAGE, R),
    Action.STORAGE_DESCRIBE: (STORAGE, W),
    Action.STORAGE_CHECK: (STORAGE, W),
    Action.STORAGE_MANAGE: (STORAGE, A),
    Action.STORAGE_MOVE: (STORAGE, A),
    Action.STORAGE_DELETE: (STORAGE, A),
    Action.INSTANCE_READ: (InstanceTarget(INSTANCE), R),
    Action.INSTANCE_MANAGE: (InstanceTarget(INSTANCE), A),
    Action.INSTANCE_WRITE_STORAGE: (InstanceTarget(INSTANCE), A),
    Action.SPACE_READ: (SpaceTarget(SPACE), R),
    Action.SPACE_MANAGE: (SpaceTarget(SPACE), A),
    Action.SPACE_PLACE_STORAGE: (SpaceTarget(SPACE), A),
}


@pytest.mark.parametrize("action", sorted(NEEDS))
@pytest.mark.parametrize("role", [None, R, W, A])
def test_an_action_needs_its_role_and_no_more(action: Action, role: Role | None) -> None:
    target, needed = NEEDS[action]
    expected = role is not None and role.covers(needed)
    assert allows(actor(role, role), action, target) is expected


@pytest.mark.parametrize("action", sorted(NEEDS))
def test_a_stranger_learns_nothing_and_a_member_is_told_what_is_missing(action: Action) -> None:
    target, needed = NEEDS[action]
    with pytest.raises(NotFound):
        require(actor(), action, target)
    if needed is not R:
        with pytest.raises(PermissionDenied, match=f"needs the role {needed}"):
            require(actor(R, R), action, target)


STORAGE_ACTIONS = [action for action in Action if action.startswith("storage:") and action is not Action.STORAGE_CREATE]


@pytest.mark.parametrize("action", STORAGE_ACTIONS)
@pytest.mark.parametrize(
    "target", [STORAGE, StorageTarget(None, SPACE, OTHER), StorageTarget(None, ALL_SPACE_ID, OTHER)]
)
def test_a_portal_admin_reaches_no_content_without_a_role(action: Action, target: StorageTarget) -> None:
    assert not allows(actor(is_portal_admin=True), action, target)


@pytest.mark.parametrize(
    "action",
    [
        Action.CONNECTION_CREATE,
        Action.CONNECTION_MANAGE,
        Action.CONNECTION_USE,
        Action.INSTANCE_CREATE,
        Action.SPACE_CREATE,
        Action.STORAGE_CREATE,
    ],
)
def test_only_who_acts_for_the_owner_may_use_what_it_owns(action: Action) -> None:
    assert allows(actor(), action, OwnerTarget(ME))
    assert not allows(actor(A, A), action, OwnerTarget(OTHER))
    assert not allows(actor(is_portal_admin=True), action, OwnerTarget(OTHER))


def test_only_portal_admins_administer_the_portal() -> None:
    assert allows(actor(is_portal_admin=True), Action.PORTAL_ADMINISTER, PortalTarget())
    with pytest.raises(PermissionDenied):
        require(actor(A, A), Action.PORTAL_ADMINISTER, PortalTarget())


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize(
    "target",
    [
        STORAGE,
        StorageTarget(None, ALL_SPACE_ID, ME),
        InstanceTarget(1),
        SpaceTarget(ALL_SPACE_ID),
        OwnerTarget(1),
        PortalTarget(),
    ],
)
def test_nobody_may_do_anything_without_signing_in(action: Action, target: Target) -> None:
    assert not allows(ANONYMOUS, action, target)


@pytest.mark.parametrize("who", [actor(), actor(A, A), actor(is_portal_admin=True)])
def test_nobody_manages_the_space_all(who: Actor) -> None:
    assert not allows(who, Action.SPACE_MANAGE, SpaceTarget(ALL_SPACE_ID))
