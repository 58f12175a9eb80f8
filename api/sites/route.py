"""`/{workspace}/view/{alias}/{path}`: an artifact as a site."""

import msgspec

from api.binding import bind_query
from api.http.exchange import Exchange
from api.http.file_response import send_file
from api.http.gateway import Gateway
from api.http.identity import context_of
from api.http.resources import artifact_id_of
from api.sites.address import SiteAddress, has_own_origin, is_at, origin_of, read_address
from api.sites.errors import answer_site_error
from api.sites.headers import page_headers
from api.sites.redirects import to_directory, to_origin, to_page
from api.sites.visitor import Visitor, Way, find_visitor, has_cookie_of, pass_cookie
from application.file_access import OpenFile
from application.methods import Command
from application.parameters import Version
from application.services import Services
from application.sites import DirectoryFound, RenderedPage, Site, open_error_page, open_page, open_site
from domain.actor import ANONYMOUS
from domain.errors import ArtifactManagerError, FileMissingError, PermissionDeniedError, UnauthenticatedError

MAX_ERROR_PAGE_BYTES = 1024 * 1024
_OWN_FIELDS = ("version", "stage")


class SiteQuery(Command, frozen=True, forbid_unknown_fields=True):
    """What the query says to the service; the rest of it is the site's own."""

    version: Version = None
    stage: bool = False


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a site: from whom, and to where. In a sandbox the browser keeps its scripts from the service."""

    address: SiteAddress
    page: str
    visitor: Visitor
    asked: SiteQuery
    origin: str
    is_sandboxed: bool


async def answer_site_request(gateway: Gateway, exchange: Exchange, parts: list[str]) -> None:
    """Answer a request for a page of a site."""
    try:
        await _answer(gateway, exchange)
    except ArtifactManagerError as error:
        await answer_site_error(exchange, error)


async def _answer(gateway: Gateway, exchange: Exchange) -> None:
    address = read_address(exchange.path)
    exchange.workspace = address.workspace
    sites_url = gateway.settings.sites_url
    services: Services = gateway.application
    origin = services.urls.public_base_url
    if sites_url is not None:
        origin = origin_of(address.site, sites_url)
        if not is_at(exchange, origin):
            await to_origin(exchange, origin)
            return
    if address.page is None:
        await to_directory(exchange)
        return
    is_sandboxed = not has_own_origin(sites_url)
    try:
        visitor = await find_visitor(gateway, exchange, address, has_own_origin=not is_sandboxed)
    except UnauthenticatedError:
        if address.passed is None or not _is_navigation(exchange):
            raise
        await to_page(exchange, address, address.page)
        return
    query = exchange.query_fields()
    asked = bind_query("view", SiteQuery, {name: query[name] for name in _OWN_FIELDS if name in query})
    visit = Visit(
        address=address, page=address.page, visitor=visitor, asked=asked, origin=origin, is_sandboxed=is_sandboxed
    )
    is_followed = visitor.way is Way.ADDRESS and _is_navigation(exchange)
    if is_followed and not has_cookie_of(gateway, exchange, address, visitor.token):
        # Whoever is only sent the address of a page is not let in by it.
        await to_page(exchange, address, address.page)
        return
    site = await _open(gateway, exchange, visit)
    if visitor.way is Way.TOKEN:
        is_secure = origin.startswith("https:")
        cookie = pass_cookie(gateway, address, visitor.token, is_secure=is_secure)
        is_passed = _is_navigation(exchange) and await _needs_pass(gateway, exchange, visit)
        passed = _seal(gateway, visit) if is_passed else None
        await to_page(exchange, address, visit.page, passed, cookie)
    elif visitor.way is Way.COOKIE and _is_navigation(exchange) and await _needs_pass(gateway, exchange, visit):
        await to_page(exchange, address, visit.page, _seal(gateway, visit))
    else:
        await _send(gateway, exchange, visit, site)


async def _open(gateway: Gateway, exchange: Exchange, visit: Visit) -> Site:
    address, asked = visit.address, visit.asked
    return await open_site(
        gateway.application,
        context_of(exchange, visit.visitor.actor, address.workspace, {}),
        artifact_id_of(address.workspace, address.alias),
        visit.page,
        version=asked.version,
        stage=asked.stage,
        address=address.shown_base,
        origin=visit.origin,
    )


def _seal(gateway: Gateway, visit: Visit) -> str:
    services: Services = gateway.application
    return services.passes.seal("address", visit.address.site, visit.visitor.token)


async def _needs_pass(gateway: Gateway, exchange: Exchange, visit: Visit) -> bool:
    """Tell whether what a page loads is refused without a pass in its address.

    A browser sends no cookie with what a page in a sandbox loads (seen with Chromium 156, whatever SameSite says), and
    without one the visitor is nobody.
    """
    if not visit.is_sandboxed:
        return False
    nobody = msgspec.structs.replace(visit, visitor=Visitor(ANONYMOUS, Way.NOT_AT_ALL, ""))
    try:
        await _open(gateway, exchange, nobody)
    except PermissionDeniedError:
        return True
    finally:
        exchange.actor_id = visit.visitor.actor.user_id
    return False


async def _send(gateway: Gateway, exchange: Exchange, visit: Visit, site: Site) -> None:
    headers, replaced = page_headers(site.view.headers, visit.visitor.way, is_sandboxed=visit.is_sandboxed)
    try:
        page = await open_page(site, visit.page, is_visit=exchange.method == "GET")
    except FileMissingError:
        other = await open_error_page(site)
        if other is None or other.size_bytes > MAX_ERROR_PAGE_BYTES:
            raise
        exchange.own_headers = replaced
        await exchange.respond(404, await _whole(other), other.content_type.encode(), headers)
        return
    if isinstance(page, DirectoryFound):
        await to_directory(exchange)
        return
    exchange.own_headers = replaced
    is_rendered = isinstance(page, RenderedPage)
    await send_file(exchange, page, gateway.settings.stalled_seconds, takes_ranges=not is_rendered, own_headers=headers)


async def _whole(page: OpenFile | RenderedPage) -> bytes:
    return b"".join([chunk async for chunk in page.stream()])


def _is_navigation(exchange: Exchange) -> bool:
    """Tell whether a browser asks for a page to put into its window, and not for a part of one."""
    return exchange.headers.get(b"sec-fetch-dest") == b"document"
