"""REST over artifacts, health, the schema, and what every answer has."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.fake_application import FakeApplication
from tests.support.http import client_of

UUID = "0193f0e2-7f3a-7c38-8f64-2b8f7a6f1c01"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(FakeApplication()) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "method", "arguments"),
    [
        ("/lab/artifacts/", "List", {"parent_id": None}),
        ("/lab/artifacts", "List", {"parent_id": None}),
        (
            "/lab/artifacts/?keywords=one,%20two&limit=5&offset=3&mode=OR",
            "List",
            {"keywords": ["one", "two"], "limit": 5},
        ),
        ("/lab/artifacts/?keywords=", "List", {"keywords": None}),
        (
            '/lab/artifacts/?filters={"type":"dataset"}&stage=all',
            "List",
            {"filters": {"type": "dataset"}, "stage": "all"},
        ),
        (
            "/lab/artifacts/?stage=true&pagination=true&no_cache=true&order_by=id",
            "List",
            {"stage": True, "pagination": True},
        ),
        ("/lab/artifacts/gallery/children?silent=true", "List", {"parent_id": "lab/gallery", "silent": True}),
        (f"/lab/artifacts/{UUID}/children", "List", {"parent_id": UUID}),
        ("/lab/artifacts/-/search?keywords=moon", "Search", {"keywords": "moon"}),
        (
            "/lab/artifacts/data?version=v1&silent=true",
            "Read",
            {"artifact_id": "lab/data", "version": "v1", "silent": True},
        ),
        ("/lab/artifacts/data?stage=true&limit=7&no_cache=1", "Read", {"artifact_id": "lab/data", "stage": True}),
        (f"/lab/artifacts/{UUID}", "Read", {"artifact_id": UUID}),
        ("/lab/artifacts/data/history?kinds=access&limit=2", "History", {"artifact_id": "lab/data", "kinds": "access"}),
        ("/lab/artifacts/data/versions?limit=2", "Versions", {"artifact_id": "lab/data", "limit": 2}),
    ],
)
async def test_addresses_are_methods(
    client: httpx.AsyncClient, path: str, method: str, arguments: dict[str, Any]
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["method"], body["workspace"], body["user"]) == (method, "lab", "alice")
    assert {name: body["parameters"][name] for name in arguments} == arguments


async def test_errors_have_detail_and_code_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get("/lab/artifacts/?limit=0")
    assert answer.status_code == 400
    assert answer.json() == {
        "detail": "Argument 'limit': expected `int` >= 1; allowed is 1 to 1000",
        "code": "invalid_type",
    }
    assert (await client.get("/lab/artifacts/?filters={broken")).status_code == 400
    assert (await client.get("/lab/artifacts/data?bogus=1")).status_code == 400
    assert (await client.get("/lab/artifacts/?keywords=%ff")).status_code == 400


async def test_a_token_in_the_query_replaces_the_header(client: httpx.AsyncClient) -> None:
    assert (await client.get("/lab/artifacts/data?token=bot-token")).json()["user"] == "bot"
    assert (await client.get("/lab/artifacts/data?token=wrong")).status_code == 401


async def test_a_generated_token_does_not_change_the_workspace_of_an_address(client: httpx.AsyncClient) -> None:
    answer = await client.get("/other/artifacts/data", headers={"authorization": "Bearer bot-token"})
    assert answer.json()["workspace"] == "other"


async def test_head_answers_without_a_body_and_counts_no_view(client: httpx.AsyncClient) -> None:
    full = await client.get("/lab/artifacts/data?silent=true", headers={"x-request-id": "r"})
    head = await client.head("/lab/artifacts/data", headers={"x-request-id": "r"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]


@pytest.mark.parametrize(
    ("verb", "path", "status", "code"),
    [
        ("GET", "/", 404, "unknown_route"),
        ("GET", "/lab/bogus", 404, "unknown_route"),
        ("GET", "/lab/artifacts/data/bogus", 404, "unknown_route"),
        ("POST", "/lab/artifacts/data", 405, "method_not_allowed"),
        ("DELETE", "/health", 405, "method_not_allowed"),
        ("POST", "/lab/artifacts/data/files/x", 405, "method_not_allowed"),
    ],
)
async def test_what_does_not_exist_is_json(
    client: httpx.AsyncClient, verb: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(verb, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/readiness"])
async def test_readiness_tells_the_lag(path: str) -> None:
    application = FakeApplication()
    async with client_of(application, None) as client:
        ready = await client.get(path)
        application.is_ready = False
        unready = await client.get(path)
    assert ready.status_code == 200
    assert ready.json() == {"status": "OK", "detail": {"projections": {"catalog": {"lag": 0}}}}
    assert unready.status_code == 503


@pytest.mark.parametrize("path", ["/health/live", "/health/liveness"])
async def test_liveness_needs_nothing(path: str) -> None:
    async with client_of(FakeApplication(is_ready=False), None) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "OK")


async def test_every_answer_has_the_common_headers(client: httpx.AsyncClient) -> None:
    for path in ("/lab/artifacts/data", "/bogus", "/public/services/artifact-manager/echo", "/schema"):
        answer = await client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-request-id"]
        assert "access-control-allow-origin" not in answer.headers


async def test_the_origin_is_mirrored_without_credentials(client: httpx.AsyncClient) -> None:
    origin = {"origin": "https://app.example"}
    answer = await client.get("/lab/artifacts/data", headers=origin)
    preflight = await client.options(
        "/lab/artifacts/data/files/x", headers={**origin, "access-control-request-headers": "authorization"}
    )
    assert preflight.status_code == 204
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "authorization"
    for found in (answer, preflight):
        assert found.headers["access-control-allow-origin"] == "https://app.example"
        assert found.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in found.headers


async def test_the_schema_describes_every_method_and_route(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    create = document["paths"]["/{workspace}/services/artifact-manager/read"]["post"]
    schema = create["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["artifact_id"]
    assert set(document["paths"]["/{workspace}/artifacts/{alias}/files/{path}"]) == {"get", "head", "put", "delete"}
    assert "/{workspace}/artifacts/{alias}/children" in document["paths"]
    ids = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    assert len(ids) == len(set(ids))


async def test_the_page_shows_the_schema_and_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/schema")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "/{workspace}/services/artifact-manager/read" in page.text
    assert "://" not in page.text
    for asset in ("/schema/page.css", "/schema/page.js"):
        assert (await client.get(asset)).status_code == 200
