"""Keep artifacts in one of the instance's local locations from now on."""


def main(root: str) -> None:
    """Make `root` the session's local location."""
    import lamindb as ln

    ln.settings.local_storage = root
