"""Make an instance, as `lamin init` does."""

from typing import Any


def main(name: str, storage: str, db: str | None) -> dict[str, Any]:
    """Make instance `anonymous/<name>` with its default storage location; `db` None means SQLite below it."""
    import lamindb_setup

    lamindb_setup.init(storage=storage, name=name, db=db)
    instance = lamindb_setup.settings.instance
    instance._is_on_hub = False
    return {"slug": instance.slug, "id": instance._id.hex, "uid": instance.uid, "root": instance.storage.root_as_str}
