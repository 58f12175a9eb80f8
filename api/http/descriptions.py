"""Describes the services: which there are, and the schema of each method."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from api.http.gateway import ARTIFACT_MANAGER, WORKSPACE_MANAGER, Gateway
from api.http.health import PUBLIC
from api.http.identity import PUBLIC_WORKSPACE
from api.http.schemas import first_paragraph, parameters_schema
from application.methods import Method
from domain.errors import NotFoundError

_NAMES = {ARTIFACT_MANAGER: "Artifact Manager", WORKSPACE_MANAGER: "Workspace Manager"}


def description_handlers(gateway: Gateway) -> Sequence[HTTPRouteHandler]:
    """Make the handlers of `/{workspace}/services` and `/{workspace}/services/{service}`."""
    described = {name: describe(name, methods) for name, methods in gateway.services.items()}

    @get("/{workspace:str}/services", opt={"operation": PUBLIC}, name="list_services")
    async def list_services() -> Response[bytes]:
        """List the services."""
        brief = [{key: value[key] for key in ("id", "name", "type", "description")} for value in described.values()]
        return Response(msgspec.json.encode(brief), media_type="application/json")

    @get("/{workspace:str}/services/{service:str}", opt={"operation": PUBLIC}, name="describe_service")
    async def describe_service(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Describe a service with the schema of each of its methods."""
        service = str(request.path_params["service"])
        found = described.get(service.rsplit(":", 1)[-1])
        if found is None:
            raise NotFoundError(f"Service not found: {service}")
        return Response(msgspec.json.encode(found), media_type="application/json")

    return [list_services, describe_service]


def describe(name: str, methods: Mapping[str, Method]) -> dict[str, Any]:
    """Describe a service; its `service_schema` has one function description a method."""
    return {
        "id": f"{PUBLIC_WORKSPACE}/{name}",
        "name": _NAMES[name],
        "type": "generic",
        "description": f"{_NAMES[name]}: {len(methods)} methods",
        "docs": "/schema",
        "app_id": "*",
        "config": {"visibility": "public", "require_context": True, "workspace": PUBLIC_WORKSPACE},
        "service_schema": {method.name: _describe_method(method) for method in methods.values()},
    }


def _describe_method(method: Method) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": method.name,
            "description": first_paragraph(method.parameters),
            "parameters": parameters_schema(method.parameters),
        },
    }
