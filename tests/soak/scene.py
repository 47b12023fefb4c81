"""The two roots of a run and all that is known about them: what was there, what the run itself changed."""

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

from portal.values import MARKER_KEY
from tests.integration.move_fixtures import marker_of
from tests.integration.moves import contents, fill, picture
from tests.soak.dice import MIB, Dice, Kind

#: Names that both a bucket and a directory hold, and that break careless code. Not among them: one letter in composed
#: and decomposed form, which the test server takes for one name.
ODD_NAMES = (
    "a b/c d.txt", "größe/Ärger.csv", "plus+and&amp;/x=1?.txt", "percent%20%2F.txt", "quote'\"s.txt", "日本/語.bin",
    "dots/..a/.hidden", "dash-.txt", "dash/.txt", "dash0", "#hash/[x]{y}.txt", "emoji 🧬.tif",
    "back\\slash.txt", "semi;colon.txt", "tilde~.txt", "UPPER.TXT", "upper.txt", f"{'n' * 240}.bin",
    ".lamindb/0123456789abcdef.zarr/.zattrs", ".lamindb/0123456789abcdef.zarr/0.0", ".lamindb/fedcba9876543210AAAA.h5",
)  # fmt: skip


def objects_of(dice: Dice) -> dict[str, bytes]:
    """Return what the source holds at first."""
    chance = random.Random(f"{dice.seed}-objects")
    found = {name: chance.randbytes(chance.choice((0, 1, 700, 20_000))) for name in ODD_NAMES}
    found["empty.txt"] = b""
    for number in range(dice.small_count):
        found[f"raw/plate {number % 7}/well-{number:04}.bin"] = chance.randbytes(chance.choice((3, 900, 5000, 30_000)))
    if dice.large_bytes:
        found["large/image.ome.tif"] = chance.randbytes(dice.large_bytes)
    return found


@dataclass
class Scene:
    """Source and target on disk; for a bucket, its folder below the server's.

    Attributes:
        expected: what the source must hold now, by key, without the marker.
        history: hashes of everything the source ever held under a key.
        foreign: what lay at the target before; nobody may change it.
        written: what was written at the new root after the cut-over.
        pristine: picture of what the run has not changed at the source.
        is_dirty: whether the source changed since the migration was last ready.
    """

    dice: Dice
    old: Path
    new: Path
    scratch: Path
    uid: str = ""
    expected: dict[str, bytes] = field(default_factory=dict)
    history: dict[str, set[str]] = field(default_factory=dict)
    foreign: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    pristine: dict[str, tuple[str, int]] = field(default_factory=dict)
    is_dirty: bool = False
    count: int = 0

    def set_up(self, uid: str) -> None:
        """Fill both roots. `uid` is the location's."""
        self.uid = uid
        self.expected = objects_of(self.dice)
        self.scratch.mkdir()
        fill(self.old, self.expected)
        for key, data in self.expected.items():
            self.history.setdefault(key, set()).add(digest(data))
        if self.dice.has_marker:
            fill(self.old, {MARKER_KEY: marker_of(uid)})
        self.pristine = picture(self.old)
        key = "raw/plate 1/well-0001.bin"
        self.foreign = {
            "empty": {},
            "its own": {"theirs/notes.txt": b"not yours"},
            "equal": {key: self.expected[key]},
            "differing": {key: b"theirs" + self.expected[key][6:] + b"!", "theirs/notes.txt": b"not yours"},
        }[self.dice.foreign]
        fill(self.new, self.foreign)

    @property
    def marker(self) -> dict[str, bytes]:
        """Return the marker as an object; none where the run has none."""
        return {MARKER_KEY: marker_of(self.uid)} if self.dice.has_marker else {}

    @property
    def has_conflict(self) -> bool:
        """Tell whether a differing object is in the way at the target."""
        return self.dice.foreign == "differing" and "raw/plate 1/well-0001.bin" in self.foreign

    def resolve(self) -> None:
        """Take the differing object away, as a person would."""
        key = "raw/plate 1/well-0001.bin"
        del self.foreign[key]
        (self.new / key).unlink()

    def mutate(self, kind: Kind) -> str:
        """Let somebody else change the source; return the key."""
        chance = random.Random(f"{self.dice.seed}-{self.count}")
        self.count += 1
        self.is_dirty = True
        if kind is Kind.ADD:
            key = f"raw/late {self.count}/new.bin"
        else:
            key = chance.choice([key for key in sorted(self.expected) if key.startswith("raw/") and self.is_free(key)])
        self.pristine.pop(key, None)
        if kind is Kind.VANISH:
            (self.old / key).unlink()
            del self.expected[key]
            return key
        data = chance.randbytes(len(self.expected.get(key, b"")) if chance.random() < 0.5 else 4000)
        self.expected[key] = data
        self.history.setdefault(key, set()).add(digest(data))
        self._put(self.old, key, data)
        return key

    def is_free(self, key: str) -> bool:
        """Tell whether nothing of somebody else's lies under this key at the target."""
        return key not in self.foreign

    def write_at_new(self) -> None:
        """Write at the new root after a cut-over: new objects, one rewritten, one deleted."""
        self.count += 1
        self.written[f"since/{self.count}.bin"] = b"written since %d" % self.count
        self.written[f"raw/since-{self.count}/ß.txt"] = b""
        self.written["größe/Ärger.csv"] = b"rewritten %d" % self.count
        for key, data in self.written.items():
            self._put(self.new, key, data)
        (self.new / "dash0").unlink(missing_ok=True)

    def straggle(self) -> str:
        """Write at the old root after a cut-over, as a session that has not noticed; return the key."""
        key, data = "late/straggler.ome.tif", random.Random(f"{self.dice.seed}-straggler").randbytes(17 * MIB + 11)
        self.expected[key] = data
        self.history.setdefault(key, set()).add(digest(data))
        self._put(self.old, key, data)
        return key

    def _put(self, folder: Path, key: str, data: bytes) -> None:
        # By rename: a server that lists in between sees the old object or the new one.
        temporary = self.scratch / "next"
        temporary.write_bytes(data)
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(folder / key)


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


#: What the test server leaves among the objects when it is killed in a write.
_SERVERS_OWN = "/.rclone_temp_"


def tree(folder: Path) -> dict[str, str]:
    """Return the hash of every object below a folder, without what a killed server left of its own."""
    return {key: digest(data) for key, data in contents(folder).items() if _SERVERS_OWN not in f"/{key}"}


def hashes(objects: dict[str, bytes]) -> dict[str, str]:
    """Return the hash of every object."""
    return {key: digest(data) for key, data in objects.items()}
