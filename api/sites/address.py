"""Where a site is: its path on the service, and its origin where sites have one of their own."""

import hashlib
from base64 import b32encode
from typing import Final, NamedTuple
from urllib.parse import quote

from api.http.exchange import Exchange

PASS_MARK: Final = "~pass-"  # noqa: S105 - It marks one, and is none.
"""Begins the part of an address that holds a pass."""
_LABEL_CHARACTERS: Final = 26
"""130 bits of a digest: no two sites share an origin."""
_ANY: Final = "*"


class SiteAddress(NamedTuple):
    """What the path of a request names. `page` is None where even the slash behind the alias is missing."""

    workspace: str
    alias: str
    passed: str | None
    page: str | None

    @property
    def site(self) -> str:
        """The site's id."""
        return f"{self.workspace}/{self.alias}"

    @property
    def base(self) -> str:
        """The path below which the site lies, as it stands in a URL."""
        return f"/{quote(self.workspace, safe='|')}/view/{quote(self.alias)}/"

    @property
    def shown_base(self) -> str:
        """The same with the pass of this request in it, so that links that begin with it go on with the pass."""
        return self.base if self.passed is None else self.base_with(self.passed)

    def base_with(self, passed: str) -> str:
        """The same with a pass in it."""
        return f"{self.base}{PASS_MARK}{passed}/"


def read_address(path: str) -> SiteAddress:
    """Read the decoded path `/{workspace}/view/{alias}/[~pass-{pass}/]{page}`."""
    _, workspace, _, alias, *rest = path.split("/", 4)
    page = rest[0] if rest else None
    passed = None
    if page is not None and page.startswith(PASS_MARK):
        first, _, page = page.partition("/")
        passed = first.removeprefix(PASS_MARK)
    return SiteAddress(workspace, alias, passed, page)


def has_own_origin(sites_url: str | None) -> bool:
    """Tell whether each site has an origin that it shares with nothing."""
    return sites_url is not None and f"//{_ANY}." in sites_url


def origin_of(site: str, sites_url: str) -> str:
    """Give the origin of a site, where sites are apart from the service."""
    label = b32encode(hashlib.sha256(site.encode("utf-8", "replace")).digest()).decode().lower()[:_LABEL_CHARACTERS]
    return sites_url.replace(_ANY, label, 1)


def is_at(exchange: Exchange, origin: str) -> bool:
    """Tell whether a request came to an origin, by its Host header."""
    return _host(exchange) == origin.partition("//")[2]


def is_sites_host(exchange: Exchange, sites_url: str) -> bool:
    """Tell whether a request came to where sites are, and nothing else is."""
    name = sites_url.partition("//")[2]
    if name.startswith(_ANY):
        return _host(exchange).endswith(name.removeprefix(_ANY))
    return _host(exchange) == name


def _host(exchange: Exchange) -> str:
    return (exchange.header(b"host") or "").lower()
