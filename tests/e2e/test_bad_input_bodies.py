"""Bodies that no method can be called with, and the limits of those that can."""

import json
from typing import Any

import httpx
import msgspec
import pytest

from tests.support.client import METHODS
from tests.support.refusals import Watch, raw_request

MEBI = 1024 * 1024
DEEP = 100_000


def _post(watch: Watch, method: str, body: bytes, content_type: str | None = "application/json") -> httpx.Response:
    headers = {} if content_type is None else {"content-type": content_type}
    return watch.alice.http.post(METHODS + method, content=body, headers=headers)


def _create(manifest: bytes) -> bytes:
    return b'{"alias": "bad", "manifest": ' + manifest + b"}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"alias": ', "not valid JSON"),
        (b'{"alias": "a",}', "not valid JSON"),
        (b"{'alias': 'a'}", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        ('{"alias": "a"}'.encode("utf-16"), "not valid JSON"),
        (b'{"alias": "\xff"}', "not valid UTF-8"),
        (b"[1, 2]", "an object"),
        (b'"text"', "an object"),
        (b"3", "an object"),
        (b"null", "an object"),
        (_create(b'{"a": "\\ud800"}'), "surrogate"),
        (_create(b'{"a": NaN, "b": "\\udfff"}'), "surrogate"),
        (_create(b'{"a": nan}'), "not valid JSON"),
        (_create(b'{"a": 1e999}'), "not valid JSON"),
        (_create(b'{"a": ' + b"9" * 5_000 + b"}"), "not valid JSON"),
        (_create(b'{"a": ' + b"[" * 1_000 + b"]" * 1_000 + b"}"), "nested more than 200 levels"),
        (_create(b'{"a": ' + b"[" * DEEP + b"]" * DEEP + b"}"), "nested more than 200 levels"),
        (_create(b'{"a":' * DEEP + b"1" + b"}" * DEEP), "nested more than 200 levels"),
        (_create(b"[" * DEEP + b"NaN" + b"]" * DEEP), "nested more than 200 levels"),
        (b"[" * DEEP, "not valid JSON|nested"),
        (b"", "Manifest must be provided"),
        (b"{}", "Manifest must be provided"),
    ],
)
def test_a_body_that_is_no_object_of_arguments(watch: Watch, body: bytes, text: str) -> None:
    refused = watch.check(_post(watch, "create", body), 400, code="invalid_argument")
    assert any(part in refused["detail"] for part in text.split("|")), refused


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1\xff",
        b"{}",
        msgspec.msgpack.encode({"alias": "bad", "manifest": {}})[:-1],
        msgspec.msgpack.encode({"alias": "bad", "manifest": {}}) + b"\x00",
        msgspec.msgpack.encode([1]),
        msgspec.msgpack.encode({1: 2}),
        msgspec.msgpack.encode({"alias": "bad", "manifest": {1: 2}}),
        msgspec.msgpack.encode({"alias": "bad", "manifest": {"a": b"bytes"}}),
        msgspec.msgpack.encode({"alias": msgspec.msgpack.Ext(5, b"x"), "manifest": {}}),
        b"\x81\xa1a\xa1\xff",
        b"\x81\x91\x01\x01",
        b"\x81\xa8manifest" + b"\x91" * DEEP + b"\xc0",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1a\xdd\xff\xff\xff\xff",
    ],
)
def test_msgpack_that_is_no_object_of_arguments(watch: Watch, body: bytes) -> None:
    watch.check(_post(watch, "create", body, "application/msgpack"), 400)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/json; charset=utf-8",
        "multipart/form-data; boundary=x",
        "msgpack",
        "application",
    ],
)
def test_whatever_is_not_declared_as_msgpack_is_read_as_json(watch: Watch, content_type: str | None) -> None:
    watch.check(_post(watch, "create", b"name=bad", content_type), 400, code="invalid_argument")


def test_a_manifest_and_a_config_have_a_largest_size(watch: Watch) -> None:
    large = {"text": "x" * MEBI}
    for method, arguments in (
        ("create", {"alias": "bad", "manifest": large}),
        ("create", {"alias": "bad", "manifest": {}, "config": large}),
        ("edit", {"artifact_id": "data", "manifest": large}),
        ("edit", {"artifact_id": "draft", "config": large}),
    ):
        refused = watch.check(watch.alice.http.post(METHODS + method, json=arguments), 413, code="too_large")
        assert f"the maximum is {MEBI} bytes" in refused["detail"]


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_has_a_largest_size(watch: Watch, is_declared: bool) -> None:
    head = f"POST {METHODS}create HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    # It is refused as soon as it is known to be too large, so not all of it is sent here.
    size = 33 * MEBI
    if is_declared:
        sent = f"{head}Content-Length: {size}\r\n\r\n".encode()
    else:
        chunk = b"%x\r\n%s\r\n" % (MEBI, b" " * MEBI)
        sent = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 33
    status, answer = raw_request(watch.server, sent)
    assert status == 413
    assert b"The request is larger than" in answer


def test_the_last_of_equal_keys_counts(furnished: Any) -> None:
    alice = furnished["alice"]
    body = b'{"artifact_id": "nothing", "artifact_id": "data", "silent": true}'
    answer = alice.http.post(METHODS + "read", content=body)
    assert answer.status_code == 200
    assert answer.json()["alias"] == "data"


def test_numbers_that_are_none_are_stored_by_their_names(furnished: Any) -> None:
    alice = furnished["alice"]
    body = b'{"alias": "numbers", "manifest": {"a": NaN, "b": [Infinity, {"c": -Infinity}], "d": "NaN"}}'
    assert alice.http.post(METHODS + "create", content=body).status_code == 200
    packed = msgspec.msgpack.encode({"alias": "packed", "manifest": {"a": float("nan"), "b": [float("inf")]}})
    answer = alice.http.post(METHODS + "create", content=packed, headers={"content-type": "application/msgpack"})
    assert answer.status_code == 200
    assert alice.record("numbers")["manifest"] == {"a": "NaN", "b": ["Infinity", {"c": "-Infinity"}], "d": "NaN"}
    assert alice.record("packed")["manifest"] == {"a": "NaN", "b": ["Infinity"]}


def test_what_lies_just_inside_the_limits_is_stored_as_it_came(furnished: Any) -> None:
    alice = furnished["alice"]
    nested: Any = 1
    for _ in range(190):
        nested = [nested]
    manifest = {"nested": nested, "integer": 10**400, "nul": "\0", "emoji": "\U0001f600", "large": "x" * (MEBI - 5_000)}
    alice.call("create", alias="limits", manifest=manifest)
    assert json.loads(alice.http.post(METHODS + "read", json={"artifact_id": "limits"}).content)["manifest"] == manifest
