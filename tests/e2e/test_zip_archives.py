"""Archives of an artifact's files: which files, which bytes, how long, for whom, and what they count."""

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.client import Client, People, alias_of, login_token
from tests.support.server import Server
from tests.support.zips import unpack

ALICE = "ws-user-alice"
MEBI = 2**20
FILES = {
    "a.txt": b"aa",
    "d/b.txt": b"bb" * 1000,
    "d/empty": b"",
    "d/Grüße 日本.bin": bytes(range(256)),
    "large.bin": bytes(range(256)) * 4 * 700,
}
WEIGHTS = {"a.txt": 0.5, "d/b.txt": 1}


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def alice(people: People) -> Client:
    return people["alice"]


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)


@pytest.fixture
def artifact(alice: Client, alias: str) -> str:
    artifact_id = alice.dataset(alias, FILES)
    for path, weight in WEIGHTS.items():
        alice.call("set_download_weight", artifact_id=artifact_id, file_path=path, download_weight=weight)
    return artifact_id


def _url(artifact_id: str, endpoint: str = "create-zip-file") -> str:
    workspace, alias = artifact_id.split("/")
    return f"/{workspace}/artifacts/{alias}/{endpoint}"


def _zip(client: Client, artifact_id: str, endpoint: str = "create-zip-file", **query: Any) -> dict[str, bytes]:
    answer = client.http.get(_url(artifact_id, endpoint), params=query)
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == int(answer.headers["content-length"])
    return unpack(answer.content)


def _downloads(client: Client, artifact_id: str) -> float:
    return float(client.record(artifact_id)["download_count"])


def _accesses(client: Client, artifact_id: str) -> list[Any]:
    """Give what is recorded of the archives that were asked for, newest first."""
    items = client.call("history", artifact_id=artifact_id, kinds="access")["items"]
    return [item["data"] for item in items if item["data"].get("kind") == "zip"]


def _eventually(check: Callable[[], bool]) -> None:
    for _ in range(500):
        if check():
            return
        time.sleep(0.02)
    raise AssertionError("It never came true")


@pytest.mark.parametrize("endpoint", ["create-zip-file", "create-zip"])
def test_all_files(alice: Client, artifact: str, endpoint: str) -> None:
    assert _zip(alice, artifact, endpoint) == FILES


@pytest.mark.parametrize(("endpoint", "name"), [("create-zip-file", "file"), ("create-zip", "files")])
def test_chosen_files_each_once(alice: Client, artifact: str, endpoint: str, name: str) -> None:
    chosen = ["d/Grüße 日本.bin", "a.txt", "./a.txt"]
    found = _zip(alice, artifact, endpoint, **{name: chosen})
    assert list(found) == chosen[:2]
    assert all(FILES[path] == data for path, data in found.items())
    assert _zip(alice, artifact, endpoint, **{name: ""}) == FILES


def test_names_that_look_like_json_are_names(alice: Client, alias: str) -> None:
    files = {"null": b"1", '["a"]': b"2", "true": b"3"}
    artifact = alice.dataset(alias, files)
    for path, data in files.items():
        assert _zip(alice, artifact, file=path) == {path: data}


def test_headers(alice: Client, artifact: str, alias: str) -> None:
    answer = alice.http.get(_url(artifact))
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{alias}.zip"'
    assert answer.headers["accept-ranges"] == "none"
    head = alice.http.head(_url(artifact))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]
    whole = alice.http.get(_url(artifact), headers={"range": "bytes=0-3"})
    assert (whole.status_code, whole.content) == (200, answer.content)


def test_the_same_files_are_the_same_bytes(alice: Client, artifact: str) -> None:
    assert alice.http.get(_url(artifact)).content == alice.http.get(_url(artifact)).content


def test_the_length_of_any_choice_is_known(alice: Client, alias: str) -> None:
    drawn = random.Random(7)
    names = [f"{'ü' * drawn.randrange(20)}{number}/{'x' * drawn.randrange(100)}" for number in range(40)]
    files = {name + "f": drawn.randbytes(drawn.choice([0, 1, 1000, 300_000])) for name in names}
    artifact = alice.dataset(alias, files)
    for _ in range(30):
        chosen = drawn.sample(sorted(files), drawn.randrange(1, 40))
        assert _zip(alice, artifact, file=chosen, silent="true") == {path: files[path] for path in chosen}


@pytest.mark.skipif(shutil.which("unzip") is None, reason="needs unzip")
def test_unzip_takes_it(alice: Client, artifact: str, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(alice.http.get(_url(artifact)).content)
    subprocess.run(["unzip", "-q", str(path), "-d", str(tmp_path / "all")], check=True)
    assert (tmp_path / "all/d/b.txt").read_bytes() == FILES["d/b.txt"]


def test_missing_files_are_all_named(alice: Client, artifact: str) -> None:
    answer = alice.http.get(_url(artifact), params={"file": ["x", "a.txt", "y"]})
    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")
    assert answer.json()["detail"] == "'x', 'y' do not exist in the artifact."
    many = alice.http.get(_url(artifact), params={"file": [f"f{number}" for number in range(15)]})
    assert many.json()["detail"].endswith("'f9' and 5 more do not exist in the artifact.")
    assert _accesses(alice, artifact) == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"file": "../a"}, 400),
        ({"file": "d/"}, 400),
        ({"version": "v9"}, 404),
        ({"bogus": "1"}, 400),
        ({"silent": "maybe"}, 400),
        ({"token": "nonsense"}, 401),
    ],
)
def test_bad_requests(alice: Client, artifact: str, query: dict[str, str], status: int) -> None:
    assert alice.http.get(_url(artifact), params=query).status_code == status
    assert _accesses(alice, artifact) == []


