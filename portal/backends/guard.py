"""Who judges where an endpoint's name leads."""

from typing import Protocol


class AddressGuard(Protocol):
    """Judges where an endpoint's name leads at the moment of connecting: a name can lead elsewhere a second later."""

    @property
    def trusts_name(self) -> bool:
        """Tell whether the name may be looked up by a client that cannot ask us."""
        ...

    def check(self, addresses: tuple[str, ...]) -> None:
        """Return where all addresses may be connected to.

        Raises:
            Refused: one may not.
        """
        ...
