"""Decide whether the portal may talk to an endpoint, so that nobody uses it to reach machines only it can see.

The caller resolves the host and hands the addresses in; it must then connect to what was checked (`EndpointRule` goes
where connections are made) and follow no redirect to another host. Not for http(s) roots: the portal opens none.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from portal.errors import Refused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# https://docs.aws.amazon.com/general/latest/gr/s3.html
# Not every name below amazonaws.com: anybody's virtual machine has one too.
_AWS_HOST = re.compile(r"^s3(-fips|-accelerate)?(\.dualstack)?([.-][a-z]{2}(-[a-z]+)+-\d)?\.amazonaws\.com(\.cn)?$")
#: Addresses at which clouds hand out a machine's own credentials; listing a host name does not open them.
_METADATA = (
    ip_network("169.254.0.0/16"),
    ip_network("fe80::/10"),
    ip_network("fd00:ec2::/32"),
    ip_network("100.100.100.200/32"),
    ip_network("168.63.129.16/32"),
)
_NAT64 = ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class _Allowed:
    """What an admin listed, sorted by kind. `exact` and `wildcards` hold host or host:port, lower case."""

    exact: frozenset[str]
    wildcards: tuple[str, ...]
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class EndpointRule:
    """What one endpoint may lead to, as a value that travels to where its connections are made; an `AddressGuard`.

    Attributes:
        url: the endpoint.
        allowed: as `check_endpoint` takes it.
    """

    url: str
    allowed: tuple[str, ...]

    @property
    def trusts_name(self) -> bool:
        """Tell whether an admin listed the host itself, so that whoever owns its name is trusted with where it leads.

        An address written as the host leads nowhere else.
        """
        parts = _split(self.url)
        host = (parts.hostname or "").lower().rstrip(".")
        is_listed = bool({host, f"{host}:{_port(parts)}"} & _sort(self.allowed).exact)
        return is_listed or _as_network(host) is not None

    def check(self, addresses: tuple[str, ...]) -> None:
        """Judge the addresses that the name has at the moment of connecting.

        Raises:
            Refused: as `check_endpoint`.
        """
        check_endpoint(self.url, self.allowed, addresses)


def check_endpoint(url: str, allowed: tuple[str, ...], resolved_addresses: tuple[str, ...]) -> None:
    """Refuse an endpoint that is neither AWS nor listed, or that leads to an address nobody listed.

    `allowed` holds host names, `host:port`, `*.example.org`, addresses and networks (`10.0.0.0/8`). A listed exact host
    may have private addresses, a wildcard may not; link-local addresses, where clouds keep credentials, must be listed
    as an address or network. With empty `resolved_addresses` only the name is judged (while typing): call again with
    them before connecting.

    Raises:
        Refused: with the reason and what an admin can do.
    """
    parts = _split(url)
    host = (parts.hostname or "").lower().rstrip(".")
    listed = _sort(allowed)
    addresses = _addresses(host, resolved_addresses)
    is_exact = bool({host, f"{host}:{_port(parts)}"} & listed.exact)
    if not (is_exact or _AWS_HOST.match(host) or _matches_wildcard(host, _port(parts), listed.wildcards)):
        if not addresses or not all(_is_in(address, listed.networks) for address in addresses):
            raise _not_listed(host)
        return
    for address in addresses:
        _check_address(host, address, listed.networks, is_exact=is_exact)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        raise Refused(f"{url} is not a web address.", hint="Type it like https://s3.example.org:9000.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not has_port:
        raise Refused(f"{url} is not an http or https address.", hint="Type it like https://s3.example.org:9000.")
    if "@" in parts.netloc:
        raise Refused(
            "The endpoint holds a user name or password.", hint="Leave it out; keys belong to the connection."
        )
    if parts.query or parts.fragment or "\\" in url or re.search(r"\s", url):
        raise Refused("The endpoint holds more than a host, a port and a path.", hint="Leave the rest out.")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _sort(allowed: tuple[str, ...]) -> _Allowed:
    exact: set[str] = set()
    wildcards: list[str] = []
    networks: list[Network] = []
    for entry in (
        text.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/.") for text in allowed
    ):
        network = _as_network(entry)
        if network is not None:
            networks.append(network)
        elif entry.startswith("*."):
            wildcards.append(entry[1:])
        elif entry:
            exact.add(entry)
    return _Allowed(frozenset(exact), tuple(wildcards), tuple(networks))


def _as_network(entry: str) -> Network | None:
    try:
        return ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _addresses(host: str, resolved: tuple[str, ...]) -> tuple[Address, ...]:
    """Return what the host leads to; an address written as the host counts even when nothing was resolved."""
    literal = (host,) if _as_network(host) is not None else ()
    try:
        return tuple(_unwrap(ip_address(text.partition("%")[0])) for text in (*resolved, *literal))
    except ValueError:
        raise Refused(f"{host} resolved to something that is not an address.", hint="Check its DNS entry.") from None


def _unwrap(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one carries, which is where packets go in the end."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _matches_wildcard(host: str, port: int, wildcards: tuple[str, ...]) -> bool:
    return any(host.endswith(suffix) or f"{host}:{port}".endswith(suffix) for suffix in wildcards)


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _check_address(host: str, address: Address, networks: tuple[Network, ...], *, is_exact: bool) -> None:
    if _is_in(address, networks):
        return
    if _is_in(address, _METADATA) or address.is_multicast or address.is_unspecified:
        raise Refused(
            f"{host} leads to {address}, an address that gives out machines' own credentials or is no server's.",
            hint="Choose another endpoint.",
            field="endpoint_url",
        )
    if not address.is_global and not is_exact:
        raise Refused(
            f"{host} leads to the private address {address}.",
            hint="Ask a portal admin to list the host or its network in PORTAL_ALLOWED_ENDPOINTS.",
            field="endpoint_url",
        )


def _not_listed(host: str) -> Refused:
    return Refused(
        f"{host} is not among the endpoints this portal may talk to.",
        hint="Ask a portal admin to list it in PORTAL_ALLOWED_ENDPOINTS.",
        field="endpoint_url",
    )
