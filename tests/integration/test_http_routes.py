"""Every route and every method declares the operation that it asks for."""

import contextlib
from collections.abc import Mapping

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from api.binding import bind
from api.http.app import create_app
from api.http.health import PUBLIC
from api.http.objects import SIGNATURE
from api.http.raw_routes import RAW_ROUTES
from api.http.schemas import parameters_schema
from api.http.services import BY_METHOD
from application import artifact_methods, workspace_methods
from application.methods import Method
from domain.errors import InvalidTypeError
from domain.permissions import Operation
from tests.support.fake_application import FakeApplication

REAL_SERVICES = pytest.mark.parametrize(
    "methods", [artifact_methods.METHODS, workspace_methods.METHODS], ids=["artifact-manager", "ws"]
)
# What shows nothing of any artifact, and may be called by anybody.
PUBLIC_ROUTES = {
    "/health",
    "/health/live",
    "/health/liveness",
    "/health/ready",
    "/health/readiness",
    "/schema",
    "/schema/openapi.json",
    "/schema/page.css",
    "/schema/page.js",
    "/{workspace}/services",
    "/{workspace}/services/{service}",
}


def _declared(resources: Litestar) -> dict[str, object]:
    found: dict[str, object] = {}
    for route in resources.routes:
        assert isinstance(route, HTTPRoute), f"{route.path}: not a route of known kind"
        for handler in route.route_handlers:
            if handler.http_methods != {"OPTIONS"}:
                found[route.path_format] = handler.opt.get("operation")
    return found


def test_every_routed_address_is_a_method_or_public() -> None:
    declared = _declared(create_app(FakeApplication().gateway()).resources)
    assert {path for path, operation in declared.items() if operation == PUBLIC} == PUBLIC_ROUTES
    for path, operation in declared.items():
        assert operation == PUBLIC or isinstance(operation, Method), path


def test_every_raw_route_declares_an_operation_for_each_verb() -> None:
    for route in RAW_ROUTES:
        assert route.operations
        assert set(route.operations) == set(route.summaries)
        for verb, operation in route.operations.items():
            assert isinstance(operation, Operation) or operation in (BY_METHOD, SIGNATURE), f"{verb} {route.path}"


@pytest.mark.parametrize(
    "methods", [artifact_methods.METHODS, workspace_methods.METHODS], ids=["artifact-manager", "ws"]
)
def test_every_method_declares_its_operation_or_says_what_decides(methods: Mapping[str, Method]) -> None:
    undeclared = [
        name
        for name, method in methods.items()
        if method.operation is None and not (method.handler.__doc__ or "").strip()
    ]
    assert undeclared == []


@pytest.mark.parametrize(
    "methods", [artifact_methods.METHODS, workspace_methods.METHODS], ids=["artifact-manager", "ws"]
)
def test_every_method_can_be_bound_and_described(methods: Mapping[str, Method]) -> None:
    for name, method in methods.items():
        assert method.name == name
        required = parameters_schema(method.parameters).get("required", [])
        with contextlib.suppress(InvalidTypeError):
            bind(method, dict.fromkeys(required, "x"))
        with pytest.raises(InvalidTypeError, match="unexpected keyword argument 'bogus'"):
            bind(method, {"bogus": 1})
