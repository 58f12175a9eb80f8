"""Presigned URLs that were changed, are expired, or are used for something else; ranges that lie outside."""

import base64
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import pytest
import requests

from adapters.system import SystemClock
from application.signed_urls import ReadClaims, SignedUrls, UploadClaims
from tests.support.client import METHODS, People
from tests.support.refusals import Watch, raw_request

SECONDS = 20


@pytest.fixture(scope="module")
def urls(furnished: People) -> dict[str, str]:
    """A URL to download a file, and one to upload one."""
    alice = furnished["alice"]
    return {
        "GET": alice.call("get_file", artifact_id="data", file_path="a.txt"),
        "PUT": alice.call("put_file", artifact_id="draft", file_path="a.txt"),
    }


def _send(verb: str, url: str) -> requests.Response:
    return requests.request(verb, url, data=b"evil" if verb == "PUT" else None, timeout=SECONDS)


def _tampered(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    base = f"{parts.scheme}://{parts.netloc}"

    def made(path: str = parts.path, **changes: str | None) -> str:
        changed = {name: value for name, value in {**query, **changes}.items() if value is not None}
        return f"{base}{path}?{urlencode(changed)}"

    def flipped(text: str) -> str:
        return text[:-1] + ("1" if text[-1] != "1" else "2")

    packed = query["claims"]
    claims = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    assert b"a.txt" in claims
    yield made(flipped(parts.path))
    yield made(parts.path + "/x")
    yield made(parts.path.upper().replace("/S3/", "/s3/"))
    yield made(expires=str(int(query["expires"]) + 1))
    yield made(expires="9" * 5_000)
    yield made(expires="")
    yield made(signature=flipped(query["signature"]))
    yield made(signature=query["signature"].upper())
    yield made(signature="é")
    yield made(signature="")
    yield made(claims=base64.urlsafe_b64encode(claims.replace(b"a.txt", b"b.txt")).rstrip(b"=").decode())
    yield made(claims=packed + "=")
    yield made(claims="")
    yield made(expires=None)
    yield made(claims=None)
    yield made(signature=None)
    yield f"{base}{parts.path}"
    yield f"{url}&signature={flipped(query['signature'])}"
    yield f"{url}&expires={int(query['expires']) + 1}"


@pytest.mark.parametrize("verb", ["GET", "PUT"])
def test_a_url_that_was_changed(watch: Watch, urls: dict[str, str], verb: str) -> None:
    for url in _tampered(urls[verb]):
        watch.check(_send(verb, url), 403, code="permission_denied")
        if verb == "GET":
            assert requests.head(url, timeout=SECONDS).status_code == 403


def test_a_url_for_something_else(watch: Watch, urls: dict[str, str]) -> None:
    watch.check(_send("GET", urls["PUT"]), 403, code="permission_denied")
    watch.check(_send("PUT", urls["GET"]), 403, code="permission_denied")
    for verb in ("DELETE", "POST", "PATCH", "TRACE"):
        for url in urls.values():
            watch.check(_send(verb, url), 405, code="method_not_allowed")


def test_a_query_that_is_no_text(watch: Watch, urls: dict[str, str]) -> None:
    watch.check(_send("GET", urls["GET"] + "&x=%ff"), 400, code="invalid_argument")


@pytest.mark.parametrize("key", ["", "a", "../../lock", "..%2f..%2ftoken-secret", "%00", "x" * 5_000])
def test_a_key_without_a_signature(watch: Watch, key: str) -> None:
    for verb in ("GET", "PUT"):
        status, answer = raw_request(
            watch.server,
            f"{verb} /s3/{key} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode(),
        )
        assert status == 403, answer


class _Past(SystemClock):
    def now(self) -> int:
        return super().now() - 3_600_000_000


def test_an_expired_url(watch: Watch) -> None:
    # Signed with the service's own secret, an hour ago.
    secret = (watch.server.data_dir / "token-secret").read_text().strip().encode()
    past = SignedUrls(secret, public_base_url=watch.server.url, local_base_url=watch.server.url, clock=_Past())
    get = past.get_url("a/b", ReadClaims(path="a.txt", size_bytes=5, etag="e"), expires_in_seconds=60)
    claims = UploadClaims(
        artifact_id=UUID(int=1), stage_id=UUID(int=2), path="a.txt", upload_id=UUID(int=3), actor="alice"
    )
    put = past.put_url("a/b", claims, expires_in_seconds=60)
    for verb, url in (("GET", get), ("PUT", put)):
        body = watch.check(_send(verb, url), 403, code="permission_denied")
        assert body["detail"] == "This URL has expired."


def test_a_url_whose_file_is_gone_says_nothing_about_where_it_was(watch: Watch) -> None:
    secret = (watch.server.data_dir / "token-secret").read_text().strip().encode()
    signed = SignedUrls(secret, public_base_url=watch.server.url, local_base_url=watch.server.url, clock=SystemClock())
    for key in ("nothing/there", "../token-secret", "a//b", "\0"):
        url = signed.get_url(key, ReadClaims(path="a.txt", size_bytes=5, etag="e"), expires_in_seconds=60)
        target = url.removeprefix(watch.server.url)
        status, answer = raw_request(
            watch.server, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        assert status in {400, 404}, (key, answer)
        assert str(watch.server.data_dir).encode() not in answer


def test_an_upload_url_of_a_closed_stage(furnished: People) -> None:
    alice, watch = furnished["alice"], Watch(furnished)
    for close in ("commit", "discard"):
        alice.call("create", alias=f"closed-{close}", manifest={}, stage=True)
        url = alice.upload(f"closed-{close}", "a.txt", b"first")
        alice.call(close, artifact_id=f"closed-{close}")
        before = watch.heads()
        watch.check(_send("PUT", url), 403, code="permission_denied")
        assert watch.heads() == before
    assert alice.download("closed-commit", "a.txt") == b"first"


@pytest.mark.parametrize("given", ["bytes=5-", "bytes=100-200", "bytes=" + "9" * 5_000 + "-", "bytes=-0"])
def test_ranges_outside_of_the_file(watch: Watch, urls: dict[str, str], given: str) -> None:
    answer = requests.get(urls["GET"], headers={"range": given}, timeout=SECONDS)
    watch.check(answer, 416, code="range_not_satisfiable")
    assert answer.headers["content-range"] == "bytes */5"
    address = "/ws-user-alice/artifacts/data/files/a.txt?use_proxy=true"
    answer = watch.alice.http.get(address, headers={"range": given})  # type: ignore[assignment]  # Another library's.
    watch.check(answer, 416, code="range_not_satisfiable")


@pytest.mark.parametrize("given", ["bytes=3-1", "bytes=a-b", "lines=1-2", "bytes", "bytes=0-0," * 1_000, "bytes=é-"])
def test_ranges_that_are_none_are_not_looked_at(urls: dict[str, str], given: str) -> None:
    answer = requests.get(urls["GET"], headers={"range": given.encode()}, timeout=SECONDS)
    assert (answer.status_code, answer.content) == (200, b"hello")


def test_urls_do_not_follow_what_a_caller_wants_them_to_say(watch: Watch) -> None:
    for base in ("javascript:alert(1)", "http://", "//x", "http://a b", "http://x/?a=", "http://x/#"):
        answer = watch.alice.http.post(
            METHODS + "get_file", json={"artifact_id": "data", "file_path": "a.txt", "use_local_url": base}
        )
        watch.check(answer, 400, code="invalid_argument")
