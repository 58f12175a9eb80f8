"""Files over HTTP: addresses, conditions, ranges, names, sizes, and the methods that read and write content."""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec
import pytest
import requests

from tests.support.client import METHODS, Client, People, alias_of, fetch, put
from tests.support.server import Server

ALICE = "ws-user-alice"
DATA = bytes(range(256)) * 4
MEBI = 1024 * 1024
LARGE_MEBI = 100


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def alice(people: People) -> Client:
    alice = people["alice"]
    alice.dataset(
        "data",
        {"a.bin": DATA, "empty": b"", "d/inner/b.txt": "Grüße".encode(), "page.html": b"<script>1</script>"},
        permissions={"*": "r"},
    )
    return alice


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)


def _url(path: str, alias: str = "data") -> str:
    return f"/{ALICE}/artifacts/{alias}/files{path}"


@pytest.fixture(params=["proxied", "signed"])
def address(alice: Client, request: pytest.FixtureRequest) -> str:
    """Give an address of `a.bin`: once that of the resource, once a presigned one. Both answer alike."""
    if request.param == "proxied":
        return f"{alice.url}{_url('/a.bin')}?use_proxy=true&silent=true"
    return str(alice.call("get_file", artifact_id="data", file_path="a.bin", silent=True))


def test_get_redirects_to_a_presigned_url(alice: Client) -> None:
    answer = httpx.get(alice.url + _url("/a.bin"))
    assert answer.status_code == 307
    assert answer.headers["location"].startswith(f"{alice.url}/s3/")
    assert requests.get(alice.url + _url("/a.bin"), timeout=60).content == DATA
    local = httpx.get(alice.url + _url("/a.bin?use_local_url=http://inside.test"))
    assert urlsplit(local.headers["location"]).netloc == "inside.test"


def test_the_whole_file(alice: Client, address: str) -> None:
    answer = httpx.get(address)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == 'inline; filename="a.bin"'
    etag = alice.call("list_files", artifact_id="data")[0]["etag"]
    assert answer.headers["etag"] == f'"{etag}"'
    head = httpx.head(address)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "last-modified", "content-disposition"):
        assert head.headers[name] == answer.headers[name]


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=1000-", 206, 1000, 1024),
        ("bytes=-24", 206, 1000, 1024),
        ("bytes=-5000", 206, 0, 1024),
        ("bytes=1023-9999", 206, 1023, 1024),
        ("bytes=0--1", 200, 0, 1024),
        ("bytes=5-2", 200, 0, 1024),
        ("bytes=0-1,4-5", 200, 0, 1024),
        ("chars=0-1", 200, 0, 1024),
    ],
)
def test_ranges(address: str, asked: str, status: int, start: int, end: int) -> None:
    answer = httpx.get(address, headers={"range": asked, "accept-encoding": "identity"})
    assert (answer.status_code, answer.content) == (status, DATA[start:end])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1024"


