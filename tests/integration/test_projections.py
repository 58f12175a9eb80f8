"""The catalog follows a log, survives what happens to its files and its events, and is rebuilt beside itself."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.access import StatsReset
from domain.artifact.events import DownloadWeightSet, StageDiscarded
from domain.errors import InvalidArgumentError, UnavailableError
from domain.events import RecordedEvent
from domain.filters import count_unindexed, parse_filters, parse_order
from domain.ids import Position
from projections.catalog.handler import CatalogHandler, catalog_model
from projections.catalog.query import SqliteCatalog
from projections.position import Progress
from projections.registry import BusyError, Registry
from projections.runner import ProjectionRunner, RebuildStoppedError, rebuild, status
from tests.support.catalog import EPOCH, Artifacts, PlainCatalog, build, ids, query, sqlite_catalog
from tests.support.memory_event_log import MemoryEventLog
from workers import projector

WAIT = 20.0


class Grown(MemoryEventLog):
    """A log that events are put into as they are."""

    async def add(self, events: list[RecordedEvent]) -> Position:
        async with self._changed:
            self.recorded.extend(events)
            self._changed.notify_all()
        return Position(len(self.recorded))


class Service:
    """A log, its catalog, and the runner between them."""

    def __init__(self, directory: Path, log: MemoryEventLog, epoch: str = EPOCH) -> None:
        self.registry = Registry(directory, "catalog", 1, epoch)
        self.catalog = SqliteCatalog(epoch, Progress())
        self.progress = self.catalog.progress
        self.model = catalog_model(epoch, self.catalog.use)
        self.runner = ProjectionRunner(self.model, log, self.registry, self.progress)

    async def names(self, **asked: Any) -> list[str]:
        page = await self.catalog.search(query(**asked))
        return [row.artifact.manifest["name"] for row in page.rows]


@asynccontextmanager
async def running(directory: Path, log: MemoryEventLog, epoch: str = EPOCH) -> AsyncIterator[Service]:
    service, stop = Service(directory, log, epoch), asyncio.Event()
    task = asyncio.create_task(projector.run([service.runner], stop))
    try:
        yield service
    finally:
        stop.set()
        await asyncio.wait_for(task, WAIT)
        await service.catalog.close()


def gallery(count: int = 30) -> Artifacts:
    artifacts = Artifacts()
    parent = artifacts.create({"name": "Gallery"}, type="collection")
    for number in range(count):
        child = artifacts.create(
            {"name": f"Item {number}", "n": number, "tags": ["a", 1, 1.0, None]},
            parent=parent,
            is_draft=number % 3 == 0,
            config={"permissions": {"*": "r", "bob": "n" if number % 2 else "rw"}},
        )
        if number % 4 == 0:
            artifacts.commit(child, {"name": f"Item {number} again", "n": float(number)})
        if number % 5 == 0:
            artifacts.record(child, DownloadWeightSet(path="a.bin", weight_milli=500))
        if number % 7 == 0:
            artifacts.delete(child)
    return artifacts


def builds(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.db"))


def dump(path: Path) -> dict[str, list[Any]]:
    """Give everything that a file says, its own numbers for paths replaced by what they stand for."""
    connection = sqlite3.connect(path)
    tables = {
        "meta": "SELECT * FROM meta",
        "documents": "SELECT * FROM documents ORDER BY doc",
        "states": "SELECT * FROM states ORDER BY doc",
        "grants": "SELECT * FROM grants ORDER BY doc, subject",
        "texts": "SELECT * FROM texts ORDER BY doc",
        "leaves": "SELECT l.container, p.path, typeof(l.value), l.value, l.doc, l.is_first, l.folded "
        "FROM leaves l JOIN paths p ON p.id = l.path ORDER BY 1, 2, l.value, 5",
        "trigrams": "SELECT term, doc FROM trigrams WHERE doc > 0 ORDER BY term",
        "parked": "SELECT * FROM parked ORDER BY artifact_id",
    }
    try:
        return {name: connection.execute(statement).fetchall() for name, statement in tables.items()}
    finally:
        connection.close()


async def test_a_write_is_seen_by_who_waits_for_its_position(tmp_path: Path) -> None:
    log, artifacts = Grown(), gallery()
    async with running(tmp_path, log) as service:
        position = await log.add(artifacts.events)
        assert await service.catalog.wait_until(position, WAIT)
        expected, _ = PlainCatalog(artifacts).search(query())
        assert await service.names() == [one.manifest["name"] for one in expected]
        for number in range(20):
            artifacts.create({"name": f"Later {number}"})
            position = await log.add(artifacts.events[-1:])
            assert await service.catalog.wait_until(position, WAIT)
            assert (await service.names(order=parse_order("-id"), limit=1)) == [f"Later {number}"]


async def test_waiting_for_what_never_comes_ends(tmp_path: Path) -> None:
    async with running(tmp_path, Grown()) as service:
        assert not await service.catalog.wait_until(Position(1), 0.01)


async def test_it_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    log, artifacts = Grown(), gallery()
    await log.add(artifacts.events[:40])
    async with running(tmp_path, log) as service:
        assert await service.catalog.wait_until(Position(40), WAIT)
        first = service.registry.live()
    await log.add(artifacts.events[40:])
    async with running(tmp_path, log) as service:
        assert await service.catalog.wait_until(Position(len(artifacts.events)), WAIT)
        assert service.registry.live() == first
        expected, _ = PlainCatalog(artifacts).search(query())
        assert await service.names() == [one.manifest["name"] for one in expected]


def test_batches_may_run_twice_and_be_of_any_size(tmp_path: Path) -> None:
    events = gallery().events
    dumps = []
    for batch in (1, 7, 1_000):
        path = tmp_path / f"{batch}.db"
        file = build(path, events, batch)
        file.apply(events)
        file.apply(events[:5])
        file.apply(events[-1:])
        assert file.position == len(events)
        file.close()
        dumps.append(dump(path))
    assert dumps[0] == dumps[1] == dumps[2]
    assert len(dumps[0]["documents"]) == 31
    assert dumps[0]["leaves"]
    assert dumps[0]["trigrams"]


async def test_a_rebuild_gives_the_same_documents_beside_the_live_ones(tmp_path: Path) -> None:
    log, artifacts = Grown(), gallery()
    async with running(tmp_path, log) as service:
        # One event a transaction, as they come live.
        for event in artifacts.events:
            assert await service.catalog.wait_until(await log.add([event]), WAIT)
        old = service.registry.live()
        assert old is not None
        before = dump(old)
        new = await rebuild(service.model, log, service.registry)
        assert new != old
        assert dump(new) == before
        # Queries go on, and new events reach the new file.
        artifacts.create({"name": "After the rebuild"})
        assert await service.catalog.wait_until(await log.add(artifacts.events[-1:]), WAIT)
        assert (await service.names(order=parse_order("-id"), limit=1)) == ["After the rebuild"]
        await until(lambda: not old.exists())
        assert (await service.names(order=parse_order("-id"), limit=1)) == ["After the rebuild"]
    assert builds(tmp_path) == [new]


async def test_readers_stay_where_they_are_until_the_new_file_has_caught_up(tmp_path: Path) -> None:
    class Held(Grown):
        """Lets nobody read from the tenth event on while it is held."""

        def __init__(self) -> None:
            super().__init__()
            self.is_free = asyncio.Event()
            self.is_reached = asyncio.Event()

        async def read(self, after: Position, limit: int) -> Any:
            if after == 10:
                self.is_reached.set()
                await asyncio.wait_for(self.is_free.wait(), WAIT)
            return await super().read(after, limit)

    log, artifacts = Held(), gallery()
    expected = [one.manifest["name"] for one in PlainCatalog(artifacts).search(query())[0]]
    async with running(tmp_path, log) as service:
        assert await service.catalog.wait_until(await log.add(artifacts.events), WAIT)
        old = service.registry.live()
        assert old is not None
        behind = service.registry.new_file()
        build(behind, artifacts.events[:10]).close()
        service.registry.publish(behind)
        await asyncio.wait_for(log.is_reached.wait(), WAIT)
        assert await service.names() == expected
        log.is_free.set()
        await until(lambda: not old.exists())
        assert await service.names() == expected


async def test_a_rebuild_while_nobody_serves_removes_the_old_file(tmp_path: Path) -> None:
    log = Grown()
    await log.add(gallery().events)
    async with running(tmp_path, log) as service:
        assert await service.catalog.wait_until(Position(len(log.recorded)), WAIT)
        old = service.registry.live()
    new = await rebuild(service.model, log, service.registry)
    assert builds(tmp_path) == [new]
    assert new != old
    assert (await status(service.model, log, service.registry)).lag == 0


async def test_one_rebuild_at_a_time(tmp_path: Path) -> None:
    service = Service(tmp_path, Grown())
    with service.registry.building(), pytest.raises(BusyError):
        await rebuild(service.model, Grown(), service.registry)


async def test_a_second_follower_is_refused(tmp_path: Path) -> None:
    log = Grown()
    await log.add(gallery(1).events)
    async with running(tmp_path, log) as first:
        assert await first.catalog.wait_until(Position(1), WAIT)
        with pytest.raises(BusyError):
            await Service(tmp_path, log).runner.run(asyncio.Event())


async def test_a_poisonous_event_parks_its_artifact_alone_and_stops_a_rebuild(tmp_path: Path) -> None:
    log, artifacts = Grown(), Artifacts()
    poisoned = artifacts.create({"name": "Poisoned"})
    healthy = artifacts.create({"name": "Healthy"})
    # An event of another kind of stream, which no artifact can fold.
    artifacts.record(poisoned, StatsReset(artifact_id=poisoned))
    artifacts.commit(poisoned, {"name": "Never seen"})
    artifacts.commit(healthy, {"name": "Healthy again"})
    async with running(tmp_path, log) as service:
        assert await service.catalog.wait_until(await log.add(artifacts.events), WAIT)
        assert await service.names() == ["Poisoned", "Healthy again"]
        found = await status(service.model, log, service.registry)
        assert (found.parked, found.lag, found.position) == (1, 0, 5)
        live = service.registry.live()
        with pytest.raises(RebuildStoppedError, match="position 3"):
            await rebuild(service.model, log, service.registry)
        assert service.registry.live() == live
        assert await service.names() == ["Poisoned", "Healthy again"]
        # It stays parked after a restart, and the failed build left nothing.
    assert len(builds(tmp_path)) == 1
    async with running(tmp_path, log) as service:
        artifacts.record(poisoned, StageDiscarded(stage_id=UUID(int=9)))
        assert await service.catalog.wait_until(await log.add(artifacts.events[-1:]), WAIT)
        assert await service.names() == ["Poisoned", "Healthy again"]


@pytest.mark.parametrize("harm", ["garbage", "cut", "other epoch", "ahead of the log", "entry"])
async def test_a_file_that_must_not_be_used_is_built_anew(tmp_path: Path, harm: str) -> None:
    log, artifacts = Grown(), gallery()
    await log.add(artifacts.events)
    async with running(tmp_path, log) as service:
        assert await service.catalog.wait_until(Position(len(artifacts.events)), WAIT)
        live = service.registry.live()
    assert live is not None
    epoch = EPOCH
    match harm:
        case "garbage":
            live.write_bytes(b"no database" * 1_000)
        case "cut":
            live.write_bytes(live.read_bytes()[:100])
        case "other epoch":
            epoch = "f" * 16
        case "ahead of the log":
            del log.recorded[20:]
            artifacts.events = artifacts.events[:20]
        case "entry":
            (tmp_path / "catalog.live.json").write_text("{")
    async with running(tmp_path, log, epoch) as service:
        assert await service.catalog.wait_until(Position(len(artifacts.events)), WAIT)
        expected, _ = PlainCatalog(artifacts).search(query())
        assert await service.names() == [one.manifest["name"] for one in expected]
        assert service.registry.live() != live
    assert len(builds(tmp_path)) == 1


async def test_the_log_may_fail_for_a_while(tmp_path: Path) -> None:
    class Failing(Grown):
        """Refuses the first reads."""

        failures = 2

        async def read(self, after: Position, limit: int) -> Any:
            if self.failures:
                self.failures -= 1
                raise UnavailableError("The log does not answer.")
            return await super().read(after, limit)

    log = Failing()
    await log.add(gallery().events)
    async with running(tmp_path, log) as service:
        assert await service.catalog.wait_until(Position(len(log.recorded)), WAIT)


async def test_a_search_before_the_catalog_has_started_is_refused(tmp_path: Path) -> None:
    service = Service(tmp_path, Grown())
    with pytest.raises(UnavailableError):
        await service.catalog.search(query())
    await service.catalog.close()


def test_a_search_that_takes_too_long_is_given_up() -> None:
    with sqlite_catalog(gallery(2_000)) as catalog:
        catalog.limit_time(0.0)
        with pytest.raises(UnavailableError):
            catalog.answer(query(parse_filters(None, ["zzz"]).filter, order=parse_order("view_count")))
        catalog.limit_time(60.0)
        assert ids(catalog.answer(query(parse_filters(None, ["zzz"]).filter))) == []


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "ü", "AAAA", "W10", "e30", "A" * 10_000, "WyIwMTIzNDU2Nzg5YWJjZGVmIiwiaWQ8IiwibnVtYmVyIiwibmFuIiwxXQ"],
)
def test_a_garbled_cursor_is_refused(cursor: str) -> None:
    with sqlite_catalog(gallery(3)) as catalog, pytest.raises(InvalidArgumentError):
        catalog.answer(query(after=cursor))


def test_a_cursor_is_good_for_its_order_alone() -> None:
    with sqlite_catalog(gallery()) as catalog:
        cursor = catalog.answer(query(order=parse_order("manifest.n"), limit=1)).next_cursor
        assert cursor is not None
        with pytest.raises(InvalidArgumentError, match="order"):
            catalog.answer(query(after=cursor))
        assert catalog.answer(query(order=parse_order("manifest.n"), limit=1, after=cursor)).rows


def test_no_manifest_is_refused_by_the_index() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = {"ab": [deep]}
    artifacts = Artifacts()
    for manifest in (
        {"deep": deep, "name": "deep"},
        {"many": list(range(5_000)), "keys": {f"k{n}": n for n in range(3_000)}, "name": "many"},
        {"long": "x" * 900_000, "k" * 40_000: 1, "name": "long"},
        {"": {"": ""}, ".": 1, "a.b": {"": None}, "name": "odd \x00 \x1f \U0010ffff"},
        {"numbers": [10**400, -(10**400), 2**64, 1e308, 5e-324, -0.0], "name": "numbers"},
    ):
        artifacts.create(
            manifest, config={"whole": manifest, "permissions": {"\x00": "r", "x" * 5_000: ["read"] * 500}}
        )
    plain = PlainCatalog(artifacts)
    with sqlite_catalog(artifacts) as catalog:
        assert [row.artifact for row in catalog.answer(query()).rows] == plain.search(query())[0]
        for words in (["x" * 1_024], ["odd \x00"], ["many"], ["\U0010ffff"]):
            question = query(parse_filters(None, words).filter)
            assert ids(catalog.answer(question)) == [one.id.int for one in plain.search(question)[0]] != []
    assert [count_unindexed(one) > 0 for one in plain.search(query())[0]] == [True, True, True, False, False]


async def test_a_handler_says_what_its_file_holds(tmp_path: Path) -> None:
    events = gallery().events
    handler = await CatalogHandler.open(tmp_path / "catalog.db", EPOCH)
    await handler.apply(events[:10])
    assert handler.position == 10
    await handler.close()
    handler = await CatalogHandler.open(tmp_path / "catalog.db", EPOCH)
    assert handler.position == 10
    await handler.close()


def test_the_registry_survives_a_half_written_entry(tmp_path: Path) -> None:
    registry = Registry(tmp_path, "catalog", 1, EPOCH)
    assert registry.live() is None
    path = registry.new_file()
    path.touch()
    registry.publish(path)
    assert registry.live() == path
    assert json.loads((tmp_path / "catalog.live.json").read_text())["file"] == path.name
    assert Registry(tmp_path, "catalog", 2, EPOCH).live() is None
    assert Registry(tmp_path, "catalog", 1, "other").live() is None
    entry = json.dumps({"file": "../../etc/passwd", "version": 1, "epoch": EPOCH})
    (tmp_path / "catalog.live.json").write_text(entry)
    assert registry.live() is None


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110 - Files have no events.
            await asyncio.sleep(0.02)
