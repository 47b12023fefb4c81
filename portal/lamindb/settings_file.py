"""What LaminDB keeps of an instance on each user's machine: the lines that name its default storage.

Pure text. Facts: lamindb docs, (g) 2: one file `instance--OWNER--NAME.env` for each instance, and
`current_instance.env`, a copy of the connected one's, in `.lamin` below the home or below `LAMIN_SETTINGS_DIR`.
"""

import shlex
from typing import Final

_PREFIX: Final = "lamindb_instance_"

#: Runs with any Python 3 and nothing else. It finds the instance's files by lines they hold: its id, which people
#: cannot rename, where that is known, else owner and name. It replaces whole lines, so that a second run changes
#: nothing, and the file keeps its rights.
_SCRIPT: Final = """
import os, pathlib, sys
marks, name, *lines = sys.argv[1:]
folder = pathlib.Path(os.environ.get("LAMIN_SETTINGS_DIR") or pathlib.Path.home()) / ".lamin"
files = [f for f in folder.glob("*.env") if set(marks.split()) <= set(f.read_text().splitlines())]
keys = {line.partition("=")[0] for line in lines}
for file in files or [folder / name]:
    kept = [line for line in file.read_text().splitlines() if line.partition("=")[0] not in keys]
    file.write_text("\\n".join([*kept, *lines, ""]))
    print("changed", file)
"""


def file_name(slug: str) -> str:
    """Return the settings file's name of the instance `owner/name`."""
    owner, _, name = slug.partition("/")
    return f"instance--{owner}--{name}.env"


def default_lines(root: str, region: str | None) -> tuple[str, ...]:
    """Return the lines that name the default location; `region` holds the host of a local root, None means none."""
    return f"{_PREFIX}storage_root={root}", f"{_PREFIX}storage_region={region or 'null'}"


def keep_local_line(keeps_local: bool) -> str:
    """Return the line that says whether artifacts are kept in a local location."""
    return f"{_PREFIX}keep_artifacts_local={keeps_local}"


def command(slug: str, instance_id_hex: str | None, lines: tuple[str, ...]) -> str:
    """Return a shell command that puts the lines into the settings of an instance on the machine where it is run.

    `instance_id_hex` None: not known. Running it twice changes nothing more.
    """
    owner, _, name = slug.partition("/")
    marks = {"id": instance_id_hex} if instance_id_hex else {"owner": owner, "name": name}
    wanted = " ".join(f"{_PREFIX}{mark}={value}" for mark, value in marks.items())
    words = ["python3", "-c", _SCRIPT, wanted, file_name(slug), *lines]
    return " ".join(shlex.quote(word) for word in words)


def python_line(root: str, *, is_local: bool = False) -> str:
    """Return the line that makes a location the default of one Python session; `is_local`: where artifacts are kept."""
    return f"ln.settings.{'local_storage' if is_local else 'storage'} = {_python_text(root)}"


def _python_text(text: str) -> str:
    """Return a literal in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
