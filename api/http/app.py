"""Puts the HTTP side together."""

from importlib.metadata import version
from typing import Any

from litestar import Litestar, Request, Response

from api.http.descriptions import description_handlers
from api.http.edge import Edge
from api.http.exchange import Exchange
from api.http.gateway import Gateway
from api.http.health import health_handlers
from api.http.openapi import build_document
from api.http.problems import problem_of
from api.http.resources import resource_handlers
from api.http.schema_page import schema_handlers


def create_app(gateway: Gateway) -> Edge:
    """Make the ASGI application; starting and stopping what it works with is the caller's business."""
    document: dict[str, Any] = {}
    resources = Litestar(
        [
            *resource_handlers(gateway),
            *description_handlers(gateway),
            *health_handlers(gateway),
            *schema_handlers(document),
        ],
        exception_handlers={Exception: _answer_error},
        # The document is made from the methods' declarations, which Litestar does not know.
        openapi_config=None,
        logging_config=None,
    )
    document.update(build_document(gateway, resources, version("artifact-manager")))
    return Edge(gateway, resources)


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    problem = problem_of(Exchange.of(request.scope), error)
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    return Response(problem.body, status_code=problem.status, media_type="application/json", headers=headers)
