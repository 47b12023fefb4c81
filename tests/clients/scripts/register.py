"""Register one more storage location."""

from typing import Any


def main(root: str) -> dict[str, Any]:
    """Register `root` and return uid, id and root of its row, as `build_world` tells them."""
    import lamindb as ln

    storage = ln.Storage(root=root).save()
    return {"uid": storage.uid, "id": storage.id, "root": storage.root}
