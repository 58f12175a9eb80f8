import asyncio
import hashlib
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.object_store.checksums import combine_crc32
from adapters.object_store.directory import DirectoryObjectStore
from application.ports.object_store import ObjectStore, StoredPart
from domain.errors import InvalidArgumentError, NotFoundError, StorageFullError, TooLargeError
from domain.stage.etags import multipart_etag
from tests.contract.test_object_store import files, full_disk, pieces
from tests.support.object_store import MemoryObjectStore
from tests.support.stores import leased

BODIES = [os.urandom(size) for size in (3_000_001, 70_000, 0, 1_500_000)]
KEY = "a/v0-b/c"


@pytest.fixture(params=["directory", "memory", "leased"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    made: ObjectStore = MemoryObjectStore() if request.param == "memory" else DirectoryObjectStore(tmp_path)
    yield leased(made) if request.param == "leased" else made
    await made.close()


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[DirectoryObjectStore]:
    made = DirectoryObjectStore(tmp_path)
    yield made
    await made.close()


def md5(data: bytes) -> "hashlib._Hash":
    return hashlib.md5(data, usedforsecurity=False)


async def put(store: ObjectStore, upload_id: str, number: int, body: bytes, key: str = KEY) -> StoredPart:
    return await store.put_part(key, upload_id, number, pieces(body), size_bytes=len(body), limit_bytes=None)


async def begun(store: ObjectStore, bodies: list[bytes], key: str = KEY) -> tuple[str, list[tuple[int, str]]]:
    upload_id = await store.create_multipart(key)
    parts = [await put(store, upload_id, number, body, key) for number, body in enumerate(bodies, start=1)]
    return upload_id, [(part.part_number, part.etag) for part in parts]


async def test_an_object_is_made_of_its_parts(store: ObjectStore) -> None:
    upload_id, parts = await begun(store, BODIES)
    assert [etag for _, etag in parts] == [md5(body).hexdigest() for body in BODIES]
    assert await store.head(KEY) is None
    stored = await store.complete_multipart(KEY, upload_id, parts)
    whole = b"".join(BODIES)
    assert await store.get(KEY) == whole
    assert await store.head(KEY) == stored
    assert (
        b"".join([chunk async for chunk in store.stream(KEY, start=2_999_999, length=70_010)])
        == whole[2_999_999:][:70_010]
    )
    assert stored.size_bytes == len(whole)
    assert stored.crc32 == zlib.crc32(whole)
    assert stored.sha256 == hashlib.sha256(whole).digest()
    digests = b"".join(md5(body).digest() for body in BODIES)
    assert stored.etag == f"{md5(digests).hexdigest()}-{len(BODIES)}"
    assert await store.list_multipart() == []


async def test_one_empty_part_makes_an_empty_object(store: ObjectStore) -> None:
    upload_id, parts = await begun(store, [b""])
    stored = await store.complete_multipart(KEY, upload_id, parts)
    assert (stored.size_bytes, await store.get(KEY), stored.crc32) == (0, b"", 0)


async def test_parts_are_put_in_any_order_and_listed_by_number(store: ObjectStore) -> None:
    upload_id = await store.create_multipart(KEY)
    sent = {number: os.urandom(100 + number) for number in (7, 2, 10_000, 1)}
    stored = await asyncio.gather(*(put(store, upload_id, number, body) for number, body in sent.items()))
    assert sorted(stored, key=lambda part: part.part_number) == list(await store.list_parts(KEY, upload_id))
    assert [part.part_number for part in await store.list_parts(KEY, upload_id, after=1, limit=2)] == [2, 7]
    assert [part.size_bytes for part in await store.list_parts(KEY, upload_id)] == [101, 102, 107, 10_100]


async def test_the_last_of_a_part_counts(store: ObjectStore) -> None:
    upload_id, parts = await begun(store, [b"first", b"second"])
    again = await put(store, upload_id, 1, b"other")
    with pytest.raises(InvalidArgumentError, match="1"):
        await store.complete_multipart(KEY, upload_id, parts)
    assert await store.head(KEY) is None
    await store.complete_multipart(KEY, upload_id, [(1, again.etag), parts[1]])
    assert await store.get(KEY) == b"othersecond"


async def test_a_part_that_was_not_put_is_named(store: ObjectStore) -> None:
    upload_id, parts = await begun(store, [b"one", b"two"])
    with pytest.raises(InvalidArgumentError, match="3"):
        await store.complete_multipart(KEY, upload_id, [*parts, (3, "0" * 32)])
    assert len(await store.list_parts(KEY, upload_id)) == 2


async def test_a_part_that_is_cut_off_leaves_the_one_before(store: ObjectStore) -> None:
    upload_id, parts = await begun(store, [b"first"])
    with pytest.raises(ConnectionResetError):
        await store.put_part(
            KEY, upload_id, 1, pieces(BODIES[0], error=ConnectionResetError()), size_bytes=None, limit_bytes=None
        )
    with pytest.raises(InvalidArgumentError):
        await store.put_part(KEY, upload_id, 1, pieces(b"short"), size_bytes=6, limit_bytes=None)
    with pytest.raises(TooLargeError):
        await store.put_part(KEY, upload_id, 2, pieces(b"long"), size_bytes=None, limit_bytes=3)
    assert [(part.part_number, part.etag) for part in await store.list_parts(KEY, upload_id)] == parts


async def test_an_upload_belongs_to_its_key(store: ObjectStore) -> None:
    upload_id, parts = await begun(store, [b"one"])
    for key, other in (("a/other", upload_id), (KEY, "0" * 32), (KEY, "../" + upload_id), (KEY, "")):
        for attempt in (
            put(store, other, 1, b"x", key),
            store.list_parts(key, other),
            store.complete_multipart(key, other, parts),
        ):
            with pytest.raises(NotFoundError) as refusal:
                await attempt
            assert refusal.value.detail == "There is no such upload."
        await store.abort_multipart(key, other)
    assert len(await store.list_parts(KEY, upload_id)) == 1


async def test_an_upload_that_is_over_takes_nothing(store: ObjectStore) -> None:
    completed, parts = await begun(store, [b"one"])
    await store.complete_multipart(KEY, completed, parts)
    aborted, _ = await begun(store, [b"one"], "a/other")
    await store.abort_multipart("a/other", aborted)
    await store.abort_multipart("a/other", aborted)
    for key, upload_id in ((KEY, completed), ("a/other", aborted)):
        with pytest.raises(NotFoundError):
            await put(store, upload_id, 1, b"one", key)
        with pytest.raises(NotFoundError):
            await store.complete_multipart(key, upload_id, parts)
    assert await store.get(KEY) == b"one"
    assert await store.head("a/other") is None


async def test_an_upload_that_ends_while_a_part_arrives_refuses_it(store: ObjectStore) -> None:
    upload_id = await store.create_multipart(KEY)

    async def body() -> AsyncIterator[bytes]:
        yield b"first half"
        await store.abort_multipart(KEY, upload_id)
        yield b"second half"

    with pytest.raises(NotFoundError):
        await store.put_part(KEY, upload_id, 1, body(), size_bytes=None, limit_bytes=None)
    assert await store.list_multipart() == []


async def test_other_bytes_are_never_written_over_an_object(store: ObjectStore) -> None:
    await store.put(KEY, b"one")
    upload_id, parts = await begun(store, [b"two"])
    with pytest.raises(InvalidArgumentError):
        await store.complete_multipart(KEY, upload_id, parts)
    assert await store.get(KEY) == b"one"


async def test_uploads_are_listed_page_by_page(store: ObjectStore) -> None:
    keys = {f"a/{number}" for number in range(5)}
    ids = {key: await store.create_multipart(key) for key in keys}
    first = await store.list_multipart(limit=3)
    second = await store.list_multipart(after=first[-1], limit=3)
    assert {(one.key, one.upload_id) for one in (*first, *second)} == set(ids.items())
    assert len(second) == 2
    assert all(one.started_at > 1_600_000_000_000_000 for one in first)
    await store.abort_multipart(first[0].key, first[0].upload_id)
    assert len(await store.list_multipart()) == 4


async def test_a_malformed_key_is_refused(store: ObjectStore) -> None:
    for key in ("", "/a", "a/../b"):
        with pytest.raises(InvalidArgumentError):
            await store.create_multipart(key)


async def test_completing_beside_an_abort_gives_all_or_nothing(store: ObjectStore) -> None:
    outcomes = set()
    for number in range(20):
        key = f"a/{number}"
        upload_id, parts = await begun(store, [b"x" * 100_000] * 10, key)

        async def abort(key: str = key, upload_id: str = upload_id, turns: int = number) -> None:
            for _ in range(turns * 3):
                await asyncio.sleep(0)
            await store.abort_multipart(key, upload_id)

        completion = asyncio.ensure_future(store.complete_multipart(key, upload_id, parts))
        await asyncio.gather(completion, abort(), return_exceptions=True)
        found = await store.head(key)
        error = completion.exception()
        assert isinstance(error, NotFoundError) if error else found == completion.result()
        assert found is None or found.size_bytes == 1_000_000
        outcomes.add(error is None)
    assert await store.list_multipart() == []


async def test_completing_twice_at_once_makes_one_object(store: ObjectStore) -> None:
    upload_id, parts = await begun(store, BODIES)
    outcomes = await asyncio.gather(
        *(store.complete_multipart(KEY, upload_id, parts) for _ in range(3)), return_exceptions=True
    )
    made = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert made
    found = await store.head(KEY)
    assert all(outcome == found for outcome in made)
    assert all(isinstance(outcome, NotFoundError) for outcome in outcomes if isinstance(outcome, BaseException))


async def test_parts_outlive_the_store(tmp_path: Path) -> None:
    first = DirectoryObjectStore(tmp_path)
    upload_id, parts = await begun(first, BODIES)
    await first.close()
    second = DirectoryObjectStore(tmp_path)
    assert [(part.part_number, part.etag) for part in await second.list_parts(KEY, upload_id)] == parts
    await second.complete_multipart(KEY, upload_id, parts)
    assert await second.get(KEY) == b"".join(BODIES)
    await second.close()
    assert files(tmp_path) == [f"objects/{KEY}"]


async def test_a_cancelled_completion_leaves_the_parts(directory: DirectoryObjectStore, tmp_path: Path) -> None:
    upload_id, parts = await begun(directory, [os.urandom(4_000_000)] * 8)
    for turns in range(0, 40, 4):
        completion = asyncio.ensure_future(directory.complete_multipart(KEY, upload_id, parts))
        for _ in range(turns):
            await asyncio.sleep(0)
        completion.cancel()
        with pytest.raises(asyncio.CancelledError):
            await completion
        assert [name for name in files(tmp_path) if name.startswith(("tmp", "objects"))] == []
    await directory.complete_multipart(KEY, upload_id, parts)
    assert files(tmp_path) == [f"objects/{KEY}"]


async def test_a_full_disk_leaves_the_parts(directory: DirectoryObjectStore, tmp_path: Path) -> None:
    upload_id, parts = await begun(directory, [b"x" * 90_000] * 2)
    with full_disk(100_000):
        with pytest.raises(StorageFullError):
            await directory.complete_multipart(KEY, upload_id, parts)
        with pytest.raises(StorageFullError):
            await put(directory, upload_id, 3, BODIES[0])
    assert len(files(tmp_path)) == 3
    await directory.complete_multipart(KEY, upload_id, parts)
    assert await directory.get(KEY) == b"x" * 180_000


async def test_parts_are_copied_by_hand_where_the_system_cannot(
    directory: DirectoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    upload_id, parts = await begun(directory, BODIES)
    stored = await directory.complete_multipart(KEY, upload_id, parts)
    assert stored.sha256 == hashlib.sha256(b"".join(BODIES)).digest()
    assert await directory.get(KEY) == b"".join(BODIES)


async def test_what_a_crash_left_of_uploads_is_removed_at_the_next_start(tmp_path: Path) -> None:
    store = DirectoryObjectStore(tmp_path)
    upload_id, _ = await begun(store, [b"one"])
    await store.close()
    uploads = tmp_path / "multipart"
    for name, age in (("1.over", 0), ("2.new", 7_200), ("3.new", 0)):
        (uploads / name).mkdir()
        (uploads / name / "00001").write_bytes(b"x")
        at = (uploads / name).stat().st_mtime - age
        os.utime(uploads / name, (at, at))
    again = DirectoryObjectStore(tmp_path)
    assert sorted(path.name for path in uploads.iterdir()) == sorted([upload_id, "3.new"])
    assert [one.upload_id for one in await again.list_multipart()] == [upload_id]
    await again.close()


@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_checksums_of_two_pieces_are_that_of_both(first: bytes, second: bytes) -> None:
    assert combine_crc32(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_an_etag_that_is_no_digest_is_refused() -> None:
    with pytest.raises(ValueError, match="hex"):
        multipart_etag(["no digest"])
