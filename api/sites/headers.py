"""The headers of a site's pages: what the site may say, and what the service says whatever the site does."""

from collections.abc import Sequence
from typing import Final

from api.sites.visitor import Way

SANDBOX: Final = (
    b"sandbox allow-scripts allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-downloads "
    b"allow-pointer-lock allow-presentation"
)
"""Without `allow-same-origin`: scripts run in an origin of nobody's, to which the service is a foreign one."""

_SHARED: Final = frozenset({"public", "s-maxage", "must-revalidate", "proxy-revalidate"})
"""What lets a shared cache keep the answer to a request with a token."""
_UNKEPT: Final = "private, no-cache"


def page_headers(
    headers: Sequence[tuple[str, str]], way: Way, *, is_sandboxed: bool
) -> tuple[list[tuple[bytes, bytes]], frozenset[bytes]]:
    """Give the headers of a page beside those of any file, and which of them replace the service's usual ones.

    Policies of the site come beside that of the service, and a browser obeys all of them: they only confine further.
    """
    given = dict(headers)
    found = [(b"cache-control", _kept(given.pop("cache-control", None), way).encode())]
    if is_sandboxed:
        found.append((b"content-security-policy", SANDBOX))
    if way is Way.ADDRESS:
        # A pass in the address must not be told to other places.
        given.pop("referrer-policy", None)
    given.pop("x-content-type-options", None)
    found += [(name.encode(), value.encode()) for name, value in given.items()]
    names = {name.encode() for name in given}
    own = names | {b"vary"} if b"access-control-allow-origin" in names else names
    found.append((b"vary", b"Authorization, Cookie" if b"vary" in own else b"Authorization, Cookie, Origin"))
    return found, frozenset({*own, b"vary"})


def _kept(wanted: str | None, way: Way) -> str:
    """Say how a page may be kept: as the site wants, but what a visitor alone may see is kept by him alone."""
    if wanted is None:
        return _UNKEPT
    if way is Way.NOT_AT_ALL:
        return wanted
    words = [word.strip() for word in wanted.split(",")]
    private = [word for word in words if word and word.partition("=")[0].strip().lower() not in _SHARED]
    if way is not Way.HEADER and "private" not in private:
        # A shared cache takes no notice of cookies.
        private.insert(0, "private")
    return ", ".join(private) or _UNKEPT
