"""Where the URLs of files point: every way to get one, with every value of `use_proxy` and `use_local_url`."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.support.client import Client, People, put
from tests.support.server import Server

PUBLIC = "http://public.test"
LOCAL = "http://local.test:9520"
OTHER = "https://other.test:81/base"
FILES = "/ws-user-alice/artifacts/data/files/"
DATA = b"some bytes"

# What a caller says, and the base of the URL that he gets. A directory has no endpoint of its own, so that a URL points
# to the service even where `use_proxy` is false; its path is then `/s3/...` too.
TABLE = [
    (proxied, local, base)
    for proxied in (None, True, False)
    for local, base in ((None, PUBLIC), (False, PUBLIC), (True, LOCAL), (OTHER, OTHER))
]
MakeUrl = Callable[[Client, dict[str, Any]], str]


@pytest.fixture(scope="module", params=[False, True], ids=["redirecting", "streaming"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service behind other addresses, which streams by default or does not."""
    environment = {
        "ARTIFACT_MANAGER_PUBLIC_BASE_URL": PUBLIC,
        "ARTIFACT_MANAGER_LOCAL_BASE_URL": LOCAL,
        "ARTIFACT_MANAGER_S3_PROXY": str(request.param).lower(),
    }
    with Server(tmp_path_factory.mktemp("service") / "data", environment) as server:
        yield server


@pytest.fixture(scope="module")
def alice(server: Server) -> Iterator[Client]:
    with People(server) as people:
        alice = people["alice"]
        alice.call("create", alias="data", manifest={}, stage=True)
        for path in ("a.txt", "d/b.txt"):
            assert alice.http.put(FILES + path, content=DATA).status_code == 200
        alice.call("commit", artifact_id="data")
        alice.call("edit", artifact_id="data", stage=True)
        yield alice


def _get_file(alice: Client, options: dict[str, Any]) -> str:
    return str(alice.call("get_file", artifact_id="data", file_path="a.txt", **options))


def _get_files(alice: Client, options: dict[str, Any]) -> str:
    urls = alice.call("get_file", artifact_id="data", file_path=["a.txt", "d/b.txt"], **options)
    assert {urlsplit(url).netloc for url in urls.values()} == {urlsplit(urls["a.txt"]).netloc}
    return str(urls["a.txt"])


def _get_file_by_query(alice: Client, options: dict[str, Any]) -> str:
    path = "/ws-user-alice/services/artifact-manager/get_file"
    return str(alice.get(path, artifact_id="data", file_path="a.txt", **_texts(options)))


def _put_file(alice: Client, options: dict[str, Any]) -> str:
    return str(alice.call("put_file", artifact_id="data", file_path="new.txt", **options))


def _put_files(alice: Client, options: dict[str, Any]) -> str:
    return str(alice.call("put_file", artifact_id="data", file_path=["new.txt"], **options)["new.txt"])


def _texts(options: dict[str, Any]) -> dict[str, str]:
    return {name: str(value).lower() for name, value in options.items()}


READING: dict[str, MakeUrl] = {"get_file": _get_file, "batch": _get_files, "query": _get_file_by_query}
WRITING: dict[str, MakeUrl] = {"put_file": _put_file, "batch": _put_files}


def _options(proxied: bool | None, local: bool | str | None) -> dict[str, Any]:
    given = {"use_proxy": proxied, "use_local_url": local}
    return {name: value for name, value in given.items() if value is not None}


def _at(server: Server, url: str, base: str) -> str:
    """Reach the service as its proxy would: the base of a URL is not signed."""
    assert url.startswith(f"{base}/s3/")
    return server.url + url.removeprefix(base)


@pytest.mark.parametrize("way", READING)
@pytest.mark.parametrize(("proxied", "local", "base"), TABLE)
def test_a_url_to_read(
    server: Server, alice: Client, way: str, proxied: bool | None, local: bool | str | None, base: str
) -> None:
    url = READING[way](alice, _options(proxied, local))
    answer = httpx.get(_at(server, url, base))
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("way", WRITING)
@pytest.mark.parametrize(("proxied", "local", "base"), TABLE)
def test_a_url_to_write(
    server: Server, alice: Client, way: str, proxied: bool | None, local: bool | str | None, base: str
) -> None:
    url = WRITING[way](alice, _options(proxied, local))
    assert put(_at(server, url, base), DATA).status_code == 200
    assert alice.call("read_file", artifact_id="data", file_path="new.txt", stage=True)["content"] == DATA.decode()


@pytest.mark.parametrize(("proxied", "local", "base"), TABLE)
def test_the_address_of_a_file(
    server: Server,
    alice: Client,
    request: pytest.FixtureRequest,
    proxied: bool | None,
    local: bool | str | None,
    base: str,
) -> None:
    is_streaming = "streaming" in request.node.callspec.id if proxied is None else proxied
    answer = alice.http.get(FILES + "a.txt", params=_texts(_options(proxied, local)))
    if is_streaming:
        assert (answer.status_code, answer.content) == (200, DATA)
    else:
        assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
        assert httpx.get(_at(server, answer.headers["location"], base)).content == DATA
    head = alice.http.head(FILES + "a.txt", params=_texts(_options(proxied, local)))
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(DATA)))


@pytest.mark.parametrize(("proxied", "local"), [row[:2] for row in TABLE])
def test_an_upload_to_the_address_of_a_file(alice: Client, proxied: bool | None, local: bool | str | None) -> None:
    answer = alice.http.put(FILES + "put.txt", content=DATA, params=_texts(_options(proxied, local)))
    assert (answer.status_code, bool(answer.headers["etag"])) == (200, True)


@pytest.mark.parametrize("seconds", [60, 61.5, 604_800])
@pytest.mark.parametrize("way", [*READING, "put_file", "redirect"])
def test_the_life_of_a_url(alice: Client, way: str, seconds: float) -> None:
    before = time.time()
    if way == "redirect":
        query = {"use_proxy": "false", "expires_in": str(seconds)}
        url = alice.http.get(FILES + "a.txt", params=query).headers["location"]
    else:
        url = {**READING, **WRITING, "put_file": _put_file}[way](alice, {"expires_in": seconds})
    expires = int(parse_qs(urlsplit(url).query)["expires"][0])
    assert int(before) + int(seconds) <= expires <= time.time() + seconds


@pytest.mark.parametrize("options", [{"use_local_url": "inside"}, {"use_proxy": "maybe"}, {"expires_in": 1}])
@pytest.mark.parametrize("way", [*READING, *WRITING])
def test_a_bad_wish_changes_nothing(alice: Client, way: str, options: dict[str, Any]) -> None:
    arguments = {"artifact_id": "data", "file_path": "bad.txt" if way in WRITING else "a.txt", **options}
    method = "put_file" if way in WRITING else "get_file"
    before = alice.files("data", stage=True, include_pending=True), alice.record("data")["download_count"]
    error = alice.refused(method, **arguments)
    assert (error.status, next(iter(options)) in error.detail) == (400, True)
    assert (alice.files("data", stage=True, include_pending=True), alice.record("data")["download_count"]) == before
