"""The read model of the open stages: whatever the batches, it says what the log says."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from application.ports.stages import IdleStage
from domain.artifact.events import ArtifactCommitted, ArtifactEdited, StagedContent
from domain.events import Event, RecordedEvent
from domain.ids import StreamId
from domain.stage.events import AnnouncedFile, FilesAnnounced, StageEnded, StageStarted
from projections.registry import StaleFileError
from projections.stages.sqlite import StagesFile, StagesReader
from tests.support.catalog import EPOCH, Artifacts

OPEN, ENDED, TOUCHED = (UUID(int=number << 80) for number in (1, 2, 3))


def on_stage(artifacts: Artifacts, stage_id: UUID, artifact_id: UUID, event: Event) -> int:
    """Record an event in a stage's stream; gives its time."""
    recorded = artifacts.record(artifact_id, event)
    envelope = msgspec.structs.replace(recorded.envelope, stream_id=StreamId(stage_id))
    artifacts.events[-1] = RecordedEvent(envelope, recorded.payload)
    return envelope.recorded_at


def history() -> tuple[Artifacts, list[IdleStage], int]:
    artifacts = Artifacts()
    collection = artifacts.create(config={"draft_ttl": 50})
    one, two, three = (artifacts.create(is_draft=True, parent=collection) for _ in range(3))
    times = {}
    for stage_id, artifact_id in ((TOUCHED, one), (ENDED, two), (OPEN, three)):
        started = StageStarted(artifact_id=artifact_id, index=0, prefix="p")
        times[stage_id] = on_stage(artifacts, stage_id, artifact_id, started)
    announced = FilesAnnounced(files=(AnnouncedFile(path="f", upload_id=UUID(int=1)),))
    times[TOUCHED] = on_stage(artifacts, TOUCHED, one, announced)
    on_stage(artifacts, ENDED, two, StageEnded(outcome="committed"))
    # Other artifacts and later activity on what has no stage are not activity here.
    artifacts.commit(two)
    for content in (StagedContent(config={"draft_ttl": 9}), StagedContent(manifest={})):
        artifacts.record(two, ArtifactEdited(content=content, version_index=0))
    brief = artifacts.create(config={"draft_ttl": 2})
    artifacts.delete(brief)
    artifacts.create(config={"draft_ttl": 0})
    never = artifacts.create(config={"draft_ttl": 1})
    empty = StagedContent(config={})
    artifacts.record(
        never,
        ArtifactCommitted(stage_id=UUID(int=9), version_index=1, version_name="v1", is_new_version=True, content=empty),
    )
    return artifacts, [IdleStage(times[OPEN], OPEN, three), IdleStage(times[TOUCHED], TOUCHED, one)], 9


def build(path: Path, events: Sequence[RecordedEvent], batch: int) -> None:
    file = StagesFile.open(path, EPOCH)
    for start in range(0, len(events), batch):
        # A batch that comes again, with what came before it, changes nothing.
        file.apply(events[max(start - 2, 0) : start + batch])
        file.apply(events[start : start + batch])
    file.close()


def dump(path: Path) -> list[list[tuple[object, ...]]]:
    connection = sqlite3.connect(path)
    try:
        return [
            connection.execute(statement).fetchall()
            for statement in (
                "SELECT * FROM stages ORDER BY stage_id",
                "SELECT * FROM ttls ORDER BY artifact_id",
                "SELECT * FROM parked",
                "SELECT * FROM meta",
            )
        ]
    finally:
        connection.close()


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_it_says_what_the_log_says_whatever_the_batches(tmp_path: Path, batch: int) -> None:
    artifacts, expected, shortest = history()
    build(tmp_path / "whole.db", artifacts.events, 1000)
    build(tmp_path / "parts.db", artifacts.events, batch)
    assert dump(tmp_path / "parts.db") == dump(tmp_path / "whole.db")
    reader = StagesReader(tmp_path / "parts.db")
    try:
        late = 10**18
        assert reader.idle(late, None, 10) == expected
        assert reader.idle(late, None, 1) == expected[:1]
        assert reader.idle(late, expected[0], 10) == expected[1:]
        # Whoever was active at that very time is not idle since before it.
        assert reader.idle(expected[1].last_activity, None, 10) == expected[:1]
        assert reader.shortest_ttl_seconds() == shortest
        assert reader.position() == len(artifacts.events)
    finally:
        reader.close()


def test_a_file_of_another_log_is_not_used(tmp_path: Path) -> None:
    build(tmp_path / "a.db", history()[0].events, 100)
    with pytest.raises(StaleFileError):
        StagesFile.open(tmp_path / "a.db", "another")
    (tmp_path / "b.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StaleFileError):
        StagesFile.open(tmp_path / "b.db", EPOCH)


def test_an_event_that_is_passed_over_is_counted(tmp_path: Path) -> None:
    artifacts, _, _ = history()
    file = StagesFile.open(tmp_path / "a.db", EPOCH)
    file.park(artifacts.events[0], "ValueError")
    file.park(artifacts.events[0], "ValueError")
    assert file.position == 1
    file.close()
    reader = StagesReader(tmp_path / "a.db")
    assert reader.parked() == 1
    reader.close()
