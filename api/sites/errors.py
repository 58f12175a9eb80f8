"""What a visitor sees in place of a page: a page for browsers, the usual problem for programs."""

from html import escape

from api.http.exchange import Exchange
from api.http.problems import answer_error, problem_of, status_of
from domain.errors import ArtifactManagerError

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }}</style>
</head>
<body><h1>{title}</h1><p>{detail}</p><p><small>Request {request}</small></p></body>
</html>
"""
_TITLES = {
    400: "This page cannot be shown",
    401: "Your visit has expired",
    403: "You may not see this page",
    404: "There is no such page",
    503: "The service is busy",
}


async def answer_site_error(exchange: Exchange, error: ArtifactManagerError) -> None:
    """Answer with an error that is known, unless an answer has begun."""
    exchange.own_headers = frozenset()
    accepted = exchange.header(b"accept") or ""
    if "text/html" not in accepted or exchange.status is not None:
        await answer_error(exchange, error)
        return
    status = status_of(error)
    title = _TITLES.get(status, "This page cannot be made")
    page = _PAGE.format(title=title, detail=escape(error.detail), request=escape(exchange.request_id))
    headers = (
        *problem_of(exchange, error).headers,
        (b"cache-control", b"no-store"),
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    )
    await exchange.respond(status, page.encode(), b"text/html; charset=utf-8", headers)
