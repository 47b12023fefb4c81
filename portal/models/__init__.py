"""The portal's own tables, one noun a file. Importing this package registers them all."""

from portal.models.account import Account, EndedSession, Membership, OneTimeLink
from portal.models.base import Base
from portal.models.connection import Connection, ConnectionScope, ServerGrant
from portal.models.event import Event
from portal.models.host import Host
from portal.models.instance import Collaborator, Instance, InstanceSpace
from portal.models.migration import Migration, Runner, Shard, ShardException
from portal.models.registry import Intent, Reference, Registry
from portal.models.space import Space, SpaceMember
from portal.models.storage import Check, Storage
from portal.models.throttle import Throttle

__all__ = [
    "Account",
    "Base",
    "Check",
    "Collaborator",
    "Connection",
    "ConnectionScope",
    "EndedSession",
    "Event",
    "Host",
    "Instance",
    "InstanceSpace",
    "Intent",
    "Membership",
    "Migration",
    "OneTimeLink",
    "Reference",
    "Registry",
    "Runner",
    "ServerGrant",
    "Shard",
    "ShardException",
    "Space",
    "SpaceMember",
    "Storage",
    "Throttle",
]
