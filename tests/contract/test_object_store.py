import asyncio
import hashlib
import multiprocessing
import os
import resource
import signal
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.object_store.directory import READ_CHUNK_BYTES, DirectoryObjectStore
from adapters.object_store.disk import DamagedObjectError
from adapters.object_store.intake import WRITE_BYTES
from application.ports.object_store import ObjectStore
from domain.errors import InvalidArgumentError, NotFoundError, StorageFullError, TooLargeError
from tests.support.object_store import MemoryObjectStore
from tests.support.stores import leased

LARGE = os.urandom(3 * WRITE_BYTES + 12_345)


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


async def pieces(data: bytes, size: int = 70_000, error: BaseException | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]
    if error is not None:
        raise error


async def read(store: ObjectStore, key: str, **part: Any) -> bytes:
    return b"".join([chunk async for chunk in store.stream(key, **part)])


async def until_there_is_a_file(root: Path) -> None:
    async with asyncio.timeout(30):
        while not files(root):  # noqa: ASYNC110 - The file is made by a thread or process that tells nobody.
            await asyncio.sleep(0.001)


def open_files() -> int:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("needs /proc to count open files")
    return len(list(descriptors.iterdir()))


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "one byte", "large"])
async def test_what_is_put_is_read_back(store: ObjectStore, data: bytes) -> None:
    put = await store.put("a/one", data)
    streamed = await store.put_stream("a/two", pieces(data), size_bytes=len(data), limit_bytes=len(data))
    for key, stored in (("a/one", put), ("a/two", streamed)):
        assert await store.get(key) == data
        assert await read(store, key) == data
        assert await store.head(key) == stored
        assert stored.key == key
        assert stored.size_bytes == len(data)
        assert stored.crc32 == zlib.crc32(data)
        assert stored.sha256 == hashlib.sha256(data).digest()
        assert stored.etag == hashlib.sha256(data).hexdigest()[:32]
        assert stored.modified_at > 1_600_000_000_000_000


async def test_a_body_of_unknown_size_is_stored(store: ObjectStore) -> None:
    stored = await store.put_stream("k", pieces(LARGE, size=999_983), size_bytes=None, limit_bytes=None)
    assert stored.size_bytes == len(LARGE)
    assert await read(store, "k") == LARGE


async def test_a_body_of_many_small_chunks_is_stored(store: ObjectStore) -> None:
    body = LARGE[:60_000]
    await store.put_stream("k", pieces(body, size=7), size_bytes=len(body), limit_bytes=None)
    assert await read(store, "k") == body


@pytest.mark.parametrize(
    ("start", "length"),
    [
        (0, None),
        (0, 0),
        (0, 1),
        (5, 10),
        (len(LARGE) - 1, None),
        (len(LARGE) - 1, 100),
        (len(LARGE), None),
        (len(LARGE) + 100, 5),
        (READ_CHUNK_BYTES - 1, READ_CHUNK_BYTES + 2),
        (0, READ_CHUNK_BYTES),
        (0, 2 * READ_CHUNK_BYTES),
    ],
)
async def test_a_part_is_read(store: ObjectStore, start: int, length: int | None) -> None:
    await store.put("k", LARGE)
    expected = LARGE[start:] if length is None else LARGE[start : start + length]
    assert await store.get("k", start=start, length=length) == expected
    assert await read(store, "k", start=start, length=length) == expected


async def test_chunks_are_bounded(store: ObjectStore) -> None:
    await store.put("k", LARGE)
    assert max([len(chunk) async for chunk in store.stream("k")]) <= READ_CHUNK_BYTES


async def test_the_same_bytes_may_be_put_again(store: ObjectStore) -> None:
    first = await store.put("a/k", LARGE)
    assert await store.put("a/k", LARGE) == first
    assert await store.put_stream("a/k", pieces(LARGE), size_bytes=None, limit_bytes=None) == first


