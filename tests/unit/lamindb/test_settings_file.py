"""The command that changes LaminDB's settings of an instance, run as people run it."""

import subprocess
from pathlib import Path

import pytest

from portal.lamindb import settings_file

LINES = settings_file.default_lines("/data/new", None)
HEX = "0123456789abcdef0123456789abcdef"


def write(folder: Path, name: str, slug: str, identity: str) -> Path:
    owner, _, instance = slug.partition("/")
    path = folder / ".lamin" / name
    path.parent.mkdir(exist_ok=True)
    words = {"owner": owner, "name": instance, "id": identity, "storage_root": "/data/old", "storage_region": "null"}
    path.write_text("".join(f"lamindb_instance_{key}={value}\n" for key, value in words.items()))
    return path


@pytest.mark.parametrize("known", [HEX, None])
def test_it_changes_the_file_of_the_instance_and_of_who_is_connected_and_no_other(
    tmp_path: Path, known: str | None
) -> None:
    own = write(tmp_path, "instance--lab--real.env", "lab/real", HEX)
    connected = write(tmp_path, "current_instance.env", "lab/real", HEX)
    other = write(tmp_path, "instance--lab--other.env", "lab/other", "f" * 32)
    command = settings_file.command("lab/real", known, LINES)
    assert "unknown" not in command
    for _ in range(2):
        subprocess.run(
            ["bash", "-c", command], env={"LAMIN_SETTINGS_DIR": str(tmp_path), "PATH": "/usr/bin"}, check=True
        )
        for path in (own, connected):
            assert path.read_text().splitlines()[-2:] == list(LINES)
            assert "/data/old" not in path.read_text()
        assert "storage_root=/data/old" in other.read_text()
