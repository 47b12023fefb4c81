"""List the instance's storage locations."""


def main() -> dict[str, str]:
    """Return the root of each location by its uid."""
    import lamindb as ln

    return {each.uid: each.root for each in ln.Storage.objects.all()}
