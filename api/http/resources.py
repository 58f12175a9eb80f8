"""REST over artifacts: each address is a method of the artifact manager with arguments from the path and the query."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from api.binding import bind_text
from api.http.calls import call, json_response
from api.http.exchange import Exchange
from api.http.gateway import ARTIFACT_MANAGER, Gateway
from api.http.identity import CONTEXT_FIELDS, open_context
from application.methods import Method
from domain.artifact.names import is_uuid

Query = dict[str, list[str]]

# What clients send with a request for one artifact although it only means something for lists.
LIST_FIELDS = frozenset(
    {"keywords", "filters", "offset", "limit", "mode", "order_by", "pagination", "no_cache", "list_fields"}
)
_UNREAD_FIELDS = CONTEXT_FIELDS | {"token", "no_cache"}


def artifact_id_of(workspace: str, alias: str) -> str:
    """Write the id of the artifact at an address, where it stands by alias or by UUID."""
    return alias if is_uuid(alias) else f"{workspace}/{alias}"


def resource_handlers(gateway: Gateway) -> Sequence[HTTPRouteHandler]:
    """Make the handlers of the addresses of artifacts, but for records and files, which are answered over raw ASGI."""
    methods = gateway.services[ARTIFACT_MANAGER]

    @get("/{workspace:str}/artifacts", opt={"operation": methods["list"]}, name="list_artifacts")
    async def list_artifacts(request: Request[Any, Any, Any]) -> Response[bytes]:
        """List the artifacts of a workspace that have no parent."""
        return await _answer(gateway, request, methods["list"], {}, _UNREAD_FIELDS)

    @get("/{workspace:str}/artifacts/-/search", opt={"operation": methods["search"]}, name="search_artifacts")
    async def search_artifacts(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Search all artifacts of a workspace."""
        return await _answer(gateway, request, methods["search"], {}, _UNREAD_FIELDS | {"silent"})

    @get("/{workspace:str}/artifacts/{alias:str}/children", opt={"operation": methods["list"]}, name="list_children")
    async def list_children(request: Request[Any, Any, Any]) -> Response[bytes]:
        """List the children of a collection."""
        path: Query = {"parent_id": [_artifact_id(request)]}
        return await _answer(gateway, request, methods["list"], path, _UNREAD_FIELDS)

    @get("/{workspace:str}/artifacts/{alias:str}/history", opt={"operation": methods["history"]}, name="read_history")
    async def read_history(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Read who did what with an artifact, newest first."""
        path: Query = {"artifact_id": [_artifact_id(request)]}
        return await _answer(gateway, request, methods["history"], path, _UNREAD_FIELDS)

    @get("/{workspace:str}/artifacts/{alias:str}/versions", opt={"operation": methods["versions"]}, name="versions")
    async def list_versions(request: Request[Any, Any, Any]) -> Response[bytes]:
        """List the versions of an artifact, oldest first."""
        path: Query = {"artifact_id": [_artifact_id(request)]}
        return await _answer(gateway, request, methods["versions"], path, _UNREAD_FIELDS)

    @get(
        "/{workspace:str}/artifacts/{alias:str}/multipart-uploads",
        opt={"operation": methods["list_multipart_uploads"]},
        name="list_multipart_uploads",
    )
    async def list_uploads(request: Request[Any, Any, Any]) -> Response[bytes]:
        """List the uploads in parts that are open in the stage of an artifact."""
        path: Query = {"artifact_id": [_artifact_id(request)]}
        return await _answer(gateway, request, methods["list_multipart_uploads"], path, _UNREAD_FIELDS)

    @get(
        "/{workspace:str}/artifacts/{alias:str}/multipart-uploads/{upload_id:str}",
        opt={"operation": methods["list_multipart_parts"]},
        name="list_multipart_parts",
    )
    async def list_parts(request: Request[Any, Any, Any]) -> Response[bytes]:
        """List the parts of an open upload that are there, and get new URLs for those that are missing."""
        path: Query = {"artifact_id": [_artifact_id(request)], "upload_id": [request.path_params["upload_id"]]}
        return await _answer(gateway, request, methods["list_multipart_parts"], path, _UNREAD_FIELDS)

    return [
        list_artifacts,
        search_artifacts,
        list_children,
        read_history,
        list_versions,
        list_uploads,
        list_parts,
    ]


def _artifact_id(request: Request[Any, Any, Any]) -> str:
    return artifact_id_of(request.path_params["workspace"], request.path_params["alias"])


async def _answer(
    gateway: Gateway, request: Request[Any, Any, Any], method: Method, path: Query, unread: frozenset[str]
) -> Response[bytes]:
    exchange = Exchange.of(request.scope)
    exchange.operation = method.name
    query = exchange.query_fields()
    context = await open_context(gateway, exchange, request.path_params["workspace"], query)
    given = {name: texts for name, texts in query.items() if name not in unread}
    if "keywords" in given:
        words = [word.strip() for text in given.pop("keywords") for word in text.split(",")]
        given |= {"keywords": [word for word in words if word]} if any(words) else {}
    parameters = bind_text(method, {**given, **path})
    return json_response(await call(gateway, exchange, context, method, parameters))