def test_a_range_beyond_the_end(address: str) -> None:
    answer = httpx.get(address, headers={"range": "bytes=1024-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1024")
    assert answer.json()["code"] == "range_not_satisfiable"


def test_conditions(address: str) -> None:
    whole = httpx.get(address)
    etag, modified = whole.headers["etag"], whole.headers["last-modified"]
    for headers in ({"if-none-match": etag}, {"if-none-match": f'"x", W/{etag}'}, {"if-modified-since": modified}):
        answer = httpx.get(address, headers=headers)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        assert answer.headers.get("content-length") in {None, str(len(DATA))}
    assert httpx.get(address, headers={"if-none-match": '"x"'}).status_code == 200
    for headers in ({"if-match": '"x"'}, {"if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT"}):
        answer = httpx.get(address, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert httpx.get(address, headers={"if-match": etag, "if-unmodified-since": modified}).status_code == 200
    part = {"range": "bytes=0-3"}
    assert httpx.get(address, headers={**part, "if-range": etag}).status_code == 206
    assert httpx.get(address, headers={**part, "if-range": '"x"'}).content == DATA
    assert httpx.get(address, headers={**part, "if-range": modified}).status_code == 206


def test_an_etag_changes_with_the_bytes(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a": b"one"})
    url = alice.url + _url("/a?use_proxy=true", alias)
    token = {"authorization": f"Bearer {alice.token}"}
    first = httpx.get(url, headers=token).headers["etag"]
    alice.call("edit", artifact_id=alias, stage=True)
    alice.upload(alias, "a", b"two")
    assert httpx.get(url, headers={**token, "if-none-match": first}).status_code == 304
    alice.call("commit", artifact_id=alias)
    fresh = httpx.get(url, headers={**token, "if-none-match": first})
    assert (fresh.status_code, fresh.content) == (200, b"two")


def test_head_never_redirects(alice: Client) -> None:
    answer = httpx.head(alice.url + _url("/a.bin"))
    assert (answer.status_code, answer.headers["content-length"]) == (200, "1024")
    assert httpx.head(alice.url + _url("/missing")).status_code == 404


def test_pages_do_not_run_here(alice: Client) -> None:
    answer = httpx.get(alice.url + _url("/page.html?use_proxy=true"))
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_directory_listings(alice: Client) -> None:
    root = alice.get(_url("/"))
    assert [(entry["name"], entry["type"]) for entry in root] == [
        ("a.bin", "file"),
        ("d", "directory"),
        ("empty", "file"),
        ("page.html", "file"),
    ]
    assert root[1] == {"type": "directory", "name": "d"}
    assert set(root[0]) == {"type", "name", "size", "last_modified", "etag"}
    assert (root[0]["size"], isinstance(root[0]["last_modified"], float)) == (1024, True)
    assert alice.get(_url("")) == root
    assert alice.get(_url("/d/")) == [{"type": "directory", "name": "inner"}]
    assert [entry["name"] for entry in alice.get(_url("/d/inner/"))] == ["b.txt"]
    assert [entry["name"] for entry in alice.get(_url("/"), limit=2, offset=1)] == ["d", "empty"]
    for path in ("/nothing/", "/d", "/a.bin/", "/missing"):
        answer = alice.http.get(_url(path))
        assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found"), path
    # Clients write the root in many ways.
    for directory in (None, "", ".", "/", "./"):
        assert alice.files("data", dir_path=directory) == ["a.bin", "d", "empty", "page.html"]
    assert alice.files("data", dir_path="./d/") == ["inner"]


def test_a_directory_is_no_file(alice: Client) -> None:
    for path in ("d", "d/inner"):
        assert alice.refused("get_file", artifact_id="data", file_path=path).status == 404
    for path in (".", "", "d/"):
        assert alice.refused("get_file", artifact_id="data", file_path=path).status == 400


def test_put_and_delete(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"old.txt": b"old"})
    refused = alice.http.put(_url("/new.txt", alias), content=b"new")
    assert refused.status_code == 400
    assert refused.json()["detail"] == "Artifact must be in staging mode to upload files"
    alice.call("edit", artifact_id=alias, stage=True)
    answer = alice.http.put(_url("/d/new.txt?download_weight=1.5", alias), content=b"new")
    assert (answer.status_code, answer.json()) == (
        200,
        {"success": True, "message": "File uploaded successfully"},
    )
    etag = answer.headers["etag"].strip('"')
    assert alice.call("list_files", artifact_id=alias, stage=True, dir_path="d")[0]["etag"] == etag
    assert alice.http.delete(_url("/old.txt", alias)).status_code == 200
    assert alice.http.delete(_url("/nowhere.txt", alias)).status_code == 200
    for query in ("download_weight=-1", "bogus=1", "expires_in=1"):
        assert alice.http.put(_url(f"/x.txt?{query}", alias), content=b"x").status_code == 400
    for path in ("/../x", "/a/%2e%2e/%2e%2e/x", "/%00", "/d", "/"):
        assert alice.http.put(_url(path, alias), content=b"x").status_code in {400, 404, 405}, path
    committed = alice.call("commit", artifact_id=alias)
    assert committed["config"]["download_weights"] == {"d/new.txt": 1.5}
    assert alice.files(alias) == ["d"]
    assert alice.get(_url("/d/", alias))[0]["size"] == 3
    assert alice.http.put(f"/{ALICE}/artifacts/nothing/files/x", content=b"x").status_code == 404


def test_an_upload_in_chunks(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)

    def chunks() -> Iterator[bytes]:
        for number in range(50):
            yield bytes([number]) * 7_001

    whole = b"".join(chunks())
    assert alice.http.put(_url("/a", alias), content=chunks()).status_code == 200
    url = alice.call("put_file", artifact_id=alias, file_path="b")
    assert put(url, chunks()).status_code == 200
    alice.call("commit", artifact_id=alias)
    assert (alice.download(alias, "a"), alice.download(alias, "b")) == (whole, whole)


def test_any_content_type_is_taken(alice: Client, alias: str) -> None:
    """Clients send an empty type, or their own; neither is part of the signature."""
    alice.call("create", alias=alias, manifest={}, stage=True)
    url = alice.call("put_file", artifact_id=alias, file_path="a.json")
    for content_type in ("", "application/octet-stream", "text/plain"):
        done = requests.put(url, data=b"{}", headers={"content-type": content_type}, timeout=60)
        assert (done.status_code, bool(done.headers["etag"])) == (200, True)
    alice.call("commit", artifact_id=alias)
    answer = alice.http.get(_url("/a.json?use_proxy=true", alias))
    assert answer.headers["content-type"].startswith("application/json")


def test_an_upload_that_is_cut_off_leaves_nothing(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    url = alice.call("put_file", artifact_id=alias, file_path="a")

    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionAbortedError

    for target, headers in ((url, {}), (alice.url + _url("/b", alias), {"authorization": f"Bearer {alice.token}"})):
        with pytest.raises(ConnectionAbortedError):
            httpx.put(target, content=broken(), headers={**headers, "content-length": "200000"})
    staged = alice.call("list_files", artifact_id=alias, stage=True, include_pending=True)
    assert [(entry["name"], entry["pending"]) for entry in staged] == [("a", True)]
    assert alice.refused("commit", artifact_id=alias).status == 404


def test_both_spellings_of_a_name_are_one_path(alice: Client, alias: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Ångström/é.txt") for form in ("NFC", "NFD"))
    assert composed != decomposed
    alice.call("create", alias=alias, manifest={}, stage=True)
    urls = alice.call("put_file", artifact_id=alias, file_path=[decomposed])
    assert list(urls) == [decomposed]
    put(urls[decomposed], b"one")
    alice.upload(alias, composed, b"two")
    assert alice.call("commit", artifact_id=alias)["file_count"] == 1
    assert alice.files(alias) == ["Ångström"]
    for name in (composed, decomposed):
        assert alice.download(alias, name) == b"two"
        answer = alice.http.get(_url(f"/{quote(name)}?use_proxy=true", alias))
        assert answer.content == b"two"
        assert alice.files(alias, dir_path=name.split("/")[0]) == ["é.txt"]


NAMES = [
    "spaced name.txt",
    "日本/データ.csv",
    "emoji-🦊.txt",
    "a+b&c=d?e#f%g.txt",
    "quote\"'`.txt",
    "semi;colon,comma.txt",
    ".hidden",
    ".keep",
    "~tilde",
    "back\\slash",
    "x" * 255,
    "deep/" * 20 + "leaf",
]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names(alice: Client, alias: str, name: str) -> None:
    data = name.encode()
    alice.call("create", alias=alias, manifest={}, stage=True)
    alice.upload(alias, name, data)
    assert alice.http.put(_url("/" + quote(name + "2")[:760], alias), content=data).status_code in {200, 400}
    alice.call("commit", artifact_id=alias)
    assert alice.download(alias, name) == data
    answer = alice.http.get(_url(f"/{quote(name)}?use_proxy=true", alias))
    assert (answer.status_code, answer.content) == (200, data)
    redirect = alice.http.get(_url(f"/{quote(name)}", alias))
    assert fetch(redirect.headers["location"]) == data
    directory, _, base = name.rpartition("/")
    assert base in alice.files(alias, dir_path=directory)
    assert alice.call("read_file", artifact_id=alias, file_path=name)["content"] == name


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a/..",
        "..\\x",
        "",
        ".",
        "a/",
        "nul\x00",
        "line\nbreak",
        "x" * 256,
        "x/" * 600,
    ],
)
def test_impossible_paths(alice: Client, path: str) -> None:
    if "paths" not in alice.aliases(stage="all"):
        alice.call("create", alias="paths", manifest={}, stage=True)
    for method in ("put_file", "get_file", "remove_file", "read_file"):
        error = alice.refused(method, artifact_id="paths", file_path=path)
        assert (error.status, error.code) == (400, "invalid_path"), error.detail
    assert alice.refused("write_file", artifact_id="paths", file_path=path, content="x").status == 400


def test_an_empty_file(alice: Client) -> None:
    assert alice.download("data", "empty") == b""
    answer = alice.http.get(_url("/empty?use_proxy=true"))
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    assert alice.http.get(_url("/empty?use_proxy=true"), headers={"range": "bytes=0-"}).status_code == 416
    assert alice.call("read_file", artifact_id="data", file_path="empty") == {"name": "empty", "content": ""}
    sizes = {entry["name"]: entry.get("size") for entry in alice.call("list_files", artifact_id="data")}
    assert sizes["empty"] == 0


def test_a_large_file_arrives_whole(alice: Client, alias: str, tmp_path: Path) -> None:
    block = hashlib.sha512(b"seed").digest() * (MEBI // 64)
    source, expected = tmp_path / "large.bin", hashlib.sha256()
    with source.open("wb") as file:
        for number in range(LARGE_MEBI):
            part = number.to_bytes(8, "big") + block[8:]
            expected.update(part)
            file.write(part)
    alice.call("create", alias=alias, manifest={}, stage=True)
    url = alice.call("put_file", artifact_id=alias, file_path="large.bin")
    with source.open("rb") as file:
        assert requests.put(url, data=file, timeout=60).status_code == 200
    alice.call("commit", artifact_id=alias)
    get_url = alice.call("get_file", artifact_id=alias, file_path="large.bin")
    received, size = hashlib.sha256(), 0
    with requests.get(get_url, stream=True, timeout=60) as answer:
        assert answer.headers["content-length"] == str(LARGE_MEBI * MEBI)
        for chunk in answer.iter_content(MEBI):
            received.update(chunk)
            size += len(chunk)
    assert (size, received.hexdigest()) == (LARGE_MEBI * MEBI, expected.hexdigest())
    tail = requests.get(get_url, headers={"range": "bytes=-8"}, timeout=60)
    assert (tail.status_code, tail.content) == (206, block[-8:])


def test_the_token_in_the_query(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a": b"a"})
    url = alice.url + _url("/a", alias)
    assert httpx.get(url).status_code == 403
    assert httpx.get(url, params={"token": alice.token or ""}).status_code == 307
    assert httpx.get(url, params={"token": "nonsense"}).status_code == 401
    listing = httpx.get(alice.url + _url("/", alias), params={"token": alice.token or ""})
    assert [entry["name"] for entry in listing.json()] == ["a"]


def test_versions_and_the_stage(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a": b"0"})
    alice.call("edit", artifact_id=alias, stage=True, version="new")
    alice.upload(alias, "a", b"1")
    reads = {"": b"0", "&version=v0": b"0", "&version=0": b"0", "&stage=true": b"1", "&version=stage": b"1"}
    for query, data in reads.items():
        assert alice.http.get(_url(f"/a?use_proxy=true{query}", alias)).content == data
    for query in ("version=v9", "version=v0&stage=true"):
        assert alice.http.get(_url(f"/a?{query}", alias)).status_code in {400, 404}
    assert alice.http.get(_url("/a?version=v9", alias)).status_code == 404
    uuid = alice.record(alias)["_id"]
    assert alice.http.get(_url("/a?use_proxy=true", uuid)).content == b"0"


@pytest.mark.parametrize(
    ("arguments", "written", "reading", "content"),
    [
        ({"content": "Grüße"}, "Grüße".encode(), {}, "Grüße"),
        ({"content": "Grüße", "encoding": "latin-1"}, b"Gr\xfc\xdfe", {"encoding": "latin-1"}, "Grüße"),
        ({"content": ""}, b"", {}, ""),
        ({"content": "AAEC/w==", "format": "base64"}, b"\0\1\2\xff", {"format": "base64"}, "AAEC/w=="),
        ({"content": {"é": [1, None]}, "format": "json"}, None, {"format": "json"}, {"é": [1, None]}),
        ({"content": '{"a":1}', "format": "json"}, b'{"a":1}', {"format": "json"}, {"a": 1}),
        ({"content": [1, 2], "format": "json"}, b"[\n  1,\n  2\n]", {"format": "json"}, [1, 2]),
        ({"content": None, "format": "json"}, b"null", {"format": "json"}, None),
    ],
)
def test_write_and_read(
    alice: Client, alias: str, arguments: dict[str, Any], written: bytes | None, reading: dict[str, Any], content: Any
) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    answer = alice.call("write_file", artifact_id=alias, file_path="d/f", **arguments)
    alice.call("commit", artifact_id=alias)
    data = alice.download(alias, "d/f")
    assert written is None or data == written
    assert answer == {"success": True, "bytes_written": len(data)}
    if arguments.get("format") == "json" and not isinstance(arguments["content"], str):
        assert data.decode() == json.dumps(content, indent=2, ensure_ascii=False)
    assert alice.call("read_file", artifact_id=alias, file_path="d/f", **reading) == {"name": "d/f", "content": content}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"content": 7}, "content must be a string"),
        ({"content": {"a": 1}}, "content must be a string"),
        ({"content": 7, "format": "base64"}, "content must be a base64 string"),
        ({"content": "not base64!", "format": "base64"}, "content must be a base64 string"),
        ({"content": "text", "format": "binary"}, "content must be bytes or bytearray"),
        ({"content": "x", "format": "xml"}, "format"),
        ({"content": "x", "encoding": "klingon"}, "Unknown encoding"),
        ({"content": "日", "encoding": "ascii"}, "cannot be written in the encoding"),
        ({}, "Missing required argument: 'content'"),
    ],
)
def test_what_cannot_be_written(alice: Client, arguments: dict[str, Any], text: str) -> None:
    if "writing" not in alice.aliases(stage="all"):
        alice.call("create", alias="writing", manifest={}, stage=True)
    error = alice.refused("write_file", artifact_id="writing", file_path="f", **arguments)
    assert (error.status, text in error.detail) == (400, True), error.detail
    assert alice.files("writing", stage=True) == []


def test_reading_a_part(alice: Client) -> None:
    def read(**arguments: Any) -> Any:
        return alice.call("read_file", artifact_id="data", file_path="d/inner/b.txt", **arguments)["content"]

    assert read() == "Grüße"
    assert read(offset=1, limit=1) == "r"
    # A character that would be cut is left for the next read.
    assert read(limit=3) == "Gr"
    assert read(limit=4) == "Grü"
    assert read(offset=4, limit=2) == "ß"
    assert read(offset=7) == ""
    assert read(limit=3, format="base64") == base64.b64encode("Grüße".encode()[:3]).decode()
    for wrong, status, text in (
        ({"limit": 0}, 400, "Limit must be a positive integer."),
        ({"limit": 10_485_761}, 400, "Limit cannot exceed 10MB (10485760 bytes)."),
        ({"offset": -1}, 400, "offset"),
        ({"offset": 8}, 416, "beyond the end"),
        ({"format": "json"}, 400, "not JSON"),
        ({"encoding": "ascii"}, 400, "base64"),
        ({"encoding": "zlib"}, 400, "not an encoding of text"),
        ({"version": "v9"}, 404, "does not exist"),
    ):
        error = alice.refused("read_file", artifact_id="data", file_path="d/inner/b.txt", **wrong)
        assert (error.status, text in error.detail) == (status, True), error.detail
    missing = alice.refused("read_file", artifact_id="data", file_path="missing")
    assert (missing.status, missing.code) == (404, "file_not_found")


def test_the_default_limit_of_reading(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a": b"x" * 70_000})
    assert len(alice.call("read_file", artifact_id=alias, file_path="a")["content"]) == 65_536
    assert len(alice.call("read_file", artifact_id=alias, file_path="a", limit=100_000)["content"]) == 70_000


def test_bytes_travel_in_msgpack_and_not_in_json(alice: Client, alias: str) -> None:
    error = alice.refused("read_file", artifact_id="data", file_path="a.bin", format="binary")
    assert (error.status, "format='base64'" in error.detail) == (400, True)
    alice.call("create", alias=alias, manifest={}, stage=True)
    headers = {"content-type": "application/msgpack"}

    def packed(method: str, **arguments: Any) -> Any:
        body = msgspec.msgpack.encode({"artifact_id": alias, "file_path": "f", **arguments})
        answer = alice.http.post(METHODS + method, content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/msgpack"), answer.text
        return msgspec.msgpack.decode(answer.content)

    assert packed("write_file", content=DATA, format="binary") == {"success": True, "bytes_written": len(DATA)}
    assert packed("read_file", format="binary", stage=True) == {"name": "f", "content": DATA}
