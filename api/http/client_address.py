"""The address that a request comes from, as far as it can be trusted."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from api.http.exchange import Exchange
from application.settings import Settings

UNKNOWN = "unknown"
"""Stands for the address of a peer that has none, such as one at a local socket."""

_KNOWN_ADDRESSES = 10_000
_SITE_BITS = 64
"""The part of an IPv6 address that a provider gives to one customer, who has all addresses below it."""


def client_address(exchange: Exchange, settings: Settings) -> str:
    """Give the address of the client: an IPv4 address, or the network of 64 bits that an IPv6 address belongs to.

    It is that of the peer, unless the settings name a header in which the operator's own proxies write it. Each of
    them appends the address of its peer, so that what a client wrote there itself stands before and is not looked at.
    A request without a usable entry did not come through them, and has the address of its peer.
    """
    if settings.client_address_header is not None:
        entries = _entries(exchange, settings.client_address_header.lower().encode())
        if len(entries) >= settings.trusted_proxies:
            found = _normal(entries[-settings.trusted_proxies])
            if found is not None:
                return found
    peer = exchange.scope.get("client")
    return (_normal(peer[0]) if peer else None) or UNKNOWN


def _entries(exchange: Exchange, header: bytes) -> list[str]:
    """Give the entries of all headers of a name, in order: a header may be sent in several lines."""
    lines = [value.decode("latin-1") for name, value in exchange.scope["headers"] if name == header]
    return [entry for line in lines for entry in line.split(",")]


@lru_cache(maxsize=_KNOWN_ADDRESSES)
def _normal(text: str) -> str | None:
    """Write an address, with or without a port, in one way; None when it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), _SITE_BITS), strict=False))
