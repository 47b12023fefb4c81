"""Where an artifact's bytes lie below its location's root (facts: lamindb docs, (d)). Pure."""

from dataclasses import dataclass

from portal.values import MANAGED_FOLDER

#: The front of an artifact's uid that all its versions share.
STEM_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """The columns of `lamindb_artifact` that say where it lies, and what kind of thing lies there.

    Attributes:
        file_count: `n_files`; not None for folders only.
    """

    uid: str
    key: str | None
    real_key: str | None
    suffix: str
    key_is_virtual: bool
    overwrites_versions: bool
    file_count: int | None = None

    @property
    def is_folder(self) -> bool:
        """Tell whether the artifact is a folder: all objects below its key are its content."""
        return self.file_count is not None or self.overwrites_versions


def key_of(facts: ArtifactFacts) -> str:
    """Return the key below the root: of the one object, or of the folder without a slash at its end."""
    if facts.real_key is not None:
        return facts.real_key.rstrip("/")
    if facts.key is None or facts.key_is_virtual:
        stem = facts.uid[:STEM_LENGTH] if facts.overwrites_versions else facts.uid
        return f"{MANAGED_FOLDER}/{stem}{facts.suffix}"
    return facts.key.rstrip("/")
