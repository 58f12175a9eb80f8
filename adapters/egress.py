"""Which addresses that users give the service connects to.

A name is resolved once and all its addresses are checked; whoever connects must take one of the checked addresses and
not resolve the name again, because the next answer may be another one (DNS rebinding).
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from domain.errors import AddressRefusedError, UnavailableError

RESOLVE_SECONDS = 10.0
CONNECT_SECONDS = 10.0
_PORTS = {"http": 80, "https": 443}
_EMBEDDING = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48")
"""NAT64: the last four bytes are the IPv4 address that is reached in the end."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Resolve a name as the operating system does."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public network, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None and not is_public(address.sixtofour):
            return False
        if address.teredo is not None and not all(is_public(part) for part in address.teredo):
            return False
        if any(address in network for network in _EMBEDDING):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        # The embedding of ::a.b.c.d is obsolete, and its addresses are no public ones.
        if int(address) >> 32 == 0:
            return False
    return address.is_global and not address.is_multicast


class CheckedEgress:
    """Connects only to public addresses, unless the operator allows others."""

    def __init__(self, *, allows_private: bool, resolve: Resolve = resolve_by_system) -> None:
        self._allows_private = allows_private
        self._resolve = resolve

    async def check(self, url: str) -> None:
        """Refuse the address of a URL.

        Raises:
            AddressRefusedError: It is refused, or cannot be resolved.
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise AddressRefusedError("The address is none that the service can connect to.")
        await self.addresses(parts.hostname, parts.port or _PORTS[parts.scheme])

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Resolve a name, and give its addresses if the service may connect to every one of them.

        Raises:
            AddressRefusedError: One is private, loopback, link-local or otherwise special, or there is none.
        """
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                texts = await self._resolve(host, port)
            # A zone (`%eth0`) belongs to link-local addresses alone.
            found = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
        except (OSError, UnicodeError, ValueError):
            found = []
        if not found:
            raise AddressRefusedError("The address cannot be resolved.")
        if not self._allows_private and not all(is_public(address) for address in found):
            raise AddressRefusedError(
                "The address is private, loopback or link-local, which the operator of the service does not allow."
            )
        return list(dict.fromkeys(texts))

    async def connect(self, host: str, port: int) -> socket.socket:
        """Connect to a checked address of a name, the first that answers. The socket does not block.

        Raises:
            AddressRefusedError: It is refused, or cannot be resolved.
            UnavailableError: None of its addresses answers.
        """
        for address in await self.addresses(host, port):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await _connected(address, port)
            except OSError:
                continue
        raise UnavailableError("Nothing answers at the address.")


async def _connected(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection
