"""Uploads in parts, as clients make them: by method and by REST, with requests and httpx."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import requests

from tests.support.client import Client, People, alias_of, fetch, put
from tests.support.server import Server
from tests.support.waiting import wait_until

MEBI = 1024 * 1024
PART = os.urandom(5 * MEBI)
LAST = os.urandom(MEBI + 17)
ALICE = "ws-user-alice"
START, COMPLETE = "put_file_start_multipart", "put_file_complete_multipart"


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def alice(people: People) -> Client:
    return people["alice"]


@pytest.fixture
def draft(alice: Client, request: pytest.FixtureRequest) -> str:
    """Give the id of a draft of the test's own; Bob may put files, Carol may only read."""
    created = alice.call(
        "create",
        alias=alias_of(request.node.name),
        manifest={},
        stage=True,
        config={"permissions": {"bob": "rw", "carol": "r"}},
    )
    return str(created["id"])


def sent(begun: Any, *bodies: bytes) -> list[dict[str, Any]]:
    """PUT the parts of an upload, and give what completes it."""
    parts = []
    for part, body in zip(begun["parts"], bodies, strict=True):
        answer = put(part["url"], body)
        assert answer.status_code == 200, answer.text
        parts.append({"part_number": part["part_number"], "etag": answer.headers["ETag"].strip('"')})
    return parts


def begin(client: Client, artifact_id: str, path: str = "d/a.bin", part_count: int = 2, **options: Any) -> Any:
    return client.call(START, artifact_id=artifact_id, file_path=path, part_count=part_count, **options)


def test_a_file_of_two_parts(alice: Client, draft: str) -> None:
    begun = begin(alice, draft, download_weight=0.5)
    assert [part["part_number"] for part in begun["parts"]] == [1, 2]
    pending = alice.call("list_files", artifact_id=draft, stage=True, include_pending=True)
    assert [(entry["name"], entry["pending"]) for entry in pending] == [("d/a.bin", True)]
    assert "'d/a.bin'" in alice.refused("commit", artifact_id=draft).detail
    parts = sent(begun, PART, LAST)
    answer = alice.call(COMPLETE, artifact_id=draft, upload_id=begun["upload_id"], parts=parts)
    assert answer == {"success": True, "message": "File uploaded successfully"}
    (entry,) = alice.call("list_files", artifact_id=draft, dir_path="d", stage=True)
    assert entry["size"] == len(PART + LAST)
    assert entry["etag"].endswith("-2")
    alice.call("commit", artifact_id=draft)
    url = alice.call("get_file", artifact_id=draft, file_path="d/a.bin")
    assert fetch(url) == PART + LAST
    ranged = requests.get(url, headers={"Range": f"bytes={len(PART) - 2}-{len(PART) + 1}"}, timeout=60)
    assert ranged.content == PART[-2:] + LAST[:2]
    assert ranged.headers["ETag"] == f'"{entry["etag"]}"'
    assert alice.record(draft)["download_count"] == 0.5


@pytest.mark.parametrize("way", ["query", "body"])
def test_a_file_of_two_parts_by_rest(alice: Client, draft: str, way: str) -> None:
    address = f"/{draft.replace('/', '/artifacts/')}"
    arguments = {"path": "a.bin", "part_count": 2, "download_weight": 2}
    given: dict[str, Any] = {"params": arguments} if way == "query" else {"json": arguments}
    answer = alice.http.post(f"{address}/create-multipart-upload", **given)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-event-position"]
    begun = answer.json()
    parts = sent(begun, PART, LAST)
    quoted = [{**part, "etag": f'"{part["etag"]}"'} for part in reversed(parts)]
    body = {"upload_id": begun["upload_id"], "parts": quoted}
    answer = alice.http.post(f"{address}/complete-multipart-upload", json=body)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "message": "File uploaded successfully"})
    again = alice.http.post(
        f"{address}/complete-multipart-upload", params={"upload_id": begun["upload_id"]}, json={"parts": parts}
    )
    assert (again.status_code, again.json()) == (200, answer.json())
    alice.call("commit", artifact_id=draft)
    assert alice.download(draft, "a.bin") == PART + LAST
    types = [item["type"] for item in alice.get(f"{address}/history")["items"]]
    assert types.count("stage.file_uploaded") == 1
    assert types.count("stage.multipart_started") == 1


