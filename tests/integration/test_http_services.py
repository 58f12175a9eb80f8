"""Calls of methods over HTTP: arguments, answers, errors, workspaces."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from application.settings import Settings
from tests.support.fake_application import FakeApplication
from tests.support.http import client_of

READ = "/public/services/artifact-manager/read"
ECHO = "/public/services/artifact-manager/echo"
FAIL = "/public/services/artifact-manager/fail"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(FakeApplication()) as client:
        yield client


async def test_post_takes_a_json_object_and_answers_exactly_200(client: httpx.AsyncClient) -> None:
    answer = await client.post(READ, json={"artifact_id": "x", "silent": True, "version": None, "context": {"ws": "y"}})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert (body["method"], body["user"], body["workspace"]) == ("Read", "alice", "ws-user-alice")
    assert body["parameters"]["silent"] is True


@pytest.mark.parametrize(
    "content_type", [None, "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded"]
)
async def test_any_content_type_but_msgpack_is_json(client: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await client.post(READ, content=b'{"artifact_id": "x"}', headers=headers)
    assert answer.status_code == 200


async def test_an_empty_body_has_no_arguments(client: httpx.AsyncClient) -> None:
    assert (await client.post(ECHO)).json() is None


async def test_get_converts_by_the_declared_type(client: httpx.AsyncClient) -> None:
    query = "?artifact_id=123&silent=true&version=1&service_id=x&function_key=read&_mode=random&consistency=eventual"
    body = (await client.get(READ + query)).json()
    assert body["consistency"] == "eventual"
    assert body["parameters"] == {
        "artifact_id": "123",
        "silent": True,
        "version": "1",
        "stage": False,
        "include_metadata": False,
    }


async def test_a_query_parameter_named_token_is_an_argument_of_a_method(client: httpx.AsyncClient) -> None:
    answer = await client.get(READ + "?artifact_id=x&token=alice-token")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "TypeError: read() got an unexpected keyword argument 'token'"


async def test_msgpack_in_means_msgpack_out(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/msgpack"}
    answer = await client.post(ECHO, content=msgspec.msgpack.encode({"value": b"\x00\xff"}), headers=headers)
    assert answer.headers["content-type"] == "application/msgpack"
    assert msgspec.msgpack.decode(answer.content) == b"\x00\xff"


async def test_a_position_is_told_and_an_answer_encoded_before_passes_through(client: httpx.AsyncClient) -> None:
    path = "/public/services/artifact-manager/edit"
    answer = await client.post(path, json={"artifact_id": "x"})
    assert answer.headers["x-event-position"] == "42"
    assert answer.content == b'{"changed":true,"url":"http://a/b?c=1&d=2"}'
    packed = await client.post(
        path, content=msgspec.msgpack.encode({"artifact_id": "x"}), headers={"content-type": "application/msgpack"}
    )
    assert msgspec.msgpack.decode(packed.content)["changed"] is True


async def test_a_url_is_a_json_string_without_escapes(client: httpx.AsyncClient) -> None:
    answer = await client.post(ECHO, json={"value": "http://a/b?c=1&d=<2>"})
    assert answer.content == b'"http://a/b?c=1&d=<2>"'


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, "The body is not valid JSON"),
        (b"[1, 2]", 400, "The body must be an object"),
        (b"null", 400, "The body must be an object"),
        (b"\xff\xfe", 400, "The body is not valid JSON"),
        (b'{"value": "\xff"}', 400, "The body is not valid UTF-8"),
        (b'{"value": "\\ud800"}', 400, "half of a surrogate pair"),
        (b'{"value": ["\\ud800", NaN]}', 400, "half of a surrogate pair"),
        (b'{"value": NaNaN}', 400, "The body is not valid JSON"),
        (b'{"value": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400, "nested more than 200 levels deep"),
        (b'{"value": ' + b"[" * 100_000, 400, "nested more than 200 levels deep"),
        (b'{"value": ' + b'{"a":' * 205 + b"1" + b"}" * 206, 400, "nested more than 200 levels deep"),
        (b'{"value": ' + b"[" * 100_000 + b"NaN", 400, "nested more than 200 levels deep"),
        (b'{"value": NaN, "v": ' + b"9" * 5000 + b"}", 400, "The body is not valid JSON"),
    ],
)
async def test_a_malformed_body_is_the_callers_mistake(
    client: httpx.AsyncClient, body: bytes, status: int, detail: str
) -> None:
    answer = await client.post(ECHO, content=body)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]
    assert answer.json()["success"] is False


async def test_nesting_up_to_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    nested = b"[" * 199 + b"]" * 199
    assert (await client.post(ECHO, content=b'{"value": ' + nested + b"}")).content == nested


async def test_nan_and_infinities_are_read_as_python_writes_them(client: httpx.AsyncClient) -> None:
    body = json.dumps({"error": "ValueError", "detail": "x", "foo": [float("nan"), float("-inf")]})
    answer = await client.post(FAIL, content=body)
    assert answer.json()["detail"] == "TypeError: fail() got an unexpected keyword argument 'foo'"


async def test_broken_msgpack_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(ECHO, content=b"\xc1", headers={"content-type": "application/msgpack"})
    assert answer.status_code == 400
    assert "not valid msgpack" in answer.json()["detail"]


async def test_a_large_body_is_refused_whether_it_says_so_or_not() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    settings = Settings(request_bytes=65536)
    async with client_of(FakeApplication(settings=settings)) as client:
        declared = await client.post(ECHO, content=b" " * 65537)
        undeclared = await client.post(ECHO, content=chunks())
        fitting = await client.post(ECHO, content=b'{"value":1}' + b" " * 65525)
    assert (declared.status_code, undeclared.status_code, fitting.status_code) == (413, 413, 200)
    assert declared.json()["code"] == "too_large"


@pytest.mark.parametrize(
    ("error", "status", "detail", "code"),
    [
        ("InvalidArgumentError", 400, "ValueError: it's wrong", "invalid_argument"),
        ("InvalidIdError", 400, "AssertionError: it's wrong", "invalid_id"),
        ("SchemaViolationError", 400, "ValueError: ValidationError: it's wrong", "schema_violation"),
        ("NothingStagedError", 400, "ValueError: it's wrong", "nothing_staged"),
        ("UnauthenticatedError", 401, "PermissionError: it's wrong", "unauthenticated"),
        ("PermissionDeniedError", 403, "PermissionError: it's wrong", "permission_denied"),
        ("NotFoundError", 404, 'KeyError: "it\'s wrong"', "not_found"),
        ("FileMissingError", 404, "FileNotFoundError: it's wrong", "file_not_found"),
        ("VersionNotFoundError", 404, "ValueError: it's wrong", "version_not_found"),
        ("AlreadyExistsError", 409, "FileExistsError: it's wrong", "already_exists"),
        ("VersionExistsError", 409, "ValueError: it's wrong", "version_exists"),
        ("ConflictError", 409, "RuntimeError: it's wrong", "conflict"),
        ("TooLargeError", 413, "ValueError: it's wrong", "too_large"),
        ("RangeNotSatisfiableError", 416, "ValueError: it's wrong", "range_not_satisfiable"),
        ("UnavailableError", 503, "RuntimeError: it's wrong", "unavailable"),
        ("StorageFullError", 507, "OSError: it's wrong", "storage_full"),
    ],
)
async def test_each_refusal_has_its_status_text_and_code(
    client: httpx.AsyncClient, error: str, status: int, detail: str, code: str
) -> None:
    answer = await client.post(FAIL, json={"error": error})
    assert answer.status_code == status
    assert answer.json() == {"success": False, "detail": detail, "code": code}
    assert ("retry-after" in answer.headers) == (status == 503)
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_an_unexpected_error_shows_only_the_request_id(client: httpx.AsyncClient) -> None:
    answer = await client.post(FAIL, json={"error": "Unknown"}, headers={"x-request-id": "trace-1"})
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "trace-1" in answer.json()["detail"]
    assert "secret" not in answer.text


async def test_an_unknown_method_and_service_are_404(client: httpx.AsyncClient) -> None:
    method = await client.post("/public/services/artifact-manager/bogus", json={})
    assert (method.status_code, method.json()["detail"]) == (404, "bogus not found.")
    service = await client.post("/public/services/bogus/read", json={})
    assert (service.status_code, service.json()["detail"]) == (404, "KeyError: 'Service not found: bogus'")
    other = await client.post("/public/services/x:ws/echo", json={})
    assert other.status_code == 404


async def test_the_service_is_found_as_rpc_names_it(client: httpx.AsyncClient) -> None:
    answer = await client.post("/public/services/client-1:artifact-manager/read", json={"artifact_id": "x"})
    assert answer.status_code == 200
    assert (await client.post("/public/services/ws/echo", json={"value": 1})).json() == 1


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_verbs_are_refused(client: httpx.AsyncClient, verb: str) -> None:
    answer = await client.request(verb, READ)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("token", "address", "workspace"),
    [
        ("alice-token", "public", "ws-user-alice"),
        ("alice-token", "lab", "lab"),
        ("bot-token", "public", "lab"),
        ("bot-token", "other", "lab"),
        (None, "public", "ws-anonymous"),
        (None, "lab", "lab"),
    ],
)
async def test_the_workspace_of_a_call(token: str | None, address: str, workspace: str) -> None:
    async with client_of(FakeApplication(), token) as client:
        answer = await client.post(f"/{address}/services/artifact-manager/read", json={"artifact_id": "x"})
    assert answer.json()["workspace"] == workspace


async def test_a_bad_token_is_never_anonymous(client: httpx.AsyncClient) -> None:
    answer = await client.post(READ, json={"artifact_id": "x"}, headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"


async def test_a_cookie_is_a_token_too() -> None:
    async with client_of(FakeApplication(), None) as client:
        answer = await client.post(READ, json={"artifact_id": "x"}, headers={"cookie": "a=b; access_token=bot-token"})
    assert answer.json()["user"] == "bot"


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("", {}, ("strong", None)),
        ("?consistency=eventual", {}, ("eventual", None)),
        ("", {"x-consistency": "eventual"}, ("eventual", None)),
        ("?min_position=17", {}, ("strong", 17)),
        ("", {"x-min-position": "17"}, ("strong", 17)),
    ],
)
async def test_the_caller_says_how_fresh_the_answer_must_be(
    client: httpx.AsyncClient, query: str, headers: dict[str, str], expected: tuple[str, Any]
) -> None:
    body = (await client.post(READ + query, json={"artifact_id": "x"}, headers=headers)).json()
    assert (body["consistency"], body["min_position"]) == expected


@pytest.mark.parametrize(
    "query", ["?consistency=often", "?min_position=-1", "?min_position=x", "?min_position=" + "9" * 30]
)
async def test_a_malformed_wish_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.post(READ + query, json={"artifact_id": "x"})).status_code == 400


@pytest.mark.parametrize(("given", "is_kept"), [("abc-1.2_X", True), ("x" * 65, False), ("a b", False), ("<x>", False)])
async def test_a_sane_request_id_is_kept(client: httpx.AsyncClient, given: str, is_kept: bool) -> None:
    answer = await client.post(READ, json={"artifact_id": "x"}, headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) == is_kept
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_services_are_listed_and_described(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/public/services/")).json()
    assert [item["id"] for item in listed] == ["public/artifact-manager", "public/ws"]
    described = (await client.get("/public/services/artifact-manager")).json()
    read = described["service_schema"]["read"]["function"]
    assert read["parameters"]["required"] == ["artifact_id"]
    assert (await client.get("/public/services/nothing")).status_code == 404
