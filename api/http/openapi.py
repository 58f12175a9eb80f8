"""The OpenAPI 3.1 document, made from the methods' own declarations and the routes."""

from collections.abc import Iterable, Mapping
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from api.http.gateway import Gateway
from api.http.raw_routes import RAW_ROUTES, RawRoute
from api.http.schemas import first_paragraph, parameters_schema
from application.methods import Method

JsonObject = dict[str, Any]

_ERROR_DESCRIPTIONS = {
    "400": "An argument is missing, unknown, of a wrong type or out of range, or the state does not allow it.",
    "401": "The token is not valid.",
    "403": "The caller may not do this; the text names the operation.",
    "404": "What was named does not exist.",
    "409": "The name is taken, or others kept changing the same thing.",
    "413": "Something exceeds a limit.",
    "503": "The service cannot answer now; `Retry-After` says when to come again.",
}
_JSON = "application/json"


def build_document(gateway: Gateway, resources: Litestar, version: str) -> JsonObject:
    """Build the document: one operation a method, and one a route."""
    paths: dict[str, JsonObject] = {}
    for service, methods in gateway.services.items():
        for method in methods.values():
            address = f"/{{workspace}}/services/{service}/{method.name}"
            paths[address] = {"post": _method_operation(service, method)}
    for path, verb, handler in _handlers(resources):
        paths.setdefault(path, {})[verb] = _route_operation(path, handler)
    for raw in RAW_ROUTES:
        for verb in raw.operations:
            paths.setdefault(raw.path, {})[verb.lower()] = _raw_operation(raw, verb)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Artifact Manager",
            "version": version,
            "description": "Keeps datasets, models and applications as versioned artifacts.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Problem": _PROBLEM, "ServiceProblem": _SERVICE_PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


_PROBLEM: JsonObject = {
    "type": "object",
    "required": ["detail", "code"],
    "properties": {
        "detail": {"type": "string", "description": "What went wrong, for people."},
        "code": {"type": "string", "description": "What went wrong, stable, for programs."},
    },
}
_SERVICE_PROBLEM: JsonObject = {
    "type": "object",
    "required": ["success", "detail", "code"],
    "properties": {"success": {"const": False}, **_PROBLEM["properties"]},
}


def _handlers(resources: Litestar) -> Iterable[tuple[str, str, HTTPRouteHandler]]:
    for route in resources.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for verb in sorted(handler.http_methods - {"OPTIONS"}):
                    yield route.path_format, verb.lower(), handler


def _method_operation(service: str, method: Method) -> JsonObject:
    schema = parameters_schema(method.parameters)
    return {
        "operationId": f"{service}.{method.name}",
        "tags": [service],
        "summary": first_paragraph(method.parameters),
        "description": _permission(method),
        "parameters": _path_parameters("/{workspace}"),
        "requestBody": {"required": bool(schema.get("required")), "content": {_JSON: {"schema": schema}}},
        "responses": _responses("ServiceProblem"),
    }


def _route_operation(path: str, handler: HTTPRouteHandler) -> JsonObject:
    declared = handler.opt["operation"]
    parameters = _path_parameters(path)
    if isinstance(declared, Method):
        parameters += _query_parameters(declared, {"artifact_id", "parent_id", "upload_id"})
    return {
        "operationId": f"{handler.name}{_suffix(path, handler)}",
        "tags": ["resources" if isinstance(declared, Method) else "service"],
        "summary": first_paragraph(handler.fn),
        "parameters": parameters,
        "responses": _responses("Problem"),
    }


def _suffix(path: str, handler: HTTPRouteHandler) -> str:
    """Tell the addresses of one handler apart."""
    return "" if len(handler.paths) == 1 else "." + path.strip("/").replace("/", ".")


def _raw_operation(raw: RawRoute, verb: str) -> JsonObject:
    parameters = _path_parameters(raw.path)
    if verb in raw.query:
        properties = parameters_schema(raw.query[verb])["properties"]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
    return {
        "operationId": f"{raw.name}.{verb.lower()}",
        "tags": [raw.name],
        "summary": raw.summaries[verb],
        "parameters": parameters,
        "responses": _responses("Problem"),
    }


def _permission(method: Method) -> str:
    if method.operation is None:
        return first_paragraph(method.handler)
    return f"Needs the permission `{method.operation}`."


def _path_parameters(path: str) -> list[JsonObject]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(method: Method, in_path: set[str]) -> list[JsonObject]:
    properties: Mapping[str, JsonObject] = parameters_schema(method.parameters).get("properties", {})
    found = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
        if name not in in_path
    ]
    return [*found, {"name": "token", "in": "query", "required": False, "schema": {"type": "string"}}]


def _responses(problem: str) -> JsonObject:
    schema = {"$ref": f"#/components/schemas/{problem}"}
    errors = {
        status: {"description": text, "content": {_JSON: {"schema": schema}}}
        for status, text in _ERROR_DESCRIPTIONS.items()
    }
    return {"200": {"description": "Success."}, **errors}
