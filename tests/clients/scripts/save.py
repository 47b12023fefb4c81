"""Save one new artifact, as a person at work does."""

from pathlib import Path
from tempfile import TemporaryDirectory


def main(content: str, key: str, storage_uid: str | None = None) -> dict[str, str]:
    """Save `content` under `key` in a location; None means the session's default. Return uid and path."""
    import lamindb as ln

    fields = {"storage": ln.Storage.get(uid=storage_uid)} if storage_uid else {}
    with TemporaryDirectory() as folder:
        source = Path(folder) / "new.txt"
        source.write_text(content)
        artifact = ln.Artifact(source, key=key, skip_hash_lookup=True, **fields).save()
    return {"uid": artifact.uid, "path": artifact.path.as_posix()}
