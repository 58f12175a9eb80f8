"""Tokens that are wrong, expired, foreign or revoked: always 401, however they arrive."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from tests.support.client import METHODS, People, login_token
from tests.support.refusals import Watch, raw_request

ALICE = "ws-user-alice"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _secret(watch: Watch) -> str:
    return (watch.server.data_dir / "token-secret").read_text().strip()


def _claims(watch: Watch, **changes: Any) -> dict[str, Any]:
    """Give Alice's claims with some changed; None takes one out."""
    claims: Mapping[str, Any] = jwt.decode(str(watch.alice.token), options={"verify_signature": False})
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def _check(watch: Watch, token: str) -> None:
    """Send a token in every way in which tokens arrive."""
    anonymous = watch.people.anonymous().http
    basic = base64.b64encode(f"git:{token}".encode()).decode()
    for scheme in (f"Bearer {token}", token, f"Basic {basic}"):
        headers = {b"authorization": scheme.encode("latin-1", "ignore")}
        answer = anonymous.post(METHODS + "list", json={}, headers=headers)
        watch.check(answer, 401, code="unauthenticated")
        # A bad token is never taken for none, where none would do.
        answer = anonymous.get(f"/{ALICE}/artifacts/data", headers=headers)
        watch.check(answer, 401, code="unauthenticated")
    watch.check(anonymous.get(f"/{ALICE}/artifacts/", params={"token": token}), 401, code="unauthenticated")
    watch.check(anonymous.put(f"/{ALICE}/artifacts/draft/files/x", content=b"x", params={"token": token}), 401)
    if ";" not in token and token.isascii():
        cookie = {"cookie": f"access_token={token}"}
        watch.check(anonymous.post(METHODS + "list", json={}, headers=cookie), 401, code="unauthenticated")


@pytest.mark.parametrize(
    "token", ["garbage", "..", "a.b.c", "e30.e30.e30", "x" * 60_000, "e30." + _base64(b"[" * 10_000) + ".e30"]
)
def test_tokens_that_are_none(watch: Watch, token: str) -> None:
    _check(watch, token)


def test_a_token_with_another_signature(watch: Watch) -> None:
    token = str(watch.alice.token)
    head, claims, signature = token.split(".")
    # The last character of a signature has bits that mean nothing, so the first is changed.
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    _check(watch, f"{head}.{claims}.{flipped}")
    _check(watch, f"{head}.{claims}.")
    _check(watch, f"{head}.{_base64(json.dumps(_claims(watch, sub='root')).encode())}.{signature}")
    _check(watch, jwt.encode(_claims(watch), "another secret that is long enough", "HS256"))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
def test_a_token_without_a_signature(watch: Watch, algorithm: str) -> None:
    head = _base64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    claims = _base64(json.dumps(_claims(watch)).encode())
    _check(watch, f"{head}.{claims}.")
    _check(watch, f"{head}.{claims}.{str(watch.alice.token).rsplit('.', 1)[1]}")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_a_token_with_another_algorithm(watch: Watch, algorithm: str) -> None:
    _check(watch, jwt.encode(_claims(watch), _secret(watch), algorithm))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": -1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1e300},
        {"exp": True},
        {"nbf": 9_999_999_999},
        {"nbf": "now"},
        {"iss": "https://elsewhere.example/"},
        {"iss": None},
        {"aud": "another service"},
        {"aud": []},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "*"},
        {"sub": "@"},
        {"sub": "a\nb"},
        {"sub": "x" * 257},
        {"sub": "anonymouz-x"},
        {"scope": 5},
        {"https://artifact-manager.dev/roles": "admin"},
        {"https://artifact-manager.dev/email": 5},
    ],
    ids=str,
)
def test_claims_that_are_wrong(watch: Watch, changes: dict[str, Any]) -> None:
    _check(watch, jwt.encode(_claims(watch, **changes), _secret(watch), "HS256"))


def test_a_token_stops_working_when_it_expires(watch: Watch) -> None:
    token = jwt.encode(_claims(watch, exp=int(time.time()) + 2), _secret(watch), "HS256")
    client = watch.people.bearer(token)
    # It is known by now, and is refused all the same once its time is over.
    assert client.http.get(f"/{ALICE}/artifacts/").status_code == 200
    ends = time.monotonic() + 10
    while client.http.get(f"/{ALICE}/artifacts/").status_code == 200:
        assert time.monotonic() < ends
        time.sleep(0.1)
    _check(watch, token)


def test_a_revoked_token(furnished: People) -> None:
    token = login_token(furnished.server, "alice")
    assert "data" in furnished.bearer(token).aliases()
    furnished["alice"].workspaces("revoke_token", token=token)
    watch = Watch(furnished)
    before = watch.heads()
    _check(watch, token)
    assert watch.heads() == before


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Basic !!!",
        b"Basic bm9jb2xvbg==",
        b"Basic dTo=",
        b"Basic " + base64.b64encode(b"\xff:\xff"),
        b"Digest username=alice",
        b"Bearer \xff\xfe",
    ],
)
def test_headers_that_hold_no_token(watch: Watch, header: bytes) -> None:
    answer = watch.people.anonymous().http.post(METHODS + "list", json={}, headers={b"authorization": header})
    watch.check(answer, 401, code="unauthenticated")


def test_two_headers_are_refused_whichever_is_good(watch: Watch) -> None:
    good, bad = f"Authorization: Bearer {watch.alice.token}\r\n", "Authorization: Bearer bad\r\n"
    for headers in (good + bad, bad + good, good + good):
        head = f"POST {METHODS}list HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n{headers}\r\n"
        status, answer = raw_request(watch.server, head.encode() + b"{}")
        assert status == 401
        assert b'"code":"unauthenticated"' in answer


def test_known_but_not_allowed_is_403(watch: Watch) -> None:
    for client in (watch.people["mallory"].http, watch.people.anonymous().http):
        for method, arguments in (
            ("read", {"artifact_id": f"{ALICE}/data"}),
            ("edit", {"artifact_id": f"{ALICE}/data", "manifest": {}}),
            ("delete", {"artifact_id": f"{ALICE}/data"}),
            ("get_file", {"artifact_id": f"{ALICE}/data", "file_path": "a.txt"}),
            ("put_file", {"artifact_id": f"{ALICE}/draft", "file_path": "a.txt"}),
            ("create", {"alias": f"{ALICE}/theirs", "manifest": {}}),
            ("create", {"alias": "x", "parent_id": f"{ALICE}/gallery", "manifest": {}}),
        ):
            watch.check(client.post(METHODS + method, json=arguments), 403, code="permission_denied")
