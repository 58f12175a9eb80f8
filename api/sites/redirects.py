"""Sends visitors to where a page is."""

from urllib.parse import quote

from api.http.exchange import Exchange
from api.sites.address import SiteAddress

_SAFE_IN_PATH = "/|:@!$&'()*+,;=~"


async def to_origin(exchange: Exchange, origin: str) -> None:
    """Send a visitor to the origin of the site, with all that the address says."""
    await _redirect(exchange, 307, f"{origin}{quote(exchange.path, safe=_SAFE_IN_PATH)}", exchange.query)


async def to_directory(exchange: Exchange) -> None:
    """Send a visitor to the same address with a slash at its end, from which relative links go on.

    The address is a relative one, so that it holds behind a proxy that puts the service below a path.
    """
    last = exchange.path.rsplit("/", 1)[1]
    await _redirect(exchange, 307, f"./{quote(last, safe='')}/", exchange.query)


async def to_page(
    exchange: Exchange, address: SiteAddress, page: str, passed: str | None = None, *cookies: tuple[bytes, bytes]
) -> None:
    """Send a visitor to a page of the site, with a pass in its address or without one, and never with a token."""
    base = address.base if passed is None else address.base_with(passed)
    kept = b"&".join(part for part in exchange.query.split(b"&") if part.partition(b"=")[0] != b"token")
    await _redirect(exchange, 303, f"{base}{quote(page, safe=_SAFE_IN_PATH)}", kept, *cookies)


async def _redirect(exchange: Exchange, status: int, location: str, query: bytes, *more: tuple[bytes, bytes]) -> None:
    text = location.encode("ascii") + (b"?" + query if query else b"")
    headers = ((b"location", text), (b"cache-control", b"no-store"), *more)
    await exchange.respond(status, content_type=None, headers=headers)
