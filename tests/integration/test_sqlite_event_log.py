"""What only the SQLite log promises: its chain, a full disk, the library's interface, several processes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from eventsourcing.persistence import NotSupportedError, StoredEvent

from adapters.event_log import schema
from adapters.event_log.chain import ChainBrokenError
from adapters.event_log.recorder import SchemaMismatchError
from adapters.event_log.sqlite import SqliteEventLog
from application.ports.event_log import Appended, PayloadErased
from domain.errors import StorageFullError, UnavailableError
from domain.events import UnknownEventError
from domain.ids import Position, StreamId
from tests.support.event_log import key, new_event, request


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    log = SqliteEventLog(tmp_path / "log.db", "test")
    yield log
    await log.close()


def tamper(log: SqliteEventLog, statement: str, *values: object) -> None:
    log.recorder.datastore.connection.execute(statement, values)


async def test_commits_are_synchronous_and_readers_do_not_wait_for_writers(log: SqliteEventLog) -> None:
    connection = log.recorder.datastore.connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await log.append([request(new_event(key(), 1))])
    connection.execute("BEGIN IMMEDIATE")
    assert await log.position() == 1
    assert len(await log.read(Position(0), 1000)) == 1
    connection.execute("ROLLBACK")


async def filled(log: SqliteEventLog) -> StreamId:
    stream = key()
    events = [
        new_event(stream, version, comment="c", workspace="w", artifact_id=uuid4(), on_behalf_of="b", causation_id="x")
        for version in range(1, 4)
    ]
    await log.append([request(*events[:2]), request(events[2])])
    return stream.id


async def test_the_chain_verifies_and_survives_the_erasure_of_a_payload(log: SqliteEventLog) -> None:
    stream = await filled(log)
    assert await log.verify_chain(stream) == 3
    tamper(log, "UPDATE events SET payload = NULL WHERE originator_version = 2")
    assert await log.verify_chain(stream) == 3
    assert [type(event.payload) is PayloadErased for event in await log.read_stream(stream)] == [False, True, False]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("originator_version", 7),
        ("event_id", bytes(16)),
        ("topic", "test.added:0"),
        ("topic", "test.removed:1"),
        ("workspace", "v"),
        ("workspace", None),
        ("artifact_id", bytes(range(16))),
        ("actor", "mallory"),
        ("on_behalf_of", "mallory"),
        ("on_behalf_of", None),
        ("correlation_id", "y"),
        ("causation_id", "y"),
        ("recorded_at", 0),
        ("comment", ""),
        ("payload", b'{"amount":2}'),
        ("payload_sha256", bytes(32)),
        ("chain_sha256", bytes(32)),
    ],
)
@pytest.mark.parametrize("version", [1, 3])
async def test_any_change_breaks_the_chain(log: SqliteEventLog, column: str, value: object, version: int) -> None:
    stream = await filled(log)
    tamper(log, f"UPDATE events SET {column} = ? WHERE originator_version = ?", value, version)  # noqa: S608 - Names from the table above.
    with pytest.raises(ChainBrokenError):
        await log.verify_chain(stream)


async def test_a_missing_event_breaks_the_chain(log: SqliteEventLog) -> None:
    stream = await filled(log)
    tamper(log, "DELETE FROM events WHERE originator_version = 2")
    with pytest.raises(ChainBrokenError, match="Event 2"):
        await log.verify_chain(stream)


@pytest.mark.parametrize("spare_pages", [0, 1, 3, 8, 20])
async def test_a_full_disk_changes_nothing_and_can_be_left(log: SqliteEventLog, spare_pages: int) -> None:
    stream, connection = key(), log.recorder.datastore.connection
    await log.append([request(new_event(stream, 1))])
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + spare_pages}")
    big = [request(*(new_event(key(), 1, note="x" * 3_000) for _ in range(3))) for _ in range(100)]
    with pytest.raises(StorageFullError):
        await log.append([request(new_event(stream, 2)), *big])
    assert await log.position() == 1
    assert (await log.heads([stream.id]))[stream.id].version == 1
    heads = connection.execute("SELECT count(*) FROM heads").fetchone()
    assert heads == (1,)
    connection.execute("PRAGMA max_page_count = 1000000")
    results = await log.append([request(new_event(stream, 2)), *big])
    assert all(isinstance(result, Appended) for result in results)
    assert [event.envelope.position for event in await log.read(Position(0), 1000)] == list(range(1, 303))
    assert await log.verify_chain(stream.id) == 2


async def test_a_failing_insert_leaves_nothing_of_its_append(log: SqliteEventLog) -> None:
    first, clashing = new_event(key(), 1), new_event(key(), 1)
    await log.append([request(first)])
    same_id = msgspec.structs.replace(clashing.meta, event_id=first.meta.event_id)
    clash = request(new_event(key(), 1), msgspec.structs.replace(clashing, meta=same_id))
    others = [request(new_event(key(), 1)) for _ in range(70)]
    with pytest.raises(sqlite3.IntegrityError):
        await log.append([*others, clash])
    assert await log.position() == 1
    assert log.recorder.datastore.connection.execute("SELECT count(*) FROM heads").fetchone() == (1,)
    assert isinstance((await log.append(others))[-1], Appended)
    assert await log.position() == 71


async def test_a_log_that_stays_locked_is_unavailable(log: SqliteEventLog, tmp_path: Path) -> None:
    log.recorder.datastore.connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError):
        await log.append([request(new_event(key(), 1))])
    other.execute("ROLLBACK")
    other.close()
    await log.append([request(new_event(key(), 1))])
    assert await log.position() == 1


async def test_an_append_whose_caller_went_away_is_stored_and_announced(log: SqliteEventLog) -> None:
    waiting = asyncio.create_task(log.wait_for_change(Position(0), 30))
    appending = asyncio.create_task(log.append([request(new_event(key(), 1))]))
    await asyncio.sleep(0)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    assert await waiting == 1


async def test_events_of_another_process_are_noticed_while_waiting(log: SqliteEventLog, tmp_path: Path) -> None:
    other = SqliteEventLog(tmp_path / "log.db", "test")
    waiting = asyncio.create_task(log.wait_for_change(Position(0), 30))
    await asyncio.sleep(0)
    await other.append([request(new_event(key(), 1))])
    assert await waiting == 1
    await other.close()


async def test_each_file_holds_one_log_and_each_log_has_an_epoch(log: SqliteEventLog, tmp_path: Path) -> None:
    accesses = SqliteEventLog(tmp_path / "accesses.db", "accesses")
    assert accesses.epoch() != log.epoch()
    await accesses.close()
    with pytest.raises(SchemaMismatchError, match="'accesses'"):
        SqliteEventLog(tmp_path / "accesses.db", "test")


async def test_a_log_of_a_newer_program_is_refused(log: SqliteEventLog, tmp_path: Path) -> None:
    tamper(log, "UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    with pytest.raises(SchemaMismatchError, match="newer"):
        SqliteEventLog(tmp_path / "log.db", "test")


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        SqliteEventLog(tmp_path / "log.db", "test")


async def test_an_event_of_a_newer_program_is_not_misread(log: SqliteEventLog) -> None:
    stream = await filled(log)
    tamper(log, "UPDATE events SET topic = 'test.added:2'")
    with pytest.raises(UnknownEventError, match=r"test\.added:2"):
        await log.read_stream(stream)


@pytest.mark.parametrize(
    "statement", [schema.SELECT_STREAM, schema.SELECT_LOG, schema.SELECT_HISTORY, schema.SELECT_BY_ID]
)
async def test_no_read_sorts_or_scans(log: SqliteEventLog, statement: str) -> None:
    places = (None,) * statement.count("?")
    plan = log.recorder.datastore.rows(f"EXPLAIN QUERY PLAN {statement}", places)
    assert {row[3].split()[0] for row in plan} == {"SEARCH"}


async def test_the_library_can_read_the_log(log: SqliteEventLog) -> None:
    stream = await filled(log)
    await log.append([request(new_event(key(), 1))])
    recorder = log.recorder
    assert recorder.max_notification_id() == 4
    notifications = recorder.select_notifications(2, 10)
    assert [(item.id, item.originator_id == stream) for item in notifications] == [(2, True), (3, True), (4, False)]
    after = recorder.select_notifications(2, 10, inclusive_of_start=False, stop=3, topics=["test.added:1"])
    assert [(item.id, item.originator_version, item.state) for item in after] == [(3, 3, b'{"amount":1}')]
    assert recorder.select_notifications(None, 10, topics=["test.removed:1"]) == []
    assert [event.originator_version for event in recorder.select_events(stream, gt=1)] == [2, 3]
    assert [event.originator_version for event in recorder.select_events(stream, lte=2, desc=True, limit=1)] == [2]


async def test_the_library_cannot_write_past_the_heads(log: SqliteEventLog) -> None:
    with pytest.raises(NotSupportedError):
        log.recorder.insert_events([StoredEvent(uuid4(), 1, "test.added:1", b"{}")])
    assert await log.position() == 0