async def test_other_bytes_are_never_written_over_an_object(store: ObjectStore) -> None:
    await store.put("secret/k", b"first")
    for other in (b"other", b"first and more", b""):
        with pytest.raises(InvalidArgumentError) as refusal:
            await store.put("secret/k", other)
        assert "secret" not in refusal.value.detail
        with pytest.raises(InvalidArgumentError):
            await store.put_stream("secret/k", pieces(other), size_bytes=None, limit_bytes=None)
    assert await store.get("secret/k") == b"first"


async def test_of_two_writers_of_one_key_one_wins(store: ObjectStore) -> None:
    bodies = [bytes([number]) * 1000 for number in range(8)]
    outcomes = await asyncio.gather(*(store.put("k", body) for body in bodies), return_exceptions=True)
    winners = [body for body, outcome in zip(bodies, outcomes, strict=True) if not isinstance(outcome, BaseException)]
    assert len(winners) == 1
    assert await store.get("k") == winners[0]
    assert all(isinstance(outcome, InvalidArgumentError) for outcome in outcomes if isinstance(outcome, BaseException))


@pytest.mark.parametrize("key", ["absent", "a", "a/k/below", "a/absent"])
async def test_a_missing_object_is_not_found_and_not_named(store: ObjectStore, key: str) -> None:
    await store.put("a/k", b"data")
    assert await store.head(key) is None
    stream = aiter(store.stream(key))
    for attempt in (store.get(key), anext(stream)):
        with pytest.raises(NotFoundError) as refusal:
            await attempt
        assert refusal.value.detail == "There is no such object."


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\x00b"])
async def test_a_malformed_key_is_refused(store: ObjectStore, key: str) -> None:
    attempts = [
        store.put(key, b""),
        store.put_stream(key, pieces(b""), size_bytes=None, limit_bytes=None),
        store.get(key),
        store.head(key),
        store.delete([key]),
        read(store, key),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidArgumentError, match="malformed"):
            await attempt


async def test_a_body_of_another_size_leaves_nothing(store: ObjectStore) -> None:
    for declared in (0, len(LARGE) - 1, len(LARGE) + 1):
        with pytest.raises(InvalidArgumentError, match=f"declared {declared}"):
            await store.put_stream("k", pieces(LARGE), size_bytes=declared, limit_bytes=None)
    assert await store.head("k") is None


async def test_a_body_above_the_limit_leaves_nothing(store: ObjectStore) -> None:
    for declared in (None, len(LARGE)):
        with pytest.raises(TooLargeError, match=str(len(LARGE) - 1)):
            await store.put_stream("k", pieces(LARGE), size_bytes=declared, limit_bytes=len(LARGE) - 1)
    assert await store.head("k") is None


async def test_a_declared_size_above_the_limit_is_refused_before_the_body(store: ObjectStore) -> None:
    body = pieces(b"", error=AssertionError("The body was read."))
    with pytest.raises(TooLargeError):
        await store.put_stream("k", body, size_bytes=11, limit_bytes=10)


async def test_a_body_that_is_cut_off_leaves_nothing(store: ObjectStore) -> None:
    for data in (b"", b"short", LARGE):
        with pytest.raises(ConnectionResetError):
            await store.put_stream("k", pieces(data, error=ConnectionResetError()), size_bytes=None, limit_bytes=None)
    assert await store.head("k") is None
    assert await store.put("k", b"later") == await store.head("k")


async def test_objects_are_listed_in_key_order(store: ObjectStore) -> None:
    keys = ["a", "b-c", "b/1", "b/10", "b/2/x", "b/2-x", "b0", "c/d/e", "c/d-e"]
    for key in keys:
        await store.put(key, key.encode())

    async def listed(prefix: str, **bounds: Any) -> list[str]:
        return [found.key for found in await store.list(prefix, **bounds)]

    assert await listed("") == sorted(keys)
    assert await listed("b") == ["b-c", "b/1", "b/10", "b/2-x", "b/2/x", "b0"]
    assert await listed("b/") == ["b/1", "b/10", "b/2-x", "b/2/x"]
    assert await listed("b/1") == ["b/1", "b/10"]
    assert await listed("nothing/here") == []
    assert await listed("a/") == []
    for after in [*keys, "b/2", "b/2/", "b/2/y", "zz"]:
        assert await listed("", after=after) == [key for key in sorted(keys) if key > after]
    assert await listed("", after="b/1", limit=3) == ["b/10", "b/2-x", "b/2/x"]
    assert list(await store.list("b/10")) == [await store.head("b/10")]


