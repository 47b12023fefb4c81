"""What a demo keeps between two starts: the port of its S3 server, which is part of roots, and the passwords."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.s3 import free_port


@dataclass(frozen=True, slots=True)
class DemoState:
    """Ports and secrets of one demo folder; this is sample data, so its passwords may lie in a file."""

    s3_port: int
    s3_secret: str
    passwords: dict[str, str]


NAMES_OF_ROLES = {
    "admin": "portal admin, admin of every instance and space",
    "editor": "may write in lab/atlas, imaging and sequencing",
    "viewer": "may read in lab/atlas and sequencing",
    "outsider": "has no role anywhere",
}

_WORDS = tuple("amber basil cedar delta ember fjord grove heron indigo juniper koala lagoon maple opal poppy".split())  # noqa: SIM905 - reads better


def load_state(folder: Path) -> DemoState:
    """Return the state of a demo folder, made on first use."""
    path = folder / "demo.json"
    if not path.exists():
        made = DemoState(free_port(), secrets.token_hex(20), {handle: _password() for handle in NAMES_OF_ROLES})
        temporary = path.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(asdict(made), indent=2))
        temporary.rename(path)
    return DemoState(**json.loads(path.read_text()))


def _password() -> str:
    return "-".join(secrets.choice(_WORDS) for _ in range(3))
