"""Stop files: what workers of an epoch were told stays told, so that one that hung writes nothing when it wakes."""

from pathlib import Path
from typing import Final

#: Who takes over tells so many epochs before its own: each runner between may have died before it told anybody.
MOST_EPOCHS: Final = 100


def stop_file(folder: Path, epoch: int) -> Path:
    """Return the file that stops the workers of an epoch, in a migration's folder of the ledger."""
    return folder / f"stop-{epoch}"


def tell(path: Path) -> None:
    """Make a stop file. It is never removed while the migration goes on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def tell_before(folder: Path, epoch: int) -> None:
    """Tell the workers of all epochs before this one, back to one that was told: those before it were told, too."""
    untold: list[Path] = []
    for number in range(epoch - 1, max(0, epoch - 1 - MOST_EPOCHS), -1):
        path = stop_file(folder, number)
        if path.exists():
            break
        untold.append(path)
    for path in reversed(untold):  # whoever is killed here leaves no gap
        tell(path)
