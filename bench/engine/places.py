"""Where things lie in a run: a server, its buckets, folders beside them; the key travels by environment alone."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers import S3Server

ROUTES = ("local-s3", "s3-s3", "s3-local", "local-local")


class BenchServer(S3Server):
    """The tests' S3 server as people start it: it remembers folders for five minutes, which bulk writes need."""

    def command(self) -> Sequence[str]:
        """Return what to run."""
        words = list(super().command())
        at = words.index("--dir-cache-time")
        return [*words[:at], *words[at + 2 :]]

    def keys(self) -> dict[str, str]:
        """Return the variables that give a client the key."""
        pair = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        named = {f"RCLONE_CONFIG_SERVED_{name.removeprefix('AWS_')}": value for name, value in pair.items()}
        remote = {"TYPE": "s3", "PROVIDER": "Rclone", "ENDPOINT": self.endpoint_url, "REGION": "us-east-1"}
        served = {f"RCLONE_CONFIG_SERVED_{name}": value for name, value in remote.items()}
        return {**pair, **named, **served, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True, slots=True)
class Place:
    """One end of a route: a folder, reached as such or as the bucket of that name. Every end's bytes lie on disk."""

    kind: str
    folder: Path

    @property
    def is_local(self) -> bool:
        """Tell whether the folder itself is the end."""
        return self.kind == "local"

    @property
    def bucket(self) -> str:
        """Return the name of the bucket."""
        return self.folder.name


@dataclass(frozen=True, slots=True)
class Trip:
    """From where to where, with which server, and a folder for the run's own files."""

    source: Place
    target: Place
    server: BenchServer
    scratch: Path


def fresh(folder: Path) -> Path:
    """Return a folder, made empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
