"""Uploads in parts that nobody completes are abandoned by the janitor, and what is left of the others is removed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InvalidArgumentError, PermissionDeniedError, UploadSessionError
from tests.support.life import LocalService

HOUR = 3_600.0
DAY = 24 * HOUR


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LocalService]:
    service = LocalService(tmp_path / "data")
    service.call("create", alias="d", manifest={}, stage=True)
    yield service
    service.close()


def start(service: LocalService, path: str = "a", **options: Any) -> dict[str, Any]:
    begun: dict[str, Any] = service.call(
        "put_file_start_multipart", artifact_id="d", file_path=path, part_count=1, **options
    )
    return begun


def pending(service: LocalService) -> int:
    return len(service.run(service.services.objects.list_multipart()))


def test_an_upload_that_nobody_completes_is_abandoned(service: LocalService) -> None:
    begun = start(service)
    service.clock.advance(HOUR + DAY - 60)
    assert service.tidy() == {}
    assert service.call("list_multipart_parts", artifact_id="d", upload_id=begun["upload_id"])["path"] == "a"
    service.clock.advance(120)
    with pytest.raises(UploadSessionError):
        service.call("list_multipart_parts", artifact_id="d", upload_id=begun["upload_id"])
    expected = {"uploads expired": (1, 0), "uploads removed": (1, 0)}
    assert service.tidy(is_dry_run=True) == expected
    assert pending(service) == 1
    assert service.tidy() == expected
    assert service.tidy() == {}
    assert pending(service) == 0
    items = service.call("history", artifact_id="d")["items"]
    assert items[0]["type"] == "stage.multipart_abandoned"
    assert items[0]["data"] == {"reason": "expired"}
    assert items[0]["actor"] == "service:janitor"
    service.call("commit", artifact_id="d")


@pytest.mark.parametrize("method", ["discard", "delete", "remove_file", "write_file"])
def test_what_is_left_of_an_upload_that_ended_is_removed(service: LocalService, method: str) -> None:
    start(service)
    kept = start(service, "kept")
    arguments: dict[str, dict[str, Any]] = {
        "remove_file": {"file_path": "a"},
        "write_file": {"file_path": "a", "content": "x"},
    }
    service.call(method, artifact_id="d", **arguments.get(method, {}))
    assert service.tidy() == {}
    assert pending(service) == 2
    service.clock.advance(HOUR / 2)
    is_whole = method in {"discard", "delete"}
    assert service.tidy() == {"uploads removed": (2 if is_whole else 1, 0)}
    assert pending(service) == (0 if is_whole else 1)
    if not is_whole:
        assert service.call("list_multipart_uploads", artifact_id="d")["items"][0]["upload_id"] == kept["upload_id"]


def test_what_a_crash_between_the_store_and_the_event_left_is_removed(service: LocalService) -> None:
    stage_key = "00000000-0000-0000-0000-000000000000/v0-00000000-0000-0000-0000-000000000001"
    key = f"{stage_key}/00000000-0000-0000-0000-000000000002"
    service.run(service.services.objects.create_multipart(key))
    assert service.tidy() == {}
    service.clock.advance(HOUR)
    assert service.tidy() == {"uploads removed": (1, 0)}


def test_an_object_that_a_crash_made_without_its_event_is_completed(service: LocalService) -> None:
    begun = start(service)

    async def body() -> AsyncIterator[bytes]:
        yield b"bytes"

    async def crash_before_the_event() -> str:
        (upload,) = await service.services.objects.list_multipart()
        store = service.services.objects
        part = await store.put_part(upload.key, upload.upload_id, 1, body(), size_bytes=5, limit_bytes=None)
        await store.complete_multipart(upload.key, upload.upload_id, [(1, part.etag)])
        return part.etag

    etag = service.run(crash_before_the_event())
    named: dict[str, Any] = {"artifact_id": "d", "upload_id": begun["upload_id"]}
    with pytest.raises(UploadSessionError):
        service.call("put_file_complete_multipart", **named, parts=[{"part_number": 1, "etag": "0" * 32}])
    parts = [{"part_number": 1, "etag": etag}]
    assert service.call("put_file_complete_multipart", **named, parts=parts)["success"]
    assert service.call("put_file_complete_multipart", **named, parts=parts)["success"]
    service.call("commit", artifact_id="d")
    assert service.call("read_file", artifact_id="d", file_path="a")["content"] == "bytes"
    types = [item["type"] for item in service.call("history", artifact_id="d")["items"]]
    assert types.count("stage.file_uploaded") == 1


def test_a_refused_start_leaves_nothing_in_the_store(service: LocalService) -> None:
    service.call("create", alias="c", manifest={})
    for arguments in ({"part_count": 0}, {"part_count": 10_001}, {"download_weight": -1.0}, {"file_path": "../a"}):
        with pytest.raises(InvalidArgumentError):
            service.call(
                "put_file_start_multipart", **{"artifact_id": "d", "file_path": "a", "part_count": 1, **arguments}
            )
    assert pending(service) == 0


def test_part_urls_do_not_outlive_the_upload(service: LocalService) -> None:
    begun = start(service, expires_in=60)
    service.clock.advance(DAY)
    resumed = service.call("list_multipart_parts", artifact_id="d", upload_id=begun["upload_id"], expires_in=3600)
    query = dict(pair.split("=") for pair in resumed["missing"][0]["url"].split("?")[1].split("&"))
    key = resumed["missing"][0]["url"].split("/s3/")[1].split("?")[0]
    service.clock.advance(50)
    assert service.services.urls.verify_part(key, query).part_number == 1
    service.clock.advance(12)
    with pytest.raises(PermissionDeniedError, match="expired"):
        service.services.urls.verify_part(key, query)