async def test_deleted_objects_are_gone(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "b/c/3"):
        await store.put(key, b"data")
    await store.delete(["a/1", "a/1", "absent", "a/absent", "b/c/3", "b"])
    assert [found.key for found in await store.list("")] == ["a/2"]
    with pytest.raises(NotFoundError):
        await store.get("a/1")
    await store.put("b/c/3", b"other data")
    assert await store.get("b/c/3") == b"other data"


async def test_a_reader_may_leave_early(store: ObjectStore) -> None:
    await store.put("k", LARGE)
    for _ in range(50):
        async with aclosing(store.stream("k")) as chunks:
            async for chunk in chunks:
                assert LARGE.startswith(chunk)
                break
    assert await read(store, "k") == LARGE


async def test_a_reader_keeps_what_it_began_to_read(store: ObjectStore) -> None:
    await store.put("k", LARGE)
    stream = aiter(store.stream("k"))
    first = await anext(stream)
    await store.delete(["k"])
    assert first + b"".join([chunk async for chunk in stream]) == LARGE


async def test_many_bodies_at_once(store: ObjectStore) -> None:
    bodies = {f"d{number % 5}/k{number}": os.urandom(200_000 + number) for number in range(60)}
    await asyncio.gather(
        *(store.put_stream(key, pieces(body), size_bytes=len(body), limit_bytes=None) for key, body in bodies.items())
    )
    for key, body in bodies.items():
        assert await read(store, key) == body


