"""Whether the process lives, and whether it can answer."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from api.http.gateway import Gateway

PUBLIC = "public"
"""What a route declares that everybody may call and that shows nothing of any artifact."""
_LIVE = ("/health/live", "/health/liveness")
_READY = ("/health", "/health/ready", "/health/readiness")
PROBES = frozenset({*_LIVE, *_READY})
"""The addresses that are outside the limits of callers."""
LIVENESS = "/health/live"
"""How the addresses begin that answer however busy the process is."""


def health_handlers(gateway: Gateway) -> Sequence[HTTPRouteHandler]:
    """Make the handlers below `/health`, each under the names that probes and public clients use."""

    @get(list(_LIVE), opt={"operation": PUBLIC}, name="liveness")
    async def liveness() -> Response[bytes]:
        """Answer as long as the process can answer at all."""
        return _answer("OK", {}, 200)

    @get(list(_READY), opt={"operation": PUBLIC}, name="readiness")
    async def readiness() -> Response[bytes]:
        """Tell whether requests can be answered, and how far each projection is behind, in events."""
        found = await gateway.readiness()
        return _answer("OK" if found.is_ready else "UNAVAILABLE", found.detail, 200 if found.is_ready else 503)

    return [liveness, readiness]


def _answer(status: str, detail: Any, code: int) -> Response[bytes]:  # noqa: ANN401 - Any JSON value.
    body = msgspec.json.encode({"status": status, "detail": detail})
    headers = {"cache-control": "no-store"}
    return Response(body, status_code=code, media_type="application/json", headers=headers)