async def test_parts_are_sent_in_parallel_with_httpx(alice: Client, draft: str) -> None:
    begun = begin(alice, draft, part_count=6)

    async def send(client: httpx.AsyncClient, part: dict[str, Any]) -> dict[str, Any]:
        body = bytes([part["part_number"]]) * (5 * MEBI)
        answer = await client.put(part["url"], content=body)
        assert answer.status_code == 200
        return {"part_number": part["part_number"], "etag": answer.headers["ETag"].strip('"')}

    async with httpx.AsyncClient(timeout=60) as client:
        parts = await asyncio.gather(*(send(client, part) for part in begun["parts"]))
    alice.call(COMPLETE, artifact_id=draft, upload_id=begun["upload_id"], parts=parts)
    alice.call("commit", artifact_id=draft)
    assert alice.download(draft, "d/a.bin") == b"".join(bytes([n]) * (5 * MEBI) for n in range(1, 7))


def test_one_part_may_be_empty(alice: Client, draft: str) -> None:
    begun = begin(alice, draft, part_count=1)
    alice.call(COMPLETE, artifact_id=draft, upload_id=begun["upload_id"], parts=sent(begun, b""))
    alice.call("commit", artifact_id=draft)
    assert alice.download(draft, "d/a.bin") == b""


def test_another_caller_resumes_and_completes(alice: Client, people: People, draft: str) -> None:
    begun = begin(alice, draft, part_count=3)
    first = put(begun["parts"][0]["url"], PART).headers["ETag"].strip('"')
    put(begun["parts"][2]["url"], b"to be sent again")
    bob = people["bob"]
    address = f"/{draft.replace('/', '/artifacts/')}/multipart-uploads"
    (item,) = bob.get(address)["items"]
    assert (item["path"], item["part_count"], item["upload_id"]) == ("d/a.bin", 3, begun["upload_id"])
    assert item["ends_at"] - item["expires_at"] == 86_400
    found = bob.get(f"{address}/{begun['upload_id']}")
    assert [(part["part_number"], part["size"]) for part in found["parts"]] == [(1, len(PART)), (3, 16)]
    assert found["parts"][0]["etag"] == first
    assert [part["part_number"] for part in found["missing"]] == [2]
    second = put(found["missing"][0]["url"], PART).headers["ETag"]
    third = put(begun["parts"][2]["url"], LAST).headers["ETag"]
    parts = [{"part_number": number, "etag": etag} for number, etag in ((1, first), (2, second), (3, third))]
    bob.call(COMPLETE, artifact_id=draft, upload_id=begun["upload_id"], parts=parts)
    assert bob.get(address) == {"items": []}
    alice.call("commit", artifact_id=draft)
    assert alice.download(draft, "d/a.bin") == PART + PART + LAST


@pytest.mark.parametrize("user", ["carol", "dave", None])
def test_who_may_not_put_files_has_no_uploads(alice: Client, people: People, draft: str, user: str | None) -> None:
    begun = begin(alice, draft)
    other = people[user] if user else people.anonymous()
    named = {"artifact_id": draft, "upload_id": begun["upload_id"]}
    for refusal in (
        other.refused(START, artifact_id=draft, file_path="b", part_count=1),
        other.refused(COMPLETE, **named, parts=[]),
        other.refused("list_multipart_uploads", artifact_id=draft),
        other.refused("list_multipart_parts", **named),
    ):
        assert (refusal.status, refusal.code) == (403, "permission_denied")


def test_uploads_that_cannot_be_completed(alice: Client, draft: str) -> None:
    begun = begin(alice, draft)
    parts = sent(begun, PART, LAST)
    other = alice.call("create", alias=f"{draft.split('/')[1][:50]}-2", manifest={}, stage=True)["id"]
    named = {"artifact_id": draft, "upload_id": begun["upload_id"]}
    wrong_etag = [parts[0], {**parts[1], "etag": parts[0]["etag"]}]
    for arguments, text in (
        ({**named, "artifact_id": other}, "Upload session expired or not found"),
        ({**named, "upload_id": "no such upload"}, "Upload session expired or not found"),
        ({**named, "upload_id": other}, "Upload session expired or not found"),
        ({**named, "parts": parts[:1]}, "parts 2 are missing"),
        ({**named, "parts": [*parts, {"part_number": 3, "etag": "0" * 32}]}, "parts 3 are not of this upload"),
        ({**named, "parts": wrong_etag}, "parts 2 are of another ETag"),
        ({**named, "parts": [parts[0], {"part_number": 2, "etag": "x"}]}, "Part 2: its etag"),
        ({**named, "parts": []}, "parts 1, 2 are missing"),
    ):
        refusal = alice.refused(COMPLETE, **{"parts": parts, **arguments})
        assert refusal.status == 400
        assert refusal.detail.startswith("ValueError: ")
        assert text in refusal.detail
    alice.call(COMPLETE, **named, parts=parts)


