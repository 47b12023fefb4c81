"""The rule in SQL and the rule in Python say the same, for worlds drawn at random."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random

import pytest
from sqlalchemy import select

from portal.models import Account, Collaborator, Instance, Membership, Space, SpaceMember, Storage
from portal.permissions import explain_storage
from portal.services.access import load_actor, storage_target, visible_storages
from portal.services.work import Work
from portal.values import ALL_SPACE_ID, AccountKind, MembershipRole, Mode, Role, StorageType
from tests.integration.world import Portal

pytestmark = pytest.mark.dialects

As = Callable[..., AbstractContextManager[Work]]
PEOPLE, ORGANISATIONS, INSTANCES, SPACES, STORAGES = 8, 3, 4, 5, 120


def draw_world(work: Work, random: Random) -> None:
    session, stamps = work.session, {"created_at": work.now, "updated_at": work.now}
    people = [Account(handle=f"p{n}", is_portal_admin=n == 0, **stamps) for n in range(PEOPLE)]
    groups = [Account(handle=f"o{n}", kind=AccountKind.ORGANISATION, **stamps) for n in range(ORGANISATIONS)]
    session.add_all([*people, *groups])
    session.flush()
    owners = [*people, *groups]
    instances = [
        Instance(uuid=f"u{n}", uid=f"i{n}", name=f"i{n}", slug=f"p0/i{n}", owner_id=1, created_by_id=1, **stamps)
        for n in range(INSTANCES)
    ]
    for instance in instances:
        instance.owner_id = instance.created_by_id = people[0].id
    spaces = [Space(name=f"s{n}", owner_id=random.choice(owners).id, **stamps) for n in range(SPACES)]
    session.add_all([*instances, *spaces])
    session.flush()
    for person in people:
        at = {"account_id": person.id, "created_at": work.now}
        for group in random.sample(groups, random.randint(0, 2)):
            session.add(Membership(organisation_id=group.id, role=random.choice(list(MembershipRole)), **at))
        for instance in random.sample(instances, random.randint(0, 3)):
            session.add(Collaborator(instance_id=instance.id, role=random.choice(list(Role)), **at))
        for space in random.sample(spaces, random.randint(0, 3)):
            session.add(SpaceMember(space_id=space.id, role=random.choice(list(Role)), **at))
    for number in range(STORAGES):
        session.add(
            Storage(
                root=f"s3://bucket/{number}",
                type=StorageType.S3,
                mode=Mode.UNMANAGED,
                owner_id=random.choice(owners).id,
                space_id=random.choice([ALL_SPACE_ID, *(space.id for space in spaces)]),
                instance_id=random.choice([None, *(instance.id for instance in instances)]),
                created_by_id=people[0].id,
                **stamps,
            )
        )


@pytest.mark.parametrize("seed", range(5))
def test_the_list_shows_what_the_explanation_grants_and_nothing_else(portal: Portal, seed: int) -> None:
    with portal.write_as(None) as work:
        draw_world(work, Random(seed))
    with portal.read_as(None) as work:
        everything = list(work.session.scalars(select(Storage)))
        seen_by_somebody = 0
        for account in work.session.scalars(select(Account).where(Account.kind == AccountKind.PERSON)):
            actor = load_actor(work.session, account, via="test")
            listed = set(work.session.scalars(select(Storage.id).where(visible_storages(actor))))
            explained = {row.id for row in everything if explain_storage(actor, storage_target(row)).role is not None}
            assert listed == explained, account.handle
            seen_by_somebody += len(listed)
    assert 0 < seen_by_somebody < PEOPLE * STORAGES


def test_nobody_sees_anything_without_signing_in(portal: Portal) -> None:
    with portal.write_as(None) as work:
        draw_world(work, Random(0))
    with portal.read_as(None) as work:
        assert work.session.scalars(select(Storage.id).where(visible_storages(work.actor))).all() == []
