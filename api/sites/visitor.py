"""Who visits a site: by a token, or by a pass that a token was exchanged for."""

from enum import Enum
from typing import Final, NamedTuple

from api.http.exchange import Exchange
from api.http.gateway import Gateway
from api.http.identity import access_cookie
from api.sites.address import SiteAddress
from application.authentication import token_of
from application.site_passes import PASS_SECONDS, SitePasses
from domain.actor import ANONYMOUS, Actor
from domain.errors import UnauthenticatedError

PASS_COOKIE: Final = "site_pass"  # noqa: S105 - The name of a cookie.


class Way(Enum):
    """How a visitor said who he is."""

    NOT_AT_ALL = "not at all"
    TOKEN = "token"  # noqa: S105 - The name of a way.
    HEADER = "header"
    COOKIE = "cookie"
    ADDRESS = "address"


class Visitor(NamedTuple):
    """Who visits, how he said so, and the token behind it."""

    actor: Actor
    way: Way
    token: str


async def find_visitor(gateway: Gateway, exchange: Exchange, address: SiteAddress, *, has_own_origin: bool) -> Visitor:
    """Tell who visits a site. A cookie that is not good any more is none; the caller's own is not read elsewhere.

    Raises:
        UnauthenticatedError: A token, or the pass in the address, is not valid.
    """
    passes: SitePasses = gateway.application.passes
    asked = exchange.query_fields().get("token")
    if asked and asked[-1]:
        return Visitor(await gateway.authenticate(None, None, asked[-1]), Way.TOKEN, asked[-1])
    if address.passed is not None:
        token = passes.open("address", address.site, address.passed)
        return Visitor(await gateway.authenticate(None, None, token), Way.ADDRESS, token)
    authorization = exchange.authorization()
    if authorization is not None:
        actor = await gateway.authenticate(authorization, None, None)
        return Visitor(actor, Way.HEADER, token_of(authorization))
    try:
        token = cookie_token(gateway, exchange, address) or ""
        if token:
            return Visitor(await gateway.authenticate(None, None, token), Way.COOKIE, token)
    except UnauthenticatedError:
        pass
    own = None if has_own_origin else access_cookie(exchange)
    if own:
        return Visitor(await gateway.authenticate(None, own, None), Way.COOKIE, own)
    return Visitor(ANONYMOUS, Way.NOT_AT_ALL, "")


def cookie_token(gateway: Gateway, exchange: Exchange, address: SiteAddress) -> str | None:
    """Give the token behind the pass in the site's cookie; None without one.

    Raises:
        UnauthenticatedError: The pass is not valid.
    """
    passes: SitePasses = gateway.application.passes
    kept = exchange.cookie(PASS_COOKIE)
    return passes.open("cookie", address.site, kept) if kept else None


def has_cookie_of(gateway: Gateway, exchange: Exchange, address: SiteAddress, token: str) -> bool:
    """Tell whether the browser has a cookie of the visitor whose pass stands in the address."""
    try:
        return token in (cookie_token(gateway, exchange, address), access_cookie(exchange))
    except UnauthenticatedError:
        return False


def pass_cookie(gateway: Gateway, address: SiteAddress, token: str, *, is_secure: bool) -> tuple[bytes, bytes]:
    """Write the cookie that holds a pass: for this site's path alone, and out of reach of its scripts."""
    passes: SitePasses = gateway.application.passes
    value = passes.seal("cookie", address.site, token)
    text = f"{PASS_COOKIE}={value}; Path={address.base}; Max-Age={PASS_SECONDS}; HttpOnly; SameSite=Lax"
    return b"set-cookie", f"{text}; Secure".encode() if is_secure else text.encode()
