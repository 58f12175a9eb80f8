"""Arguments of every method that are unknown, missing, of a wrong type, or out of range."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

import msgspec
import pytest

from api.argument_types import arguments_of
from application.artifact_methods import METHODS as ARTIFACT_METHODS
from application.methods import Method
from application.workspace_methods import METHODS as WORKSPACE_METHODS
from tests.support.client import METHODS
from tests.support.refusals import Watch

HUGE = 10**400
VALUES: tuple[Any, ...] = (
    True,
    -1,
    HUGE,
    -HUGE,
    1.5,
    "",
    "\0",
    "é" * 2_000,
    [],
    [None],
    [[{}]],
    ["a", 1],
    {},
    {"a": 1},
)
REFUSALS = (400, 403, 404, 409, 413, 416)
# What every call names does not exist, so a value that fits the type leads to nothing, either.
NOWHERE: Mapping[str, Any] = {
    "artifact_id": "nothing",
    "parent_id": "nothing",
    "file_path": "a.txt",
    "content": "x",
    "download_weight": 1,
    "manifest": {},
}


def _everything() -> Iterator[tuple[str, Method]]:
    yield from (("artifact-manager", method) for method in ARTIFACT_METHODS.values())
    yield from (("ws", method) for method in WORKSPACE_METHODS.values())


EVERYTHING = [pytest.param(service, method, id=f"{service}.{method.name}") for service, method in _everything()]


def _base(method: Method) -> dict[str, Any]:
    names = arguments_of(method.parameters)
    # A list would be one of everything without a parent.
    return {
        name: NOWHERE[name]
        for name in NOWHERE
        if name in names and not (name == "artifact_id" and "parent_id" in names)
    }


def _required(method: Method) -> list[str]:
    return [name for name, argument in arguments_of(method.parameters).items() if argument.is_required]


def _fits(method: Method, name: str, value: Any) -> bool:
    kind = get_type_hints(method.parameters, include_extras=True)[name]
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize(("service", "method"), EVERYTHING)
def test_values_of_all_kinds_for_every_parameter(watch: Watch, service: str, method: Method) -> None:
    tried = 0
    for name in method.parameters.__struct_fields__:
        for value in VALUES:
            fits = _fits(method, name, value)
            if fits and service == "ws":
                # What a workspace may be called and configured with is the business of its own tests.
                continue
            arguments = {**_base(method), name: value}
            answer = watch.alice.http.post(f"/public/services/{service}/{method.name}", json=arguments)
            if fits and answer.status_code == 200:
                assert not method.changes_state, arguments
                continue
            body = watch.check(answer, *(REFUSALS if fits else (400,)))
            if not fits and all(other in arguments for other in _required(method)):
                assert (body["code"], name in body["detail"]) == ("invalid_type", True), (arguments, body)
            tried += 1
    assert tried or method.name == "echo" or not method.parameters.__struct_fields__


@pytest.mark.parametrize(("service", "method"), EVERYTHING)
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_unknown_and_missing_arguments(watch: Watch, service: str, method: Method, verb: str) -> None:
    address = f"/public/services/{service}/{method.name}"

    def refused(arguments: dict[str, Any]) -> str:
        if verb == "POST":
            answer = watch.alice.http.post(address, json=arguments)
        else:
            written = {
                name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()
            }
            answer = watch.alice.http.get(address, params=written)
        return str(watch.check(answer, 400, code="invalid_type")["detail"])

    assert refused({**_base(method), "bogus": 1}).endswith("got an unexpected keyword argument 'bogus'")
    required = _required(method)
    if required:
        assert refused({}) == f"TypeError: Missing required argument: '{required[0]}'"


LIMIT = "Argument 'limit': expected `int`"
OUT_OF_RANGE = [
    ("list", {"limit": 0}, LIMIT),
    ("list", {"limit": 1_001}, "allowed is 1 to 1000"),
    ("list", {"limit": 5_000}, LIMIT),
    ("list", {"limit": HUGE}, LIMIT),
    ("list", {"limit": 1.5}, LIMIT),
    ("list", {"limit": "10"}, LIMIT),
    ("list", {"offset": -1}, "Argument 'offset'"),
    ("list", {"offset": HUGE}, "Argument 'offset'"),
    ("list", {"order_by": "bogus"}, "bogus"),
    ("list", {"order_by": "manifest.\0"}, "order_by|field"),
    ("list", {"cursor": "garbage"}, "cursor"),
    ("list", {"mode": "XOR"}, "mode"),
    ("list", {"stage": "maybe"}, "stage"),
    ("list", {"filters": {"version": "bogus"}}, "version"),
    ("list", {"filters": {"manifest": {"a": {"$bogus": 1}}}}, "$bogus"),
    ("list_files", {"artifact_id": "data", "limit": 10_001}, "allowed is 1 to 10000"),
    ("list_files", {"artifact_id": "data", "offset": -1}, "Argument 'offset'"),
    ("history", {"artifact_id": "data", "limit": 0}, LIMIT),
    ("history", {"artifact_id": "data", "cursor": "-"}, "cursor"),
    ("history", {"artifact_id": "data", "kinds": "bogus"}, "kinds"),
    ("versions", {"artifact_id": "data", "cursor": "x"}, "cursor"),
    ("get_file", {"artifact_id": "data", "file_path": "a.txt", "expires_in": 1}, "allowed is 60 to 604800"),
    ("get_file", {"artifact_id": "data", "file_path": "a.txt", "expires_in": 604_801}, "allowed is 60 to 604800"),
    ("get_file", {"artifact_id": "data", "file_path": "a.txt", "expires_in": HUGE}, "'expires_in'"),
    ("get_file", {"artifact_id": "data", "file_path": []}, "at least one path"),
    ("get_file", {"artifact_id": "data", "file_path": ["a.txt"] * 10_001}, "'file_path'"),
    ("get_file", {"artifact_id": "data", "file_path": "a.txt", "use_local_url": "ftp://x"}, "use_local_url"),
    ("get_file", {"artifact_id": "data", "file_path": "a.txt", "use_local_url": "http://x/\r\nA: b"}, "use_local_url"),
    ("get_file", {"artifact_id": "data", "file_path": "a.txt", "version": "v0", "stage": True}, "version"),
    ("get_file", {"artifact_id": "data", "file_path": "a.txt", "branch": "main"}, "branch"),
    ("put_file", {"artifact_id": "draft", "file_path": "a", "use_local_url": "ftp://x"}, "use_local_url"),
    ("put_file", {"artifact_id": "draft", "file_path": "a", "expires_in": 1}, "allowed is 60 to 604800"),
    ("put_file", {"artifact_id": "draft", "file_path": "a", "download_weight": -1}, "non-negative"),
    ("put_file", {"artifact_id": "draft", "file_path": "a", "download_weight": 1e300}, "weight"),
    ("put_file", {"artifact_id": "draft", "file_path": "a", "download_weight": HUGE}, "'download_weight'"),
    ("put_file", {"artifact_id": "draft", "file_path": ["a", "b"], "download_weight": [1]}, "must match"),
    ("put_file", {"artifact_id": "draft", "file_path": ["a", "b"], "download_weight": [1, -1]}, "at index 1"),
    ("put_file", {"artifact_id": "draft", "file_path": ["a", "a/b"]}, "a"),
    ("set_download_weight", {"artifact_id": "data", "file_path": "a.txt", "download_weight": -0.5}, "non-negative"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "limit": 0}, "Limit"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "limit": 10_485_761}, "Limit"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "offset": -1}, "'offset'"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "format": "xml"}, "'format'"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "format": "binary"}, "base64"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "format": "json"}, "not JSON"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "encoding": "bogus"}, "encoding"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "encoding": "punycode"}, "not an encoding of text"),
    ("read_file", {"artifact_id": "data", "file_path": "a.txt", "encoding": "zlib"}, "not an encoding of text"),
    ("write_file", {"artifact_id": "draft", "file_path": "a", "content": 5}, "must be a string"),
    ("write_file", {"artifact_id": "draft", "file_path": "a", "content": "%", "format": "base64"}, "base64"),
    (
        "write_file",
        {"artifact_id": "draft", "file_path": "a", "content": "é", "encoding": "ascii"},
        "cannot be written",
    ),
    ("write_file", {"artifact_id": "draft", "file_path": "a", "content": "a", "encoding": "a\0"}, "encoding"),
    ("write_file", {"artifact_id": "draft", "file_path": "a", "content": "a", "encoding": "idna"}, "not an encoding"),
    ("write_file", {"artifact_id": "draft", "file_path": "a", "content": "a", "format": "binary"}, "bytes"),
    ("create", {"alias": "bad", "manifest": {}, "comment": "x" * 4_097}, "'comment'"),
    ("create", {"alias": "bad", "manifest": {}, "version": "latest"}, "version"),
    ("create", {"alias": "bad", "manifest": {}, "version": "a/b"}, "version"),
    ("create", {"alias": "bad", "manifest": {}, "secrets": {"": "b"}}, "The name of a secret"),
    ("create", {"alias": "bad", "manifest": {}, "secrets": {"a": 5}}, "secret"),
    ("edit", {"artifact_id": "data", "secrets": {"a\n": "b"}}, "The name of a secret"),
    ("create", {"alias": "bad", "manifest": {}, "permissions": {"bob": "everything"}}, "permission"),
    ("create", {"alias": "bad", "manifest": {}, "config": {"permissions": []}}, "permissions"),
    ("create", {"alias": "bad", "manifest": {}, "config": {"storage": "tape"}}, "tape"),
    ("create", {"alias": "bad", "manifest": {"name": 5}}, "manifest.name"),
    ("create", {"alias": "bad"}, "Manifest must be provided"),
    ("edit", {"artifact_id": "data", "version": "v9"}, "Invalid version"),
    ("commit", {"artifact_id": "draft", "version": "stage"}, "stage"),
    ("commit", {"artifact_id": "draft", "version": "new"}, "version"),
    ("commit", {"artifact_id": "draft", "version": ""}, "version"),
]


@pytest.mark.parametrize(("method", "arguments", "text"), OUT_OF_RANGE)
def test_numbers_and_words_that_no_method_takes(
    watch: Watch, method: str, arguments: dict[str, Any], text: str
) -> None:
    body = watch.check(watch.alice.http.post(METHODS + method, json=arguments), 400)
    assert any(part in body["detail"] for part in text.split("|")), body


@pytest.mark.parametrize(
    ("method", "arguments", "status", "code"),
    [
        ("read", {"artifact_id": "data", "version": "v9"}, 404, "version_not_found"),
        ("read", {"artifact_id": "data", "version": 5}, 404, "version_not_found"),
        ("read", {"artifact_id": "data", "version": -1}, 404, "version_not_found"),
        ("read", {"artifact_id": "data", "version": HUGE}, 404, "version_not_found"),
        ("read", {"artifact_id": "data", "version": "9" * 5_000}, 404, "version_not_found"),
        ("get_file", {"artifact_id": "data", "file_path": "nothing"}, 404, "file_not_found"),
        ("read_file", {"artifact_id": "data", "file_path": "a.txt", "offset": 6}, 416, "range_not_satisfiable"),
        ("read_file", {"artifact_id": "data", "file_path": "a.txt", "offset": HUGE}, 416, "range_not_satisfiable"),
        ("commit", {"artifact_id": "data"}, 400, "invalid_state"),
        ("discard", {"artifact_id": "data"}, 400, "nothing_staged"),
        ("put_file", {"artifact_id": "data", "file_path": "a.txt"}, 400, "invalid_state"),
        ("write_file", {"artifact_id": "data", "file_path": "a.txt", "content": "x"}, 400, "invalid_state"),
        ("create", {"alias": "data", "manifest": {}}, 409, "already_exists"),
    ],
)
def test_what_is_not_there_and_what_is_in_the_way(
    watch: Watch, method: str, arguments: dict[str, Any], status: int, code: str
) -> None:
    watch.check(watch.alice.http.post(METHODS + method, json=arguments), status, code=code)


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=1e400",
        "limit=" + "9" * 5_000,
        "limit=1&limit=2",
        "limit=nan",
        "filters={",
        "filters=[]",
        "filters=" + "[" * 5_000,
        "pagination=perhaps",
        "stage=perhaps",
        "bogus=1",
        "keywords=%ff",
        "&".join(["keywords=a"] * 1_001),
        "consistency=bogus",
        "min_position=-1",
        "min_position=%C2%B2",
        "min_position=" + "9" * 30,
    ],
)
def test_queries_of_a_resource(watch: Watch, query: str) -> None:
    watch.check(watch.alice.http.get(f"/ws-user-alice/artifacts/?{query}"), 400)
    watch.check(watch.alice.http.get(f"{METHODS}list?{query}"), 400)


@pytest.mark.parametrize("weight", ["-1", "nan", "inf", "-inf", "1e300", "x", "1&download_weight=2"])
def test_the_weight_of_an_upload(watch: Watch, weight: str) -> None:
    address = f"/ws-user-alice/artifacts/draft/files/a.txt?download_weight={weight}"
    watch.check(watch.alice.http.put(address, content=b"x"), 400)
