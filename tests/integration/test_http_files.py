"""Files over HTTP: redirects, bytes, conditions, ranges, listings, uploads, presigned URLs."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.settings import Settings
from domain.access import AccessKind
from tests.support.fake_application import FakeApplication, FakeFile
from tests.support.http import client_of

FILES = "/lab/artifacts/data/files/"
DATA = bytes(range(100))
MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.fixture
def application() -> FakeApplication:
    application = FakeApplication()
    application.files.files["a/data.bin"] = FakeFile("a/data.bin", DATA, "application/octet-stream")
    application.files.files["empty"] = FakeFile("empty", b"")
    return application


@pytest.fixture
async def client(application: FakeApplication) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(application) as client:
        yield client


async def test_get_redirects_to_a_signed_url(application: FakeApplication, client: httpx.AsyncClient) -> None:
    answer = await client.get(FILES + "a/data.bin?expires_in=120&use_local_url=true")
    assert answer.status_code == 307
    assert answer.headers["location"] == "http://files.test/s3/key?path=a%2Fdata.bin&expires=120.0&local=True"
    assert application.files.files["a/data.bin"].records == [(AccessKind.URL, True)]


async def test_the_service_streams_when_asked(application: FakeApplication, client: httpx.AsyncClient) -> None:
    answer = await client.get(FILES + "a/data.bin?use_proxy=true&silent=true")
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-length"] == "100"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["last-modified"] == MODIFIED
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == 'inline; filename="data.bin"'
    assert answer.headers["content-security-policy"] == "sandbox"
    assert application.files.files["a/data.bin"].records == [(AccessKind.FILE, False)]


async def test_the_server_says_whether_it_streams() -> None:
    application = FakeApplication(settings=Settings(s3_proxy=True))
    application.files.files["a"] = FakeFile("a", b"x")
    async with client_of(application) as client:
        assert (await client.get(FILES + "a")).status_code == 200
        assert (await client.get(FILES + "a?use_proxy=false")).status_code == 307


async def test_head_never_redirects_and_counts_nothing(application: FakeApplication, client: httpx.AsyncClient) -> None:
    answer = await client.head(FILES + "a/data.bin")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "100")
    part = await client.head(FILES + "a/data.bin", headers={"range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")
    assert application.files.files["a/data.bin"].records == []


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=10-", 206, 10, 100),
        ("bytes=-5", 206, 95, 100),
        ("bytes=-500", 206, 0, 100),
        ("bytes=90-1000", 206, 90, 100),
        ("bytes=99-99", 206, 99, 100),
        ("bytes=0--1", 200, 0, 100),
        ("bytes=9-3", 200, 0, 100),
        ("bytes=-", 200, 0, 100),
        ("bytes=0-1,5-6", 200, 0, 100),
        ("items=0-1", 200, 0, 100),
        ("bytes=a-b", 200, 0, 100),
        ("bytes=٣-٥", 200, 0, 100),
    ],
)
async def test_a_range_gives_its_slice_and_a_malformed_one_everything(
    client: httpx.AsyncClient, asked: str, status: int, start: int, end: int
) -> None:
    answer = await client.get(FILES + "a/data.bin?use_proxy=true", headers=[(b"range", asked.encode())])
    assert (answer.status_code, answer.content) == (status, DATA[start:end])
    assert answer.headers.get("content-range") == (f"bytes {start}-{end - 1}/100" if status == 206 else None)


@pytest.mark.parametrize(
    ("path", "asked"), [("a/data.bin", "bytes=100-"), ("a/data.bin", "bytes=-0"), ("empty", "bytes=0-")]
)
async def test_a_range_beyond_the_end_is_416(
    application: FakeApplication, client: httpx.AsyncClient, path: str, asked: str
) -> None:
    answer = await client.get(FILES + path + "?use_proxy=true", headers={"range": asked})
    file = application.files.files[path]
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{file.size_bytes}"
    assert answer.json()["code"] == "range_not_satisfiable"
    assert file.records == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": "{etag}"}, 304),
        ({"if-none-match": 'W/{etag}, "other"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-none-match": '"other"', "if-modified-since": MODIFIED}, 200),
        ({"if-modified-since": MODIFIED}, 304),
        ({"if-modified-since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"range": "bytes=0-4", "if-range": "{etag}"}, 206),
        ({"range": "bytes=0-4", "if-range": '"other"'}, 200),
        ({"range": "bytes=0-4", "if-range": "W/{etag}"}, 200),
        ({"range": "bytes=0-4", "if-range": MODIFIED}, 206),
        ({"range": "bytes=0-4", "if-range": "Tue, 14 Nov 2023 22:13:21 GMT"}, 200),
        ({"if-match": "{etag}"}, 200),
        ({"if-match": '"other", {etag}'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": "{etag}", "range": "bytes=0-4"}, 206),
        ({"if-match": '"other"'}, 412),
        ({"if-match": "W/{etag}"}, 412),
        ({"if-match": '"other"', "if-none-match": "{etag}"}, 412),
        ({"if-match": "{etag}", "if-none-match": "{etag}"}, 304),
        ({"if-match": "{etag}", "if-unmodified-since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 200),
        ({"if-unmodified-since": MODIFIED}, 200),
        ({"if-unmodified-since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 412),
        ({"if-unmodified-since": "yesterday"}, 200),
        ({"if-modified-since": "Tuesday, 14-Nov-23 22:13:20 GMT"}, 304),
        ({"if-modified-since": "Tue Nov 14 22:13:20 2023"}, 304),
        ({"if-modified-since": "Tue, 14 Nov 99999999999 22:13:20 GMT"}, 200),
        ({"if-none-match": "{etag}", "range": "bytes=0-4"}, 304),
        ({"if-none-match": "", "range": "bytes=0-4"}, 206),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_conditions(
    application: FakeApplication, client: httpx.AsyncClient, method: str, headers: dict[str, str], status: int
) -> None:
    file = application.files.files["a/data.bin"]
    sent = {name: value.format(etag=f'"{file.etag}"') for name, value in headers.items()}
    answer = await client.request(method, FILES + "a/data.bin?use_proxy=true", headers=sent)
    assert answer.status_code == status
    assert (answer.headers["etag"], answer.headers["last-modified"]) == (f'"{file.etag}"', MODIFIED)
    # Its length would be that of the file, so an answer without one says none.
    assert ("content-length" in answer.headers) is (status != 304)
    assert len(file.records) == (1 if status in {200, 206} and method == "GET" else 0)
    if status == 412 and method == "GET":
        assert answer.json()["code"] == "precondition_failed"


@given(
    st.text(), st.sampled_from(["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"])
)
async def test_any_condition_is_answered(text: str, name: str) -> None:
    application = FakeApplication()
    application.files.files["a"] = FakeFile("a", b"x")
    sent = [(name.encode(), text.encode("utf-8", "replace")), (b"range", b"bytes=0-0")]
    async with client_of(application) as client:
        answer = await client.get(FILES + "a?use_proxy=true", headers=sent)
    assert answer.status_code in {200, 206, 304, 412}


@pytest.mark.parametrize(
    ("query", "culprit"),
    [
        ("use_local_url=nowhere", "use_local_url"),
        ("use_local_url=nowhere&use_proxy=true", "use_local_url"),
        ("use_local_url=ftp://x", "use_local_url"),
        ("use_proxy=maybe", "use_proxy"),
        ("expires_in=59", "expires_in"),
        ("expires_in=604801&use_proxy=true", "expires_in"),
    ],
)
async def test_a_bad_wish_is_refused_whether_a_url_is_made_or_not(
    application: FakeApplication, client: httpx.AsyncClient, query: str, culprit: str
) -> None:
    asked = [("GET", "a/data.bin"), ("HEAD", "a/data.bin"), ("GET", ""), ("PUT", "a/new.bin")]
    answers = [await client.request(method, f"{FILES}{path}?{query}") for method, path in asked]
    assert [answer.status_code for answer in answers] == [400] * 4
    assert all(culprit in answer.json()["detail"] for answer in (answers[0], *answers[2:]))
    assert application.files.files["a/data.bin"].records == []
    assert application.files.uploads == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain.txt", 'inline; filename="plain.txt"'),
        ('quo"te\\.txt', "inline; filename=\"quo_te_.txt\"; filename*=UTF-8''quo%22te%5C.txt"),
        ("日本.txt", "inline; filename=\"__.txt\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt"),
    ],
)
async def test_the_name_of_a_download_is_safe_in_a_header(
    application: FakeApplication, client: httpx.AsyncClient, name: str, expected: str
) -> None:
    application.files.files[name] = FakeFile(name, b"x")
    answer = await client.get(FILES + quote(name) + "?use_proxy=true")
    assert answer.headers["content-disposition"] == expected


@pytest.mark.parametrize("path", ["", "a/", "?limit=10"])
async def test_a_directory_is_listed(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get("/lab/artifacts/data/files/" + path)
    assert answer.status_code == 200
    assert {"name": "a/data.bin"} in answer.json()


async def test_files_without_a_slash_lists_the_root(client: httpx.AsyncClient) -> None:
    assert len((await client.get("/lab/artifacts/data/files")).json()) == 2


async def test_an_unknown_directory_or_file_is_404(client: httpx.AsyncClient) -> None:
    for path in ("b/", "b", "b?use_proxy=true"):
        answer = await client.get(FILES + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")


async def test_rights_are_asked_before_anything_is_told() -> None:
    async with client_of(FakeApplication(), None) as client:
        answer = await client.get("/lab/artifacts/private/files/a")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("query", ["expires_in=1", "limit=0", "use_proxy=perhaps", "bogus=1", "limit=5&limit=6"])
async def test_a_wrong_query_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(FILES + "a/data.bin?" + query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_type")


async def test_put_streams_into_the_stage(application: FakeApplication, client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"he"
        yield b"llo"

    answer = await client.put(FILES + "new/a%20b.txt?download_weight=0.5&use_proxy=false", content=b"hello")
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "message": "File uploaded successfully"}
    assert answer.headers["etag"] == f'"{application.files.files["new/a b.txt"].etag}"'
    assert (await client.put(FILES + "chunked", content=chunks())).status_code == 200
    assert application.files.uploads == [
        {"id": "lab/data", "path": "new/a b.txt", "size": 5, "weight": 0.5},
        {"id": "lab/data", "path": "chunked", "size": None, "weight": None},
    ]


async def test_put_is_refused_when_too_large_or_wrong(client: httpx.AsyncClient) -> None:
    assert (await client.put(FILES + "big", content=b"x" * 1001)).status_code == 413
    assert (await client.put(FILES + "a?download_weight=much", content=b"x")).status_code == 400


async def test_delete_removes_a_file(client: httpx.AsyncClient) -> None:
    answer = await client.delete(FILES + "a/data.bin")
    assert answer.status_code == 200
    assert answer.json()["parameters"]["file_path"] == "a/data.bin"
    assert answer.json()["parameters"]["artifact_id"] == "lab/data"


async def test_a_presigned_url_needs_no_token_and_shows_no_key(application: FakeApplication) -> None:
    async with client_of(application, None) as client:
        stored = await client.put("/s3/some/key?signature=good", content=b"hello")
        read = await client.get("/s3/some/key?signature=good", headers={"range": "bytes=1-2"})
        head = await client.head("/s3/some/key?signature=good")
        refused = [
            await client.put("/s3/other?signature=bad", content=b"x"),
            await client.get("/s3/some/key?signature=bad"),
            await client.get("/s3/some/key"),
        ]
    assert (stored.status_code, stored.content) == (200, b"")
    assert stored.headers["etag"] == f'"{application.files.files["some/key"].etag}"'
    assert (read.status_code, read.content) == (206, b"el")
    assert (head.status_code, head.headers["content-length"]) == (200, "5")
    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert all("key" not in answer.json()["detail"] for answer in refused)
    assert "other" not in application.files.files
