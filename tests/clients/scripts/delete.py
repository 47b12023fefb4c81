"""Throw one artifact away."""


def main(uid: str, permanent: bool) -> None:
    """Put an artifact into the trash, or delete its row and its file if `permanent`."""
    import lamindb as ln

    ln.Artifact.objects.get(uid=uid).delete(permanent=permanent, storage=True if permanent else None)
