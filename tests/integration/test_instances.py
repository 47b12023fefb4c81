"""Instances: making them, collaborators, attached spaces."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from portal.errors import NotFound
from portal.services import instances
from portal.services.work import Work
from tests.integration.world import World

As = Callable[..., AbstractContextManager[Work]]


def test_the_id_of_an_instance_is_the_one_lamindb_derives(read_as: As, world: World) -> None:
    with read_as("rita") as work:
        instance = instances.find_instance(work, "lab/atlas")
        # Computed with lamindb-setup 1.27 for the same owner and name.
        assert (instance.uuid, instance.uid) == ("79020fd5-1094-5537-ae1f-76989f54eb6c", "35g5V9aubeiq")


def test_an_outsider_finds_no_instance(read_as: As, world: World) -> None:
    with read_as("otto") as work, pytest.raises(NotFound):
        instances.find_instance(work, "lab/atlas")
