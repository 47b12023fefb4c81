"""Work in another of the instance's locations from now on."""


def main(root: str) -> None:
    """Make `root` the session's default location."""
    import lamindb as ln

    ln.settings.storage = root
