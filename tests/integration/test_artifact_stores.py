"""Artifacts with stores of their own: where their files go, and that they stay readable whatever the secrets become."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from api.http.application_files import ApplicationFiles
from application.artifact_stores import MAX_OPEN_STORES
from application.zips.archive import open_archive
from application.zips.members import open_member
from domain.errors import InvalidArgumentError, StoreUnavailableError
from tests.support.life import LocalService, context_of_alice
from tests.support.stores import DirectoryOpener
from tests.support.zips import unpack

KEYS = {"key": "secret", "new-key": "new-secret", "other": "other-secret"}
ENDPOINT = "http://127.0.0.1:9000"


def s3(bucket: str, key: str = "key", **fields: str) -> dict[str, str]:
    return {"S3_ACCESS_KEY_ID": key, "S3_SECRET_ACCESS_KEY": KEYS[key], "S3_BUCKET": bucket, **fields}


@pytest.fixture
def opener(tmp_path: Path) -> DirectoryOpener:
    return DirectoryOpener(tmp_path / "buckets", dict(KEYS))


@pytest.fixture
def service(tmp_path: Path, opener: DirectoryOpener) -> Iterator[LocalService]:
    service = LocalService(tmp_path / "data", opener=opener)
    yield service
    service.close()
    assert all(store.is_closed for store in opener.stores)


def write(service: LocalService, artifact: str, path: str, content: str) -> None:
    service.call("write_file", artifact_id=artifact, file_path=path, content=content)


def dataset(service: LocalService, alias: str, files: dict[str, str], **arguments: Any) -> str:
    artifact: str = service.call("create", alias=alias, manifest={}, stage=True, **arguments)["id"]
    for path, content in files.items():
        write(service, artifact, path, content)
    service.call("commit", artifact_id=artifact)
    return artifact


def own_files(tmp_path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in (tmp_path / "data" / "objects").rglob("*") if file.is_file())


async def body(data: bytes) -> AsyncIterator[bytes]:
    yield data


def put(service: LocalService, url: str, data: bytes, *, is_part: bool = False) -> str:
    """Upload to a signed URL, and give the ETag."""
    parts = urlsplit(url)
    key, query = unquote(parts.path).removeprefix("/s3/"), dict(parse_qsl(parts.query))
    files = ApplicationFiles(service.services)
    if is_part:
        return service.run(files.receive_signed_part(key, query, body(data), size_bytes=len(data))).etag
    received = files.receive_signed(key, query, body(data), size_bytes=len(data), correlation_id="test")
    return service.run(received).file.etag


def test_files_go_to_the_bucket_and_prefix_of_the_secrets_and_trees_do_not(
    service: LocalService, opener: DirectoryOpener, tmp_path: Path
) -> None:
    secrets = s3("b", S3_PREFIX="some/where")
    artifact = dataset(service, "a", {"x.txt": "in the bucket"}, secrets=secrets)
    assert service.files_of(artifact, "v0") == {"x.txt": b"in the bucket"}
    assert any(b"in the bucket" in data for data in opener.files("b/some/where"))
    assert len(opener.files("b")) == 1
    assert b"in the bucket" not in own_files(tmp_path)
    assert opener.opened[0].location.bucket == "b"
    assert "secret" not in repr(opener.opened[0])


def test_files_stay_readable_when_the_secrets_name_another_store_or_none(
    service: LocalService, opener: DirectoryOpener, tmp_path: Path
) -> None:
    artifact = dataset(service, "a", {"old.txt": "one"}, secrets=s3("first"))
    service.call(
        "edit", artifact_id=artifact, version="new", copy_files=True, stage=True, secrets=s3("second", "other")
    )
    write(service, artifact, "new.txt", "two")
    service.call("commit", artifact_id=artifact)
    service.call("edit", artifact_id=artifact, version="new", copy_files=True, stage=True, secrets={})
    write(service, artifact, "own.txt", "three")
    service.call("commit", artifact_id=artifact)
    expected = {"old.txt": b"one", "new.txt": b"two", "own.txt": b"three"}
    assert service.files_of(artifact, "v2") == expected
    assert service.files_of(artifact, "v0") == {"old.txt": b"one"}
    assert [len(opener.files(bucket)) for bucket in ("first", "second")] == [1, 1]
    assert b"three" in own_files(tmp_path)
    # Nothing of it is in memory alone.
    service.stop()
    service.start()
    assert service.files_of(artifact, "v2") == expected


def test_new_credentials_for_the_same_store_open_the_old_files(service: LocalService, opener: DirectoryOpener) -> None:
    artifact = dataset(service, "a", {"x.txt": "one"}, secrets=s3("b"))
    for name, value in (("S3_ACCESS_KEY_ID", "new-key"), ("S3_SECRET_ACCESS_KEY", "new-secret")):
        service.call("set_secret", artifact_id=artifact, secret_key=name, secret_value=value)
    del opener.keys["key"]
    assert service.files_of(artifact, "v0") == {"x.txt": b"one"}
    assert opener.opened[-1].access_key_id == "new-key"
    assert [store.is_closed for store in opener.stores] == [True, False]


def test_secrets_that_come_one_by_one_describe_a_store_once_the_key_is_whole(
    service: LocalService, opener: DirectoryOpener, tmp_path: Path
) -> None:
    artifact = service.call("create", alias="a", manifest={}, stage=True)["id"]
    for name, value in s3("b", S3_REGION_NAME="eu", S3_PUBLIC_ENDPOINT_URL="https://public.example.org").items():
        service.call("set_secret", artifact_id=artifact, secret_key=name, secret_value=value)
    write(service, artifact, "x.txt", "one")
    assert len(opener.files("b")) == 1
    access = opener.opened[-1]
    assert (access.region_name, access.public_endpoint_url) == ("eu", "https://public.example.org")
    service.call("set_secret", artifact_id=artifact, secret_key="S3_SECRET_ACCESS_KEY", secret_value=None)
    write(service, artifact, "y.txt", "kept by the service")
    service.call("commit", artifact_id=artifact)
    assert b"kept by the service" in own_files(tmp_path)
    assert service.files_of(artifact, "v0") == {"x.txt": b"one", "y.txt": b"kept by the service"}


def test_an_artifact_uses_the_store_of_its_collection_as_it_is(service: LocalService, opener: DirectoryOpener) -> None:
    parent = service.call("create", alias="p", type="collection", manifest={}, secrets=s3("shared"))["id"]
    child = dataset(service, "c", {"x.txt": "one"}, parent_id=parent)
    assert len(opener.files("shared")) == 1
    # A bucket without a key of its own does not send the collection's key there.
    other = dataset(service, "d", {"x.txt": "two"}, parent_id=parent, secrets={"S3_BUCKET": "elsewhere"})
    assert (len(opener.files("shared")), opener.files("elsewhere")) == (2, [])
    own = dataset(service, "e", {"x.txt": "three"}, parent_id=parent, secrets=s3("own", "other"))
    assert len(opener.files("own")) == 1
    service.call("edit", artifact_id=parent, secrets={})
    for artifact, content in ((child, b"one"), (other, b"two"), (own, b"three")):
        assert service.files_of(artifact, "v0") == {"x.txt": content}


def test_signed_uploads_and_uploads_in_parts_go_there_too(service: LocalService, opener: DirectoryOpener) -> None:
    parent = service.call("create", alias="p", type="collection", manifest={}, secrets=s3("b"))["id"]
    artifact = service.call("create", alias="a", parent_id=parent, manifest={}, stage=True)["id"]
    put(service, service.call("put_file", artifact_id=artifact, file_path="x.txt"), b"whole")
    begun = service.call("put_file_start_multipart", artifact_id=artifact, file_path="y.bin", part_count=2)
    # The upload goes on in the store in which it began.
    service.call("edit", artifact_id=parent, secrets=s3("another", "other"))
    bodies = [b"a" * 5 * 1024 * 1024, b"end"]
    parts = [
        {"part_number": part["part_number"], "etag": put(service, part["url"], data, is_part=True)}
        for part, data in zip(begun["parts"], bodies, strict=True)
    ]
    assert len(service.call("list_multipart_parts", artifact_id=artifact, upload_id=begun["upload_id"])["parts"]) == 2
    service.call("put_file_complete_multipart", artifact_id=artifact, upload_id=begun["upload_id"], parts=parts)
    put(service, service.call("put_file", artifact_id=artifact, file_path="z.txt"), b"later")
    service.call("commit", artifact_id=artifact)
    assert service.files_of(artifact, "v0") == {"x.txt": b"whole", "y.bin": b"".join(bodies), "z.txt": b"later"}
    assert [len(opener.files(bucket)) for bucket in ("b", "another")] == [2, 1]


def test_archives_are_made_from_and_read_in_such_stores(service: LocalService, opener: DirectoryOpener) -> None:
    artifact = dataset(service, "a", {"x.txt": "one"}, secrets=s3("b"))
    service.call("edit", artifact_id=artifact, version="new", copy_files=True, stage=True, secrets={})
    write(service, artifact, "y.txt", "two")
    service.call("commit", artifact_id=artifact)

    async def archived() -> bytes:
        archive = await open_archive(service.services, context_of_alice(), artifact)
        return b"".join([chunk async for chunk in archive.stream()]) + archive.end

    data = service.run(archived())
    assert unpack(data) == {"x.txt": b"one", "y.txt": b"two"}
    service.call("edit", artifact_id=artifact, version="new", stage=True, secrets=s3("zips"))
    put(service, service.call("put_file", artifact_id=artifact, file_path="z.zip"), data)
    service.call("commit", artifact_id=artifact)

    async def member() -> bytes:
        files = ApplicationFiles(service.services)
        found = await files.open_file(context_of_alice(), artifact, "z.zip", version=None, stage=False)
        index = await service.services.zip_indexes.open(found.files.chain.artifact.id, found.file)
        opened = await open_member(service.services, found, index, "y.txt")
        return b"".join([chunk async for chunk in opened.stream()])

    assert service.run(member()) == b"two"
    assert len(opener.files("zips")) == 1


def test_signed_urls_lead_to_the_store(service: LocalService) -> None:
    artifact = dataset(service, "a", {"x.txt": "one"}, secrets=s3("b"))
    url = urlsplit(service.call("get_file", artifact_id=artifact, file_path="x.txt"))

    async def fetched() -> bytes:
        files = ApplicationFiles(service.services)
        found = await files.open_signed(unquote(url.path).removeprefix("/s3/"), dict(parse_qsl(url.query)))
        return b"".join([chunk async for chunk in found.stream(1, 2)])

    assert service.run(fetched()) == b"ne"
    read = service.call("read_file", artifact_id=artifact, file_path="x.txt", offset=1)
    assert read["content"] == "ne"


def test_without_an_opener_new_files_are_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    service = LocalService(tmp_path / "data")
    try:
        artifact = dataset(service, "a", {"x.txt": "one"})
        service.call("edit", artifact_id=artifact, stage=True, secrets=s3("b"))
        for method, arguments in (
            ("put_file", {}),
            ("write_file", {"content": "two"}),
            ("put_file_start_multipart", {"part_count": 1}),
        ):
            with pytest.raises(StoreUnavailableError, match="cannot reach S3"):
                service.call(method, artifact_id=artifact, file_path="y.txt", **arguments)
        assert service.call("get_secret", artifact_id=artifact)["S3_BUCKET"] == "b"
        assert service.files_of(artifact, "v0") == {"x.txt": b"one"}
        service.call("set_secret", artifact_id=artifact, secret_key="S3_ACCESS_KEY_ID", secret_value=None)
        write(service, artifact, "y.txt", "two")
        service.call("commit", artifact_id=artifact)
        assert service.files_of(artifact, "v0") == {"x.txt": b"one", "y.txt": b"two"}
    finally:
        service.close()


def test_a_private_endpoint_is_refused_unless_the_operator_allows_it(tmp_path: Path, opener: DirectoryOpener) -> None:
    secrets = s3("b", S3_ENDPOINT_URL=ENDPOINT)
    service = LocalService(tmp_path / "data", opener=opener)
    artifact = service.call("create", alias="a", manifest={}, stage=True, secrets=secrets)["id"]
    with pytest.raises(StoreUnavailableError, match="private, loopback or link-local"):
        write(service, artifact, "x.txt", "one")
    assert opener.opened == []
    service.close()
    service = LocalService(tmp_path / "data", opener=opener, allow_private_addresses=True)
    write(service, artifact, "x.txt", "one")
    service.call("commit", artifact_id=artifact)
    assert service.files_of(artifact, "v0") == {"x.txt": b"one"}
    service.close()


def test_a_malformed_endpoint_is_refused_when_it_is_set(service: LocalService) -> None:
    artifact = service.call("create", alias="a", manifest={})["id"]
    for arguments in ({"secret_key": "S3_ENDPOINT_URL", "secret_value": "https://a:b@c"},):
        with pytest.raises(InvalidArgumentError, match="S3_ENDPOINT_URL"):
            service.call("set_secret", artifact_id=artifact, **arguments)
    with pytest.raises(InvalidArgumentError, match="S3_ENDPOINT_URL"):
        service.call("create", alias="b", manifest={}, secrets={"S3_ENDPOINT_URL": "nonsense"})
    assert service.call("get_secret", artifact_id=artifact) == {}


def test_refused_credentials_are_told_and_mended(service: LocalService, opener: DirectoryOpener) -> None:
    secrets = {**s3("b"), "S3_SECRET_ACCESS_KEY": "wrong-one"}
    artifact = service.call("create", alias="a", manifest={}, stage=True, secrets=secrets)["id"]
    with pytest.raises(StoreUnavailableError) as refusal:
        write(service, artifact, "x.txt", "one")
    assert "wrong-one" not in refusal.value.detail
    service.call("set_secret", artifact_id=artifact, secret_key="S3_SECRET_ACCESS_KEY", secret_value="secret")
    write(service, artifact, "x.txt", "one")
    assert len(opener.files("b")) == 1


def test_only_so_many_stores_stay_open_and_none_is_closed_under_a_reader(
    service: LocalService, opener: DirectoryOpener
) -> None:
    first = dataset(service, "first", {"x.bin": "x" * 2_000_000}, secrets=s3("first"))

    async def read_while_others_come() -> int:
        files = ApplicationFiles(service.services)
        found = await files.open_file(context_of_alice(), first, "x.bin", version=None, stage=False)
        size = 0
        async with aclosing(found.stream()) as chunks:  # type: ignore[type-var]  # It is a generator.
            async for chunk in chunks:
                size += len(chunk)
                if size == len(chunk):
                    others = [source async for source in sources()]
                    await asyncio.gather(*(service.services.stores.require(store) for store in others))
                    assert not opener.stores[0].is_closed
        assert opener.stores[0].is_closed
        return size

    async def sources() -> AsyncIterator[str]:
        for artifact in artifacts:
            files = ApplicationFiles(service.services)
            found = await files.open_file(context_of_alice(), artifact, "y.txt", version=None, stage=False)
            assert found.file.store is not None
            yield found.file.store

    count = MAX_OPEN_STORES + 3
    artifacts = [dataset(service, f"a{n}", {"y.txt": f"{n}"}, secrets=s3(f"b{n}")) for n in range(count)]
    opener.stores.clear()
    service.stop()
    service.start()
    assert service.run(read_while_others_come()) == 2_000_000
    assert sum(not store.is_closed for store in opener.stores) == MAX_OPEN_STORES
    for number, artifact in enumerate(artifacts):
        assert service.bytes_of(artifact, "y.txt", "v0") == f"{number}".encode()
    assert sum(not store.is_closed for store in opener.stores) == MAX_OPEN_STORES


def test_many_that_use_a_store_first_open_it_once(service: LocalService, opener: DirectoryOpener) -> None:
    artifact = dataset(service, "a", {"x.txt": "one"}, secrets=s3("b"))
    service.stop()
    opener.opened.clear()
    service.start()

    async def read() -> bytes:
        files = ApplicationFiles(service.services)
        found = await files.open_file(context_of_alice(), artifact, "x.txt", version=None, stage=False)
        return b"".join([chunk async for chunk in found.stream()])

    async def all_at_once() -> set[bytes]:
        return set(await asyncio.gather(*(read() for _ in range(20))))

    assert service.run(all_at_once()) == {b"one"}
    assert len(opener.opened) == 1
