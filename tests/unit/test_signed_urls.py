import json
import string
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from application.signed_urls import MAX_EXPIRES_IN_SECONDS, ReadClaims, SignedUrls, UploadClaims
from domain.errors import InvalidArgumentError, PermissionDeniedError

KEY = "ws-user-alice/artifacts/018f3a5e/v0-1/7c9e6679-7425-40de-944b-e07fc1f90ae7"
READ = ReadClaims(path='a "b" é/c&d.csv', size_bytes=12, etag="e" * 32, content_type="text/csv; charset=utf-8")
UPLOAD = UploadClaims(
    artifact_id=UUID(int=1), stage_id=UUID(int=2), path="a/b.csv", upload_id=UUID(int=3), actor="alice"
)
URL_CHARACTERS = string.ascii_letters + string.digits + "-._~/=&?%+"


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000_000_000

    def now(self) -> int:
        return self.time


def service(clock: Clock | None = None, secret: bytes = b"secret") -> SignedUrls:
    return SignedUrls(
        secret, public_base_url="https://public.example/", local_base_url="http://local:9520", clock=clock or Clock()
    )


def parts(url: str) -> tuple[str, dict[str, str]]:
    """Take a URL apart as a server does."""
    split = urlsplit(url)
    assert split.path.startswith("/s3/")
    return unquote(split.path.removeprefix("/s3/")), dict(parse_qsl(split.query, keep_blank_values=True))


def test_a_url_gives_its_claims() -> None:
    urls = service()
    assert urls.verify_get(*parts(urls.get_url(KEY, READ, expires_in_seconds=60))) == READ
    assert urls.verify_put(*parts(urls.put_url(KEY, UPLOAD, expires_in_seconds=60))) == UPLOAD


def test_another_process_with_the_same_secret_accepts_it() -> None:
    url = service().get_url(KEY, READ, expires_in_seconds=60)
    assert service().verify_get(*parts(url)) == READ
    with pytest.raises(PermissionDeniedError, match="signature"):
        service(secret=b"other").verify_get(*parts(url))


@pytest.mark.parametrize(
    ("use_local_url", "base"),
    [
        (False, "https://public.example/s3/"),
        (True, "http://local:9520/s3/"),
        ("http://x", "http://x/s3/"),
        ("https://x:8080/some/prefix//", "https://x:8080/some/prefix/s3/"),
        ("http://[::1]:9520", "http://[::1]:9520/s3/"),
    ],
)
def test_use_local_url_decides_the_base(use_local_url: bool | str, base: str) -> None:
    urls = service()
    for url in (
        urls.get_url(KEY, READ, expires_in_seconds=60, use_local_url=use_local_url),
        urls.put_url(KEY, UPLOAD, expires_in_seconds=60, use_local_url=use_local_url),
    ):
        assert url.startswith(base + KEY + "?")


@pytest.mark.parametrize(
    "base",
    [
        "",
        "x",
        "true",
        "//x",
        "ftp://x",
        "http://",
        "http:///p",
        'http://x"',
        "http://x\\y",
        "http://x?q=1",
        "http://x#f",
        "http://x y",
        "http://é",
        "http://x\n",
        "http://[x",
        "javascript:alert(1)",
        "http://user@x",
    ],
)
def test_a_base_that_is_no_address_is_refused(base: str) -> None:
    with pytest.raises(InvalidArgumentError, match="use_local_url"):
        service().get_url(KEY, READ, expires_in_seconds=60, use_local_url=base)


@pytest.mark.parametrize("seconds", [0, -1, MAX_EXPIRES_IN_SECONDS + 1])
def test_an_expiry_out_of_range_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidArgumentError, match="expires_in must be from 1 to 604800"):
        service().get_url(KEY, READ, expires_in_seconds=seconds)


def test_a_url_expires() -> None:
    clock = Clock()
    urls = service(clock)
    url = urls.put_url(KEY, UPLOAD, expires_in_seconds=60)
    clock.time += 59_999_999
    assert urls.verify_put(*parts(url)) == UPLOAD
    clock.time += 1
    with pytest.raises(PermissionDeniedError, match="expired"):
        urls.verify_put(*parts(url))


def test_a_method_cannot_be_exchanged() -> None:
    urls = service()
    with pytest.raises(PermissionDeniedError, match="signature"):
        urls.verify_put(*parts(urls.get_url(KEY, READ, expires_in_seconds=60)))
    with pytest.raises(PermissionDeniedError, match="signature"):
        urls.verify_get(*parts(urls.put_url(KEY, UPLOAD, expires_in_seconds=60)))


@pytest.mark.parametrize("missing", ["expires", "claims", "signature"])
def test_a_missing_part_is_refused(missing: str) -> None:
    urls = service()
    key, query = parts(urls.get_url(KEY, READ, expires_in_seconds=60))
    del query[missing]
    with pytest.raises(PermissionDeniedError, match="signature"):
        urls.verify_get(key, query)


def test_a_refusal_names_neither_key_nor_signature() -> None:
    clock = Clock()
    urls = service(clock)
    key, query = parts(urls.get_url(KEY, READ, expires_in_seconds=60))
    clock.time += 10**9
    for bad in (query, query | {"signature": "0" * 64}):
        with pytest.raises(PermissionDeniedError) as refusal:
            urls.verify_get(key, bad)
        assert not any(word in refusal.value.detail for word in ("ws-user-alice", *query.values()))


@given(st.booleans(), st.data())
def test_any_changed_character_of_a_url_is_refused(is_upload: bool, data: st.DataObject) -> None:
    urls = service()
    verify = urls.verify_put if is_upload else urls.verify_get
    url = (
        urls.put_url(KEY, UPLOAD, expires_in_seconds=60)
        if is_upload
        else urls.get_url(KEY, READ, expires_in_seconds=60)
    )
    first = url.index("/s3/") + len("/s3/")
    at = data.draw(st.integers(first, len(url) - 1))
    edit = data.draw(st.sampled_from(["change", "insert", "remove"]))
    character = "" if edit == "remove" else data.draw(st.sampled_from(URL_CHARACTERS))
    changed = url[:at] + character + url[at + (edit != "insert") :]
    # Some edits stand for the same key and values: a second `&`, or a character in its percent-encoded form.
    assume(parts(changed) != parts(url))
    key, query = parts(changed)
    wanted = parts(url)
    assume(key != wanted[0] or any(query.get(name) != value for name, value in wanted[1].items()))
    with pytest.raises(PermissionDeniedError, match="signature"):
        verify(key, query)


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_is_refused_and_never_breaks(key: str, expires: str, claims: str, signature: str) -> None:
    with pytest.raises(PermissionDeniedError, match="signature"):
        service().verify_get(key, {"expires": expires, "claims": claims, "signature": signature})


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(PermissionDeniedError, match="signature"):
        service().verify_get("\ud800", {"signature": "\ud800"})


@given(st.text(min_size=1), st.from_regex(r"[A-Za-z0-9|_-]{1,20}(/[A-Za-z0-9|_-]{1,20}){0,3}", fullmatch=True))
def test_a_url_is_plain_text_that_json_leaves_as_it_is(path: str, key: str) -> None:
    urls = service()
    claims = ReadClaims(path=path, size_bytes=1, etag="e")
    url = urls.get_url(key, claims, expires_in_seconds=60)
    assert url.isascii()
    assert json.dumps(url).strip('"') == url
    assert urls.verify_get(*parts(url)) == claims