def test_small_parts_are_refused_at_completion(alice: Client, draft: str) -> None:
    begun = begin(alice, draft)
    parts = sent(begun, b"small", LAST)
    refusal = alice.refused(COMPLETE, artifact_id=draft, upload_id=begun["upload_id"], parts=parts)
    assert refusal.status == 400
    assert "parts 1 are smaller than 5242880 bytes" in refusal.detail


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"part_count": 0}, "ValueError: Part count must be greater than 0"),
        ({"part_count": 10_001}, "ValueError: The maximum number of parts is 10,000."),
        ({"download_weight": -1}, "ValueError: Download weight must be a non-negative number: -1"),
        ({"expires_in": 59}, "expires_in"),
        ({"file_path": "../a"}, "Illegal file path"),
        ({"use_local_url": "ftp://x"}, "use_local_url"),
    ],
)
def test_a_start_that_is_refused(alice: Client, draft: str, arguments: dict[str, Any], text: str) -> None:
    refusal = alice.refused(START, **{"artifact_id": draft, "file_path": "a", "part_count": 1, **arguments})
    assert refusal.status == 400
    assert text in refusal.detail
    assert alice.call("list_multipart_uploads", artifact_id=draft) == {"items": []}


def test_most_parts_at_once(alice: Client, draft: str) -> None:
    begun = begin(alice, draft, part_count=10_000)
    assert len({part["url"] for part in begun["parts"]}) == 10_000
    assert put(begun["parts"][-1]["url"], b"x").status_code == 200


def test_uploads_need_a_stage(alice: Client) -> None:
    alice.dataset("committed")
    refusal = alice.refused(START, artifact_id="committed", file_path="a", part_count=1)
    assert (refusal.status, refusal.code) == (400, "invalid_state")
    assert "Artifact must be in staging mode." in refusal.detail


@pytest.mark.parametrize("end", ["complete", "commit", "discard", "remove_file", "put_file", START])
def test_a_part_url_dies_with_its_upload(alice: Client, draft: str, end: str) -> None:
    begun = begin(alice, draft, part_count=1)
    (part,) = sent(begun, LAST)
    url = begun["parts"][0]["url"]
    named = {"artifact_id": draft, "upload_id": begun["upload_id"]}
    if end in {"complete", "commit"}:
        alice.call(COMPLETE, **named, parts=[part])
    if end != "complete":
        path: dict[str, Any] = {"file_path": "d/a.bin"} if "file" in end else {}
        count = {"part_count": 1} if end == START else {}
        alice.call(end, artifact_id=draft, **path, **count)
    answer = put(url, b"late")
    assert answer.status_code == 403
    assert "no longer valid" in answer.json()["detail"]
    if end != "complete":
        assert alice.refused(COMPLETE, **named, parts=[part]).code == "upload_not_found"
    if end == "commit":
        assert alice.download(draft, "d/a.bin") == LAST


def test_a_part_url_is_for_one_part_and_nothing_else(alice: Client, draft: str) -> None:
    begun = begin(alice, draft)
    one, two = (part["url"] for part in begun["parts"])
    file_url = alice.call("put_file", artifact_id=draft, file_path="file")
    forged = [
        one.replace("partNumber=1", "partNumber=2"),
        one.replace("partNumber=1&", ""),
        one.replace(one.rsplit("=", 1)[1], two.rsplit("=", 1)[1]),
        one.replace(urlsplit(one).path, urlsplit(file_url).path),
        file_url.replace("?", "?partNumber=1&"),
        one[:-1] + ("0" if one[-1] != "0" else "1"),
    ]
    for url in forged:
        assert put(url, b"x").status_code == 403, url
    assert requests.get(one, timeout=60).status_code == 403
    named = {"artifact_id": draft, "upload_id": begun["upload_id"]}
    assert alice.call("list_multipart_parts", **named)["parts"] == []


def test_a_part_that_is_cut_off_leaves_nothing(alice: Client, shared_server: Server, draft: str) -> None:
    begun = begin(alice, draft)
    address = urlsplit(begun["parts"][0]["url"])
    with socket.create_connection(("127.0.0.1", shared_server.port)) as connection:
        head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(PART)}\r\n\r\n"
        connection.sendall(head.encode() + PART[: 3 * MEBI])
    named = {"artifact_id": draft, "upload_id": begun["upload_id"]}
    parts = sent({"parts": begun["parts"]}, PART, LAST)
    assert [part["size"] for part in alice.call("list_multipart_parts", **named)["parts"]] == [len(PART), len(LAST)]
    alice.call(COMPLETE, **named, parts=parts)
    alice.call("commit", artifact_id=draft)
    assert alice.download(draft, "d/a.bin") == PART + LAST