async def test_a_cancelled_upload_leaves_no_file(directory: DirectoryObjectStore, tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield LARGE
            await asyncio.sleep(0)

    for _ in range(10):
        upload = asyncio.create_task(directory.put_stream("k", endless(), size_bytes=None, limit_bytes=None))
        await until_there_is_a_file(tmp_path)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert files(tmp_path) == []


async def test_a_refused_upload_leaves_no_file(directory: DirectoryObjectStore, tmp_path: Path) -> None:
    await directory.put("k", b"first")
    for body in (pieces(LARGE), pieces(LARGE, error=ConnectionResetError())):
        with pytest.raises((InvalidArgumentError, ConnectionResetError)):
            await directory.put_stream("k", body, size_bytes=None, limit_bytes=None)
    with pytest.raises(TooLargeError):
        await directory.put_stream("x", pieces(LARGE), size_bytes=None, limit_bytes=2 * WRITE_BYTES)
    assert files(tmp_path) == ["objects/k"]


@contextmanager
def full_disk(limit_bytes: int) -> Iterator[None]:
    """Let the system refuse to make any file larger, which fails like a full disk in the middle of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


async def test_a_full_disk_is_reported_and_leaves_nothing(directory: DirectoryObjectStore, tmp_path: Path) -> None:
    with full_disk(100_000):
        with pytest.raises(StorageFullError):
            await directory.put("k", LARGE)
        with pytest.raises(StorageFullError):
            await directory.put_stream("k", pieces(LARGE), size_bytes=len(LARGE), limit_bytes=None)
        with pytest.raises(StorageFullError):
            await directory.put("k", b"x" * 100_000)
    assert files(tmp_path) == []
    await directory.put("k", LARGE)
    assert await directory.get("k") == LARGE


async def test_objects_outlive_the_store(tmp_path: Path) -> None:
    first = DirectoryObjectStore(tmp_path)
    stored = await first.put("a/b/k", LARGE)
    await first.close()
    second = DirectoryObjectStore(tmp_path)
    assert await second.head("a/b/k") == stored
    assert await second.get("a/b/k") == LARGE
    await second.close()


def _upload_until_killed(root: str, started: Any) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * WRITE_BYTES
            started.set()
            await asyncio.sleep(0.05)

    async def run() -> None:
        await DirectoryObjectStore(Path(root)).put_stream("k", endless(), size_bytes=None, limit_bytes=None)

    asyncio.run(run())


async def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    started = spawn.Event()
    process = spawn.Process(target=_upload_until_killed, args=(str(tmp_path), started), daemon=True)
    process.start()
    assert await asyncio.to_thread(started.wait, 30)
    await until_there_is_a_file(tmp_path)
    # A file that a living process writes stays, whoever starts beside it.
    await DirectoryObjectStore(tmp_path).close()
    assert len(files(tmp_path)) == 1
    process.kill()
    process.join()
    assert len(files(tmp_path)) == 1
    await DirectoryObjectStore(tmp_path).close()
    assert files(tmp_path) == []
    process.close()


async def test_closing_waits_for_what_is_under_way(tmp_path: Path) -> None:
    store = DirectoryObjectStore(tmp_path)
    body = pieces(os.urandom(64 * WRITE_BYTES), size=WRITE_BYTES)
    uploads = [
        asyncio.create_task(store.put_stream("stream", body, size_bytes=None, limit_bytes=None)),
        asyncio.create_task(store.put("whole", LARGE)),
    ]
    await until_there_is_a_file(tmp_path)
    async with asyncio.timeout(30):
        await store.close()
        late, whole = await asyncio.gather(*uploads, return_exceptions=True)
    assert isinstance(late, RuntimeError)
    assert not isinstance(whole, BaseException)
    again = DirectoryObjectStore(tmp_path)
    assert await again.get("whole") == LARGE
    await again.close()
    assert files(tmp_path) == ["objects/whole"]


async def test_a_cut_file_is_noticed(directory: DirectoryObjectStore, tmp_path: Path) -> None:
    await directory.put("k", LARGE)
    for size in (len(LARGE) + 47, len(LARGE), 48, 47, 0):
        os.truncate(tmp_path / "objects" / "k", size)
        with pytest.raises(DamagedObjectError):
            await directory.get("k")
        with pytest.raises(DamagedObjectError):
            await directory.head("k")


async def test_empty_directories_go_and_come_back(directory: DirectoryObjectStore, tmp_path: Path) -> None:
    async def put_and_delete(number: int) -> None:
        key = f"a/b/{number}"
        await directory.put(key, b"data")
        assert await directory.get(key) == b"data"
        await directory.delete([key])

    for _ in range(20):
        await asyncio.gather(*(put_and_delete(number) for number in range(10)))
    assert list((tmp_path / "objects").iterdir()) == []


async def test_descriptors_are_given_back(directory: DirectoryObjectStore) -> None:
    await directory.put("k", LARGE)
    before = open_files()
    for _ in range(20):
        async with aclosing(directory.stream("k")) as chunks:
            await anext(chunks)
        await directory.get("k", length=1)
        await directory.head("k")
        with pytest.raises(ConnectionResetError):
            await directory.put_stream(
                "x", pieces(LARGE, error=ConnectionResetError()), size_bytes=None, limit_bytes=None
            )
    # Files are closed behind a chunk that nobody waits for.
    await directory.get("k", length=1)
    await directory.close()
    assert open_files() <= before


async def test_reads_at_the_same_time_each_get_their_own(store: ObjectStore) -> None:
    for number in range(0, 100, 2):
        await store.put(f"k/{number}", b"%d" % number)
    reads = [asyncio.ensure_future(store.get(f"k/{number}")) for number in range(100)]
    await asyncio.sleep(0)
    for number in (10, 11, 70):
        reads[number].cancel()
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    for number, outcome in enumerate(outcomes):
        if number in {10, 11, 70}:
            # It may have been done before it was cancelled.
            assert isinstance(outcome, asyncio.CancelledError | NotFoundError) or outcome == b"%d" % number
        elif number % 2:
            assert isinstance(outcome, NotFoundError)
        else:
            assert outcome == b"%d" % number


async def test_a_closed_directory_refuses_reads(tmp_path: Path) -> None:
    store = DirectoryObjectStore(tmp_path)
    await store.put("k", b"1")
    await store.close()
    with pytest.raises(RuntimeError):
        await store.get("k")
