"""Inside archives over HTTP: listings, members, conditions, rights, and archives that nobody should write."""

import io
import random
import shutil
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.client import Client, People, alias_of
from tests.support.hostile_zips import GIBI, REFUSED, REFUSED_MEMBERS, deflated, stored
from tests.support.server import Server
from tests.support.zips import pack

ALICE = "ws-user-alice"
MEBI = 2**20
LARGE = random.Random(1).randbytes(MEBI) * 3
MEMBERS = {
    "example.txt": b"hello",
    "nested/example2.txt": b"two" * 1000,
    "nested/deep/ünï 日本.bin": bytes(range(256)),
    "nested/empty": b"",
    "directory/": b"",
    "page.html": b"<script>1</script>",
    "large": LARGE,
}
STORED = stored({name: data for name, data in MEMBERS.items() if not name.endswith("/")})


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def alice(people: People) -> Client:
    alice = people["alice"]
    files = {"dir/example.zip": pack(MEMBERS), "stored.zip": STORED}
    alice.dataset("archives", files)
    return alice


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)


def _url(inside: str = "", archive: str = "dir/example.zip", alias: str = "archives") -> str:
    return f"/{ALICE}/artifacts/{alias}/zip-files/{archive}{inside}"


def _forms(path: str) -> list[str]:
    return [f"?path={quote(path)}", f"/~/{quote(path)}"]


@pytest.mark.parametrize("inside", ["", "?path=", "?path=/", "/~/", "/~"])
def test_the_root_is_listed(alice: Client, inside: str) -> None:
    answer = alice.http.get(_url(inside))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    listed = answer.json()
    assert [(entry["type"], entry["name"]) for entry in listed] == [
        ("directory", "directory"),
        ("file", "example.txt"),
        ("file", "large"),
        ("directory", "nested"),
        ("file", "page.html"),
    ]
    assert listed[0] == {"type": "directory", "name": "directory"}
    assert set(listed[1]) == {"type", "name", "size", "last_modified"}
    assert listed[1]["size"] == 5
    assert isinstance(listed[1]["last_modified"], float)


@pytest.mark.parametrize("form", [0, 1])
def test_directories_are_listed(alice: Client, form: int) -> None:
    def names(path: str) -> list[str]:
        answer = alice.http.get(_url(_forms(path)[form]))
        assert answer.status_code == 200
        return [entry["name"] for entry in answer.json()]

    assert names("nested/") == ["deep", "empty", "example2.txt"]
    assert names("nested/deep/") == ["ünï 日本.bin"]
    assert names("directory/") == []
    assert names("nothing/") == []


@pytest.mark.parametrize("archive", ["dir/example.zip", "stored.zip"])
@pytest.mark.parametrize("form", [0, 1])
def test_members_are_what_was_put_in(alice: Client, archive: str, form: int) -> None:
    for path, data in MEMBERS.items():
        if not path.endswith("/"):
            answer = alice.http.get(_url(_forms(path)[form], archive))
            assert (answer.status_code, answer.content) == (200, data)
            assert answer.headers["content-length"] == str(len(data))