def test_many_complete_at_once_and_it_happens_once(alice: Client, people: People, draft: str) -> None:
    begun = begin(alice, draft, part_count=4)
    parts = sent(begun, PART, PART, PART, LAST)
    body = {"artifact_id": draft, "upload_id": begun["upload_id"], "parts": parts}

    async def complete_all() -> list[int]:
        headers = {"authorization": f"Bearer {alice.token}"}
        async with httpx.AsyncClient(base_url=alice.url, headers=headers, timeout=60) as client:
            calls = (client.post(f"/public/services/artifact-manager/{COMPLETE}", json=body) for _ in range(8))
            return [answer.status_code for answer in await asyncio.gather(*calls)]

    assert set(asyncio.run(complete_all())) == {200}
    history = alice.get(f"/{draft.replace('/', '/artifacts/')}/history")["items"]
    assert [item["type"] for item in history].count("stage.file_uploaded") == 1


def test_a_completion_goes_on_when_its_caller_is_gone(alice: Client, shared_server: Server, draft: str) -> None:
    begun = begin(alice, draft, part_count=8)
    parts = sent(begun, *[PART] * 7, LAST)
    body = json.dumps({"artifact_id": draft, "upload_id": begun["upload_id"], "parts": parts}).encode()
    head = (
        f"POST /public/services/artifact-manager/{COMPLETE} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {alice.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    temporary = shared_server.data_dir / "objects" / "tmp"

    def is_there() -> bool:
        return bool(alice.call("list_files", artifact_id=draft, dir_path="d", stage=True))

    with socket.create_connection(("127.0.0.1", shared_server.port)) as connection:
        connection.sendall(head.encode() + body)
        wait_until(lambda: any(temporary.iterdir()) or is_there(), "the completion has begun")
    wait_until(is_there, "the completion is done")
    alice.call("commit", artifact_id=draft)
    assert alice.download(draft, "d/a.bin") == PART * 7 + LAST


def test_urls_are_made_for_inside_the_cluster(alice: Client, draft: str) -> None:
    begun = begin(alice, draft, part_count=1, use_proxy=True, use_local_url="http://inside:1234")
    assert begun["parts"][0]["url"].startswith("http://inside:1234/s3/")
    named = {"artifact_id": draft, "upload_id": begun["upload_id"]}
    found = alice.call("list_multipart_parts", **named, use_local_url="http://inside:1234")
    assert found["missing"][0]["url"].startswith("http://inside:1234/s3/")
    refusal = alice.refused("list_multipart_parts", **named, use_local_url="ftp://x")
    assert "use_local_url" in refusal.detail


def test_rest_names_what_is_wrong(alice: Client, draft: str) -> None:
    address = f"/{draft.replace('/', '/artifacts/')}"
    for path, given, text in (
        ("create", {"params": {"path": "a"}}, "part_count"),
        ("create", {"params": {"part_count": 1}}, "file_path"),
        ("create", {"params": {"path": "a", "part_count": "x"}}, "part_count"),
        ("create", {"params": {"path": "a", "part_count": 1, "bogus": 1}}, "bogus"),
        ("create", {"params": {"path": "a", "part_count": 1, "artifact_id": "b"}}, "artifact_id"),
        ("create", {"params": {"path": "a", "part_count": 1}, "json": {"path": "b"}}, "multiple values"),
        ("create", {"params": {"path": "a", "part_count": 0}}, "Part count must be greater than 0"),
        ("complete", {"json": {"parts": []}}, "upload_id"),
        ("complete", {"json": {"upload_id": "x"}}, "parts"),
        ("complete", {"json": {"upload_id": "x", "parts": [{"part_number": 1}]}}, "etag"),
        ("complete", {"content": b"{"}, "JSON"),
    ):
        answer = alice.http.post(f"{address}/{path}-multipart-upload", **given)
        assert answer.status_code == 400, (path, given)
        assert text in answer.json()["detail"], (path, given)
    assert alice.http.get(f"{address}/create-multipart-upload").status_code == 405
    assert alice.http.post(f"/{ALICE}/artifacts/absent/create-multipart-upload?path=a&part_count=1").status_code == 404
    assert alice.http.get(f"{address}/multipart-uploads/absent").status_code == 400
