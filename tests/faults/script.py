"""What goes wrong on the way to a server, and which requests it befalls."""

import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.messages import Request


class Fault(StrEnum):
    """One way in which a request goes wrong."""

    #: 503 SlowDown; the server never sees the request.
    SLOW_DOWN = "slow down"
    #: The connection is reset before the server sees the request.
    RESET_BEFORE = "reset before"
    #: The server does what was asked, then the connection is reset.
    RESET_AFTER = "reset after"
    #: Nothing is said for longer than anybody waits.
    HANG = "hang"
    #: Half of what is sent up arrives, then the connection ends.
    CUT_UP = "cut up"
    #: Half of an announced body comes down, then the connection ends.
    CUT_DOWN = "cut down"
    #: Half of a body comes down, announced as such.
    SHORT_DOWN = "short down"
    #: One bit is turned on the way up; a server that looks at Content-MD5 sees it.
    FLIP_UP = "flip up"
    #: The same, and the server does not see it: it stores other bytes than were sent, under their own ETag.
    FLIP_UNSEEN = "flip unseen"
    #: One bit is turned on the way down.
    FLIP_DOWN = "flip down"
    #: A listing from earlier.
    STALE_LIST = "stale list"
    #: An empty ETag wherever one is told.
    NO_ETAG = "no etag"
    #: Another ETag each time.
    WRONG_ETAG = "wrong etag"
    #: 403: the key was rotated, or the right is gone.
    FORBIDDEN = "forbidden"


_WITH_BODY_UP = frozenset({"put", "part"})
_WITH_ETAG = frozenset({"put", "part", "complete", "head", "get", "list", "copy"})

#: The operations a fault can befall; those that are missing befall all.
_BEFALLS: Mapping[Fault, frozenset[str]] = {
    Fault.CUT_UP: _WITH_BODY_UP,
    Fault.FLIP_UP: _WITH_BODY_UP,
    Fault.FLIP_UNSEEN: _WITH_BODY_UP,
    Fault.CUT_DOWN: frozenset({"get", "list"}),
    Fault.SHORT_DOWN: frozenset({"get"}),
    Fault.FLIP_DOWN: frozenset({"get"}),
    Fault.STALE_LIST: frozenset({"list"}),
    Fault.NO_ETAG: _WITH_ETAG,
    Fault.WRONG_ETAG: _WITH_ETAG,
}


@dataclass(frozen=True, slots=True)
class Script:
    """Which faults befall which requests.

    Attributes:
        faults: one of them is drawn, among those that fit the request.
        seed: of the dice.
        part: how many requests of a hundred go wrong, 0 to 100.
        operations: only these are touched; empty for all.
        buckets: only these are touched; empty for all.
        keys: only objects whose address ends in one of these are touched; empty for all.
        sure: the first of each request for an object whose address ends in one of these goes wrong whatever is drawn.
        begin: so many requests go well before anything goes wrong.
        most: so often the same request goes wrong at most; None for ever.
        refusal: code of a 403.
        hang_seconds: how long nothing is said.
    """

    faults: tuple[Fault, ...] = ()
    seed: int = 0
    part: int = 100
    operations: frozenset[str] = frozenset()
    buckets: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()
    begin: int = 0
    most: int | None = None
    refusal: str = "AccessDenied"
    hang_seconds: float = 1.5

    def fault_for(self, request: Request, occurrence: int, total: int) -> Fault | None:
        """Return what befalls a request; None for nothing.

        It is made for the `occurrence`th time, and is the `total`th of all since the script began, both from 1.
        """
        fitting = [fault for fault in self.faults if self._fits(fault, request)]
        if not fitting or total <= self.begin or (self.most is not None and occurrence > self.most):
            return None
        chance = self.chance(request, occurrence)
        is_sure = occurrence == 1 and bool(self.sure) and request.path.endswith(self.sure)
        is_drawn = chance.randrange(100) < self.part
        return chance.choice(fitting) if is_drawn or is_sure else None

    def chance(self, request: Request, occurrence: int) -> random.Random:
        """Return the dice for one request."""
        return random.Random(f"{self.seed} {request.name} {occurrence}")

    def wrong_etag(self) -> str:
        """Return something that looks like an ETag and is that of nothing."""
        return secrets.token_hex(16)

    def _fits(self, fault: Fault, request: Request) -> bool:
        operation = request.operation
        bucket = request.target.lstrip("/").partition("/")[0].partition("?")[0]
        if (self.operations and operation not in self.operations) or (self.buckets and bucket not in self.buckets):
            return False
        if self.keys and not request.path.endswith(self.keys):
            return False
        has_body = fault not in {Fault.CUT_UP, Fault.FLIP_UP, Fault.FLIP_UNSEEN} or bool(request.body)
        return has_body and operation in _BEFALLS.get(fault, frozenset({operation}))


#: Nothing goes wrong.
SILENT = Script()
