"""Read one artifact."""


def main(uid: str) -> str:
    """Return an artifact's text."""
    import lamindb as ln

    text: str = ln.Artifact.objects.get(uid=uid).cache().read_text()
    return text