def test_headers_are_those_of_a_file(alice: Client) -> None:
    answer = alice.http.get(_url("/~/page.html"))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-disposition"] == 'inline; filename="page.html"'
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = alice.http.head(_url("/~/page.html"))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "last-modified"):
        assert head.headers[name] == answer.headers[name]
    known = alice.http.get(_url("/~/page.html"), headers={"if-none-match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    other = alice.http.get(_url("/~/example.txt"), headers={"if-none-match": answer.headers["etag"]})
    assert other.status_code == 200


def test_ranges_of_stored_members(alice: Client) -> None:
    part = {"range": "bytes=1000000-1000009"}
    answer = alice.http.get(_url("/~/large", "stored.zip"), headers=part)
    assert (answer.status_code, answer.content) == (206, LARGE[1_000_000:1_000_010])
    assert answer.headers["accept-ranges"] == "bytes"
    beyond = alice.http.get(_url("/~/large", "stored.zip"), headers={"range": f"bytes={len(LARGE)}-"})
    assert beyond.status_code == 416
    packed = alice.http.get(_url("/~/large"), headers=part)
    assert (packed.status_code, packed.content) == (200, LARGE)
    assert packed.headers["accept-ranges"] == "none"


def test_pages_of_a_listing(alice: Client, alias: str) -> None:
    members = {f"many/{number:05}": b"" for number in range(9_000)}
    alice.dataset(alias, {"a.zip": pack(members)})

    def names(query: str) -> list[str]:
        answer = alice.http.get(_url(f"?path=many/{query}", "a.zip", alias))
        assert answer.status_code == 200
        return [entry["name"] for entry in answer.json()]

    every = [name.removeprefix("many/") for name in members]
    assert names("") == every
    assert names("&limit=3") == every[:3]
    assert names("&offset=8998") == every[8998:]
    assert names("&limit=700&offset=300") == every[300:1000]
    assert names("&offset=10000") == []


@pytest.mark.parametrize(
    ("inside", "status", "code"),
    [
        ("?path=missing", 404, "file_not_found"),
        ("?path=nested", 404, "file_not_found"),
        ("?path=../up", 400, "invalid_path"),
        ("?path=../", 400, "invalid_path"),
        ("?path=/example.txt", 400, "invalid_path"),
        ("?path=a%00b", 400, "invalid_path"),
        ("/~/example.txt?path=page.html", 400, "invalid_argument"),
        ("?bogus=1", 400, "invalid_type"),
        ("?limit=0", 400, "invalid_type"),
        ("?version=v9", 404, "version_not_found"),
    ],
)
def test_bad_requests(alice: Client, inside: str, status: int, code: str) -> None:
    answer = alice.http.get(_url(inside))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["success"] is False


def test_what_is_missing_is_told(alice: Client) -> None:
    assert alice.http.get(_url("?path=x/y")).json()["detail"] == "File not found inside ZIP: x/y"
    answer = alice.http.get(_url("?path=x", "none.zip"))
    assert (answer.status_code, answer.json()["detail"]) == (404, "ZIP file not found: none.zip")
    assert alice.http.post(_url()).status_code == 405


def test_rights_versions_and_stage(alice: Client, people: People, alias: str) -> None:
    artifact = alice.dataset(alias, {"a.zip": pack({"one": b"1"})}, permissions={"*": "r"})
    alice.call("edit", artifact_id=artifact, version="new", stage=True)
    alice.upload(artifact, "a.zip", pack({"two": b"2"}))

    def names(client: Client, **query: Any) -> Any:
        answer = client.http.get(_url("", "a.zip", alias), params=query)
        return [entry["name"] for entry in answer.json()] if answer.status_code == 200 else answer.status_code

    assert names(alice, stage="true") == names(alice, version="stage") == ["two"]
    assert names(people["bob"], stage="true") == 403
    assert names(people["bob"]) == ["one"]
    alice.call("commit", artifact_id=artifact)
    assert names(people.anonymous()) == ["two"]
    assert names(people.anonymous(), version="v0") == ["one"]
    assert people["bob"].http.get(_url()).status_code == 403
    assert people.anonymous().http.get(_url(), params={"token": alice.token}).status_code == 200


def test_members_are_recorded_and_count_nothing(alice: Client, alias: str) -> None:
    artifact = alice.dataset(alias, {"a.zip": pack({"d/one": b"1"})})
    alice.call("set_download_weight", artifact_id=artifact, file_path="a.zip", download_weight=5)
    for inside in ("", "?path=d/", "/~/d/one", "?path=missing"):
        alice.http.get(_url(inside, "a.zip", alias))
    alice.http.head(_url("/~/d/one", "a.zip", alias))
    items = alice.call("history", artifact_id=artifact, kinds="access")["items"]
    members = [item["data"] for item in items if item["data"].get("kind") == "zip-member"]
    assert members == [{"kind": "zip-member", "version": "v0", "files": ["a.zip/~/d/one"], "is_counted": False}]
    assert alice.record(artifact)["download_count"] == 0


def test_many_who_ask_at_once_get_the_same(alice: Client, alias: str) -> None:
    members = {f"d{number % 7}/{number}": b"%d" % number for number in range(3_000)}
    alice.dataset(alias, {"a.zip": pack(members)})
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: alice.http.get(_url(f"/~/d{n % 7}/{n}", "a.zip", alias)), range(64)))
    assert [answer.content for answer in answers] == [b"%d" % number for number in range(64)]


