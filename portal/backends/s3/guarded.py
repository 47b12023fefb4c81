"""Connections that go nowhere but to addresses that were judged: a name's owner may have it lead elsewhere any moment.

The name is looked up here, once a connection; then its addresses are judged and connected to, never the name again.
"""

import socket
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from portal.backends.guard import AddressGuard


def guard_client(client: Any, guard: AddressGuard) -> None:
    """Have every connection that a botocore client makes from now on judged by `guard`.

    Where the environment names a proxy, the proxy looks names up, and has to judge them itself.
    """

    class Connection(_Guarded, AWSHTTPConnection):  # type: ignore[misc]  # botocore has no types
        address_guard = guard

    class SecureConnection(_Guarded, AWSHTTPSConnection):  # type: ignore[misc]  # likewise
        address_guard = guard

    class Pool(AWSHTTPConnectionPool):  # type: ignore[misc]  # likewise
        ConnectionCls = Connection

    class SecurePool(AWSHTTPSConnectionPool):  # type: ignore[misc]  # likewise
        ConnectionCls = SecureConnection

    # botocore offers no other place to say how it connects; the contract tests tell when this one moves.
    client._endpoint.http_session._pool_classes_by_scheme.update(http=Pool, https=SecurePool)


class _Guarded(HTTPConnection):
    """What both kinds of connection do before they connect."""

    address_guard: AddressGuard

    def _new_conn(self) -> socket.socket:
        """Return a socket to the first address that answers, all of them having been judged.

        Raises:
            Refused: an address may not be connected to; nothing was sent to it.
            NewConnectionError, ConnectTimeoutError: no address answers.
        """
        if self.proxy is not None:
            return super()._new_conn()
        name = self._dns_host
        addresses = self._look_up()
        self.address_guard.check(addresses)
        try:
            for address in addresses:
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError):
                    if address == addresses[-1]:
                        raise
        finally:
            # The name is what certificates are compared with.
            self._dns_host = name
        raise NewConnectionError(self, f"{name} has no address")

    def _look_up(self) -> tuple[str, ...]:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, proto=socket.IPPROTO_TCP)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
