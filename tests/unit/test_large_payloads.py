"""Payloads that are too large for a row of the log."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from adapters.event_log.sqlite import SqliteEventLog
from application.large_payloads import LARGE_PAYLOAD_BYTES, LargePayloadEventLog
from application.ports.event_log import Appended, Conflicted, NotStored, PayloadMismatchError, PayloadReference
from application.ports.object_store import StoredObject
from domain.errors import StorageFullError, UnavailableError
from domain.ids import Position
from tests.support.event_log import Added, key, new_event, request
from tests.support.object_store import MemoryObjectStore

MANIFEST = "m" * 1024 * 1024


class FailingStore(MemoryObjectStore):
    def __init__(self) -> None:
        super().__init__()
        self.fault: Exception | None = None

    async def put(self, key: str, data: bytes) -> StoredObject:
        if self.fault is not None:
            raise self.fault
        return await super().put(key, data)


@pytest.fixture
async def inner(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    log = SqliteEventLog(tmp_path / "log.db", "test")
    yield log
    await log.close()


async def test_a_large_payload_lies_in_the_store_and_is_read_whole(inner: SqliteEventLog) -> None:
    objects = MemoryObjectStore()
    log, stream, artifact = LargePayloadEventLog(inner, objects), key(), uuid4()
    large = new_event(stream, 2, note=MANIFEST, artifact_id=artifact)
    (result,) = await log.append([request(new_event(stream, 1), large, new_event(stream, 3))])
    assert isinstance(result, Appended)
    name = f"{artifact}/events/{large.meta.event_id}/payload"
    assert [stored.key for stored in await objects.list("")] == [name]
    raw = await inner.read_stream(stream.id)
    assert raw[1].payload == PayloadReference(object=name, size_bytes=len(large.data))
    assert raw[1].envelope.type == "test.added"
    whole = Added(amount=1, note=MANIFEST)
    assert [event.payload == whole for event in await log.read_stream(stream.id)] == [False, True, False]
    assert (await log.read(Position(1), 1))[0].payload == whole
    assert (await log.history(artifact_id=artifact, before=None, limit=5))[0].payload == whole
    found = await log.find(large.meta.event_id)
    assert found is not None
    assert found.payload == whole
    assert await inner.verify_chain(stream.id) == 3


async def test_a_payload_at_the_limit_stays_in_the_log(inner: SqliteEventLog) -> None:
    objects = MemoryObjectStore()
    log, stream = LargePayloadEventLog(inner, objects), key()
    overhead = len(new_event(stream, 1, note="x").data) - 1
    at_limit = new_event(stream, 1, note="x" * (LARGE_PAYLOAD_BYTES - overhead))
    above = new_event(stream, 2, note="x" * (LARGE_PAYLOAD_BYTES - overhead + 1))
    await log.append([request(at_limit)])
    assert objects.writes == 0
    await log.append([request(above)])
    assert objects.writes == 1


async def test_an_object_that_was_changed_is_not_believed(inner: SqliteEventLog) -> None:
    objects, stream = MemoryObjectStore(), key()
    log = LargePayloadEventLog(inner, objects)
    await log.append([request(new_event(stream, 1, note=MANIFEST))])
    (stored,) = await objects.list("")
    await objects.delete([stored.key])
    await objects.put(stored.key, b'{"amount":2}')
    with pytest.raises(PayloadMismatchError):
        await log.read_stream(stream.id)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (StorageFullError("full"), StorageFullError),
        (TimeoutError(), UnavailableError),
        (OSError("broken"), UnavailableError),
    ],
)
async def test_a_store_that_fails_fails_only_those_who_need_it(
    inner: SqliteEventLog, fault: Exception, told: type[Exception]
) -> None:
    objects = FailingStore()
    objects.fault = fault
    log, stream, other = LargePayloadEventLog(inner, objects), key(), key()
    results = await log.append(
        [
            request(new_event(other, 1)),
            request(new_event(stream, 1, note=MANIFEST)),
            request(new_event(stream, 2)),
            request(new_event(other, 2)),
        ]
    )
    assert isinstance(results[1], NotStored)
    assert isinstance(results[1].error, told)
    assert results[2] == Conflicted((stream.id,))
    assert [isinstance(result, Appended) for result in results] == [True, False, False, True]
    assert await log.position() == 2


async def test_the_object_is_durable_before_the_append_begins(inner: SqliteEventLog) -> None:
    class SlowStore(MemoryObjectStore):
        async def put(self, key: str, data: bytes) -> StoredObject:
            await gate.wait()
            return await super().put(key, data)

    gate = asyncio.Event()
    log = LargePayloadEventLog(inner, SlowStore())
    appending = asyncio.create_task(log.append([request(new_event(key(), 1, note=MANIFEST))]))
    await asyncio.sleep(0.02)
    assert await log.position() == 0
    gate.set()
    await appending
    assert await log.position() == 1


def test_the_form_of_a_stored_reference() -> None:
    encoded = msgspec.json.encode(PayloadReference(object="a/b", size_bytes=3))
    assert encoded == b'{"$object":"a/b","size":3}'