def test_an_archive_made_by_the_service_can_be_read_inside(alice: Client, alias: str) -> None:
    made = alice.http.get(f"/{ALICE}/artifacts/archives/create-zip-file?silent=true").content
    alice.dataset(alias, {"made.zip": made})
    answer = alice.http.get(_url("/~/stored.zip", "made.zip", alias))
    assert answer.content == STORED


def test_an_index_that_is_lost_is_built_anew(server: Server) -> None:
    with People(server) as people:
        alice = people["alice"]
        alice.dataset("archives", {"a.zip": pack({"x": b"hello"})})
        assert alice.http.get(_url("/~/x", "a.zip")).content == b"hello"
        server.kill()
        for directory in list((server.data_dir / "objects").rglob("zip-index")):
            shutil.rmtree(directory)
        server.start()
        assert alice.http.get(_url("/~/x", "a.zip")).content == b"hello"


def test_zip64_members_are_read(alice: Client, alias: str) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(3):
            with archive.open(zipfile.ZipInfo(f"m{number}"), "w", force_zip64=True) as member:
                member.write(b"%d" % number * 1000)
    alice.dataset(alias, {"a.zip": target.getvalue()})
    assert alice.http.get(_url("/~/m2", "a.zip", alias)).content == b"2" * 1000


@pytest.fixture(scope="module")
def hostile(alice: Client) -> Client:
    files = {f"{case}.zip": make() for case, make in {**REFUSED, **REFUSED_MEMBERS}.items()}
    alice.dataset("hostile", files)
    return alice


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_hostile_archives_are_refused(hostile: Client, case: str) -> None:
    for inside in ("", "?path=a"):
        answer = hostile.http.get(_url(inside, f"{case}.zip", "hostile"))
        assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_archive")


@pytest.mark.parametrize("case", sorted(REFUSED_MEMBERS))
def test_hostile_members_are_refused(hostile: Client, case: str) -> None:
    listed = hostile.http.get(_url("", f"{case}.zip", "hostile"))
    assert (listed.status_code, listed.json()[0]["name"]) == (200, "a")
    answer = hostile.http.get(_url("/~/a", f"{case}.zip", "hostile"))
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_archive")


def test_a_large_member_that_lies_is_never_complete(alice: Client, alias: str) -> None:
    good = random.Random(2).randbytes(2 * MEBI)
    archives = {
        "checksum.zip": deflated(good, crc32=1),
        "short.zip": deflated(good, declared=len(good) + 1),
        "long.zip": deflated(good, declared=len(good) - 1),
        "stored.zip": stored({"a": good}).replace(good[-20:], bytes(20)),
    }
    alice.dataset(alias, archives)
    for name in archives:
        with pytest.raises(httpx.RemoteProtocolError):
            alice.http.get(_url("/~/a", name, alias))


def test_a_bomb_within_the_ratio_is_sent_whole_in_bounded_memory(alice: Client, alias: str) -> None:
    size = GIBI // 8
    alice.dataset(alias, {"a.zip": deflated(bytes(size))})
    with alice.http.stream("GET", _url("/~/a", "a.zip", alias)) as answer:
        assert sum(len(chunk) for chunk in answer.iter_bytes()) == size


def test_changed_archives_never_fail_the_service(alice: Client, shared_server: Server, alias: str) -> None:
    drawn = random.Random(11)
    seeds = [pack({"a": b"hello" * 500, "d/b": b"x"}), stored({"a": b"hello" * 20, "b": b""}), deflated(b"y" * 900)]
    alice.call("create", alias=alias, manifest={"name": alias}, stage=True)
    for number in range(150):
        archive = bytearray(drawn.choice(seeds))
        for _ in range(drawn.randrange(1, 4)):
            at = drawn.randrange(len(archive))
            archive[at : at + drawn.randrange(0, 8)] = drawn.choice([drawn.randbytes(4), b"\xff" * 8, b"", b"PK\1\2"])
        path = f"{number}.zip"
        assert alice.http.put(f"/{ALICE}/artifacts/{alias}/files/{path}", content=bytes(archive)).status_code == 200
        listed = alice.http.get(_url("?stage=true", path, alias))
        assert listed.status_code in {200, 400}, listed.text
        for inside in ("a", "b", "d/b", *(entry["name"] for entry in listed.json() if listed.status_code == 200)):
            answer = alice.http.get(_url("", path, alias), params={"path": inside, "stage": "true"})
            assert answer.status_code in {200, 400, 404}, answer.text
    assert "request failed" not in shared_server.log