def test_no_such_artifact(alice: Client) -> None:
    assert alice.http.get(f"/{ALICE}/artifacts/nothing/create-zip-file").status_code == 404
    assert alice.http.post(f"/{ALICE}/artifacts/nothing/create-zip-file").status_code == 405


def test_versions_and_stage(alice: Client, people: People, alias: str) -> None:
    artifact = alice.dataset(alias, {"a": b"1", "b": b"1"}, permissions={"*": "r"})
    alice.call("edit", artifact_id=artifact, version="new", copy_files=True, stage=True)
    alice.upload(artifact, "b", b"22")
    alice.upload(artifact, "A/first", b"2")
    alice.upload(artifact, "z", b"2")
    alice.call("remove_file", artifact_id=artifact, file_path="a")
    staged = {"A/first": b"2", "b": b"22", "z": b"2"}
    for query in ({"version": "stage"}, {"stage": "true"}):
        assert _zip(alice, artifact, **query) == staged
        assert people["bob"].http.get(_url(artifact), params=query).status_code == 403
    assert _zip(people["bob"], artifact) == {"a": b"1", "b": b"1"}
    alice.call("commit", artifact_id=artifact)
    assert _zip(alice, artifact) == staged
    assert _zip(alice, artifact, version="v0") == {"a": b"1", "b": b"1"}
    assert _zip(alice, artifact, version="v0", file="b") == {"b": b"1"}


def test_an_artifact_without_files_is_an_empty_archive(alice: Client, alias: str) -> None:
    assert _zip(alice, alice.dataset(alias)) == {}


def test_rights(alice: Client, people: People, shared_server: Server, artifact: str) -> None:
    for client in (people["bob"], people.anonymous()):
        assert client.http.get(_url(artifact)).status_code == 403
    token = login_token(shared_server, "alice")
    assert people.anonymous().http.get(_url(artifact), params={"token": token}).status_code == 200


def test_a_claim_on_files_gives_archives_of_those_files(alice: Client, people: People, artifact: str) -> None:
    def holder(path: str) -> Client:
        scope = f"get_file:{artifact}:{path}"
        return people.bearer(
            alice.workspaces("generate_token", workspace=ALICE, config={"extra_scopes": [scope], "permission": "read"})
        )

    one, every = holder("a.txt"), holder("*")
    assert _zip(one, artifact, file="a.txt") == {"a.txt": b"aa"}
    assert one.http.get(_url(artifact), params={"file": ["a.txt", "d/b.txt"]}).status_code == 403
    assert one.http.get(_url(artifact)).status_code == 403
    assert _zip(every, artifact) == FILES


def test_the_weights_of_the_files_count_once(alice: Client, artifact: str) -> None:
    _zip(alice, artifact)
    assert _downloads(alice, artifact) == 1.5
    _zip(alice, artifact, file=["a.txt", "d/empty"])
    assert _downloads(alice, artifact) == 2.0
    _zip(alice, artifact, silent="true")
    alice.http.head(_url(artifact))
    assert _downloads(alice, artifact) == 2.0
    silent, chosen, whole = _accesses(alice, artifact)
    assert (whole["files"], whole["is_whole"], whole["download_weight"]) == (["a.txt", "d/b.txt"], True, 1.5)
    assert (chosen["files"], chosen["download_weight"]) == (["a.txt", "d/empty"], 0.5)
    assert silent["is_counted"] is False
    assert "download_weight" not in silent


def test_the_special_weight_replaces_those_of_the_files(alice: Client, artifact: str) -> None:
    alice.call("set_download_weight", artifact_id=artifact, file_path="create-zip-file", download_weight=5)
    _zip(alice, artifact)
    _zip(alice, artifact, "create-zip", file="d/empty")
    assert _downloads(alice, artifact) == 10


def test_parallel_archives_count_exactly(alice: Client, artifact: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: _zip(alice, artifact), range(40)))
    assert all(one == FILES for one in found)
    assert _downloads(alice, artifact) == 60
    assert len(_accesses(alice, artifact)) == 40


def test_an_archive_that_is_given_up_counts_nothing(alice: Client, shared_server: Server, alias: str) -> None:
    artifact = alice.dataset(alias, {"large": bytes(40 * MEBI)})
    alice.call("set_download_weight", artifact_id=artifact, file_path="large", download_weight=1)
    request = f"GET {_url(artifact)} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice.token}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", shared_server.port)) as connection:
        connection.sendall(request.encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
    _eventually(lambda: len(_accesses(alice, artifact)) == 1)
    (aborted,) = _accesses(alice, artifact)
    assert "download_weight" not in aborted
    assert _downloads(alice, artifact) == 0
    _zip(alice, artifact)
    assert _downloads(alice, artifact) == 1


def test_an_archive_whose_object_is_lost_is_an_error(server: Server) -> None:
    with People(server) as people:
        alice = people["alice"]
        artifact = alice.dataset("lost", {"a": b"x" * 100, "b": b"y" * 400_000})
        _lose(server, b"y" * 400_000)
        with pytest.raises(httpx.RemoteProtocolError):
            alice.http.get(_url(artifact))
        _lose(server, b"x" * 100)
        assert alice.http.get(_url(artifact)).status_code == 404
        assert [access.get("download_weight") for access in _accesses(alice, artifact)] == [None, None]


def _lose(server: Server, body: bytes) -> None:
    for path in (server.data_dir / "objects").rglob("*"):
        if path.is_file() and path.read_bytes().startswith(body):
            path.unlink()
            return
    raise AssertionError("There is no such object")
