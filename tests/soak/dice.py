"""What a run does, drawn from a seed alone: directions, sizes, faults, and when. Pure."""

import random
from dataclasses import dataclass, replace
from enum import StrEnum

WAYS = ("local-s3", "s3-local", "s3-s3", "local-local")
DATABASES = ("sqlite", "postgresql")

#: In which something is written to the old root: a fault waits until there is something to bring over.
SOAK = "soaking"

#: States a fault waits for. Fired a random moment after it was seen, so it may also meet the next one.
PHASES = ("preflight", "copying", "verifying", "fenced", SOAK, "rolling_back")

#: For kills of the web process: at the moment in which somebody presses a button.
PRESS = "press"
MIB = 1024 * 1024


class Kind(StrEnum):
    """What happens to a run."""

    KILL_RUNNER = "runner killed"
    KILL_WORKER = "worker killed"
    KILL_BOTH = "runner killed with its workers"
    KILL_WEB = "web process killed"
    S3_DOWN = "S3 server down"
    CANCEL = "person cancels"
    PAUSE = "person pauses"
    ADD = "object appears"
    CHANGE = "object changes"
    VANISH = "object vanishes"


MUTATIONS = frozenset({Kind.ADD, Kind.CHANGE, Kind.VANISH})
KILLS = frozenset({Kind.KILL_RUNNER, Kind.KILL_WORKER, Kind.KILL_BOTH, Kind.KILL_WEB})

#: A runner alone leaves workers that end what they were at; with them, everything stays as it was.
_RUNNERS = (Kind.KILL_RUNNER, Kind.KILL_BOTH)

#: One run of so many has a web process.
WEB_EVERY = 3


class Goal(StrEnum):
    """How far the person wants to go."""

    READY = "ready"
    SOAKING = "soaking"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Fault:
    """One thing that happens, `delay` seconds after `phase` was first seen. `seconds`: how long a server is away."""

    kind: Kind
    phase: str
    delay: float
    seconds: float = 0.0


@dataclass(frozen=True)
class Dice:
    """One run.

    Attributes:
        small_count: small objects at the source.
        large_bytes: size of one large object; 0 for none.
        has_marker: whether the source carries LaminDB's marker.
        foreign: what the target holds before: nothing, an object of its own, an equal one, or a differing one.
        runner_count: runners at once.
        is_held: whether each phase lasts until all kills that wait for it have struck.
    """

    seed: str
    way: str
    database: str
    goal: Goal
    small_count: int
    large_bytes: int
    has_marker: bool
    foreign: str
    runner_count: int
    faults: tuple[Fault, ...]
    is_held: bool = False

    @property
    def has_straggler(self) -> bool:
        """Tell whether something is written to the old root after the switch."""
        return any(fault.phase == SOAK for fault in self.faults)

    @property
    def has_web(self) -> bool:
        """Tell whether a web process is killed in this run."""
        return any(fault.kind is Kind.KILL_WEB for fault in self.faults)

    def __str__(self) -> str:
        faults = ", ".join(f"{fault.kind} {fault.delay:.2f} s into {fault.phase}" for fault in self.faults)
        return (
            f"seed {self.seed}: {self.way} on {self.database} until {self.goal}, {self.small_count} small objects, "
            f"large {self.large_bytes}, target {self.foreign}, runners {self.runner_count}; {faults or 'no fault'}"
        )


def throw(seed: int, number: int) -> Dice:
    """Return run `number` of a seed; ways and databases take turns so that few runs meet all of them."""
    name = f"{seed}-{number}"
    chance = random.Random(name)
    way = WAYS[number % len(WAYS)]
    goal = chance.choices(tuple(Goal), (1, 3, 5))[0]
    return Dice(
        seed=name,
        way=way,
        database=DATABASES[number // len(WAYS) % len(DATABASES)],
        goal=goal,
        small_count=chance.choice((40, 80, 160, 280)),
        large_bytes=chance.choice((0, 6 * MIB, 17 * MIB + 11)),
        has_marker=chance.random() < 0.7,
        foreign=chance.choices(("empty", "its own", "equal", "differing"), (5, 2, 2, 1))[0],
        runner_count=chance.choice((1, 1, 2)),
        faults=tuple(_faults(chance, way, goal) + _kills(chance, goal, number)),
    )


def throw_kills(seed: int, number: int) -> Dice:
    """Return a run of kills alone: two in every phase and two more, of runners, workers and the web process."""
    dice = throw(seed, number)
    chance = random.Random(f"{dice.seed}-kills")
    kills = [_kill(chance, kind, phase) for phase in PHASES for kind in (chance.choice(_RUNNERS), Kind.KILL_WORKER)]
    # And two of a web process: when a button is pressed, and in some phase.
    kills += [_kill(chance, Kind.KILL_WEB, PRESS), _kill(chance, Kind.KILL_WEB, chance.choice(PHASES))]
    return replace(dice, goal=Goal.ROLLED_BACK, foreign="its own", runner_count=1, faults=tuple(kills), is_held=True)


def _kills(chance: random.Random, goal: Goal, number: int) -> list[Fault]:
    phases = _phases(goal)
    kinds = (Kind.KILL_RUNNER, Kind.KILL_RUNNER, Kind.KILL_WORKER, Kind.KILL_BOTH)
    found = [_kill(chance, chance.choice(kinds), chance.choice(phases)) for _ in range(chance.choice((3, 4, 5, 6, 7)))]
    if number % WEB_EVERY == 0:
        found += [_kill(chance, Kind.KILL_WEB, chance.choice((*phases, PRESS, PRESS))) for _ in range(4)]
    return found


def _kill(chance: random.Random, kind: Kind, phase: str) -> Fault:
    return Fault(kind, phase, round(chance.random() ** 2 * 0.8, 3))


def _phases(goal: Goal) -> tuple[str, ...]:
    return {Goal.READY: PHASES[:3], Goal.SOAKING: PHASES[:-1], Goal.ROLLED_BACK: PHASES}[goal]


def _faults(chance: random.Random, way: str, goal: Goal) -> list[Fault]:
    # A sweep that a server stops is tried again after minutes only.
    phases = tuple(phase for phase in _phases(goal) if phase != SOAK)
    found = []
    if "s3" in way:
        found = [_fault(chance, Kind.S3_DOWN, chance.choice(phases)) for _ in range(chance.choice((0, 0, 1, 2)))]
    found += [
        _fault(chance, chance.choice(sorted(MUTATIONS)), chance.choice(("copying", "copying", "verifying", "ready")))
        for _ in range(chance.choice((0, 0, 1, 2, 4)))
    ]
    if chance.random() < 0.15:
        found.append(_fault(chance, Kind.PAUSE, "copying"))
    if chance.random() < 0.2:
        found.append(_fault(chance, Kind.CANCEL, chance.choice(PHASES[:4])))
    return found


def _fault(chance: random.Random, kind: Kind, phase: str) -> Fault:
    seconds = chance.uniform(0.3, 6.0) if kind is Kind.S3_DOWN else 0.0
    return Fault(kind, phase, round(chance.random() ** 2 * 3.0, 3), round(seconds, 2))
