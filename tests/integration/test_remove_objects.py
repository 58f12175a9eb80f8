"""The janitor removes what nothing names, and nothing else."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from adapters.object_store.disk import TRAILER
from application.chores import claims, remove_objects
from tests.support.life import LocalService
from tests.support.stored import objects_of

DAY = 86_400.0
GONE = "objects that nothing names"
UNKNOWN = "objects kept that the log does not know"
BROKEN = "artifacts that cannot be searched"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def service(data_dir: Path) -> Iterator[LocalService]:
    service = LocalService(data_dir)
    yield service
    service.close()


def write(service: LocalService, alias: str, **files: str) -> None:
    for path, content in files.items():
        service.call("write_file", artifact_id=alias, file_path=path, content=content)


def dataset(service: LocalService, alias: str, **files: str) -> str:
    artifact_id: str = service.call("create", alias=alias, manifest={}, stage=True)["_id"]
    write(service, alias, **files)
    service.call("commit", artifact_id=alias)
    return artifact_id


def stage(service: LocalService, alias: str, **files: str) -> None:
    service.call("edit", artifact_id=alias, stage=True)
    write(service, alias, **files)


def test_what_is_named_stays_and_what_a_commit_replaced_goes(service: LocalService, data_dir: Path) -> None:
    dataset(service, "a", one="1", two="22")
    stage(service, "a", two="333", three="4444")
    write(service, "a", three="55555")
    service.call("commit", artifact_id="a")
    assert service.tidy() == {}, "everything is younger than a day"
    service.clock.advance(DAY + 1)
    before = objects_of(data_dir)
    would = service.tidy(is_dry_run=True)
    assert objects_of(data_dir) == before
    done = service.tidy()
    assert done == would
    after = objects_of(data_dir)
    # Two uploads that were replaced, and the tree of the first commit: its index and its chunk.
    assert done[GONE] == (4, sum(before.values()) - sum(after.values()))
    assert len(before) - len(after) == 4
    assert service.files_of("a", "v0") == {"one": b"1", "two": b"333", "three": b"55555"}
    assert service.tidy() == {}


def test_an_open_stage_keeps_all_that_it_has_written(service: LocalService, data_dir: Path) -> None:
    dataset(service, "a", one="1")
    stage(service, "a", two="2")
    service.call("remove_file", artifact_id="a", file_path="two")
    service.clock.advance(DAY + 1)
    before = objects_of(data_dir)
    assert service.tidy() == {}
    assert objects_of(data_dir) == before
    service.call("discard", artifact_id="a")
    assert service.tidy()[GONE] == (1, 1)
    assert service.files_of("a", "v0") == {"one": b"1"}


@pytest.mark.parametrize("delete_files", [False, True])
def test_a_deleted_artifact_keeps_its_objects_unless_they_were_given_up(
    service: LocalService, data_dir: Path, delete_files: bool
) -> None:
    artifact_id = dataset(service, "a", one="1")
    stage(service, "a", two="2")
    kept = len(objects_of(data_dir, artifact_id)) - 1
    service.call("delete", artifact_id="a", delete_files=delete_files)
    service.clock.advance(DAY + 1)
    service.tidy()
    # Without a stage there is nothing that could still name what was uploaded to it.
    assert len(objects_of(data_dir, artifact_id)) == (0 if delete_files else kept)


def test_who_takes_over_an_alias_does_not_take_over_the_files(service: LocalService, data_dir: Path) -> None:
    old = dataset(service, "a", one="1")
    service.call("create", alias="a", manifest={}, overwrite=True)
    service.clock.advance(DAY + 1)
    service.tidy()
    assert objects_of(data_dir, old) == {}


def test_a_draft_goes_with_its_objects_when_it_expires(service: LocalService, data_dir: Path) -> None:
    artifact_id = service.call("create", alias="d", manifest={}, stage=True)["_id"]
    write(service, "d", one="1")
    service.clock.advance(31 * DAY)
    assert service.tidy() == {"drafts expired": (1, 0), GONE: (1, 1)}
    assert objects_of(data_dir, artifact_id) == {}


def test_the_payloads_of_events_stay_with_the_history(service: LocalService, data_dir: Path) -> None:
    record = service.call("create", alias="a", manifest={"text": "x" * 600_000})
    payloads = [key for key in objects_of(data_dir) if "/events/" in key]
    assert len(payloads) == 1
    orphan = data_dir / "objects" / "objects" / record["_id"] / "events" / str(uuid4()) / "payload"
    orphan.parent.mkdir()
    shutil.copy(data_dir / "objects" / "objects" / payloads[0], orphan)
    service.call("delete", artifact_id="a", delete_files=True)
    service.clock.advance(DAY + 1)
    assert service.tidy()[GONE][0] == 1
    assert [key for key in objects_of(data_dir) if "/events/" in key] == payloads


def test_what_was_worked_out_of_an_archive_stays_as_long_as_it(service: LocalService, data_dir: Path) -> None:
    artifact_id = dataset(service, "a", archive="zip")
    (key,) = (key for key in objects_of(data_dir, artifact_id) if "/tree/" not in key)
    source = data_dir / "objects" / "objects" / key
    derived = data_dir / "objects" / "objects" / artifact_id / "zip-index" / key / "0123abcd" / "root"
    derived.parent.mkdir(parents=True)
    shutil.copy(source, derived)
    service.clock.advance(DAY + 1)
    assert service.tidy() == {}
    service.call("delete", artifact_id="a", delete_files=True)
    service.tidy()
    assert objects_of(data_dir, artifact_id) == {}


def test_what_the_log_does_not_know_is_told_and_stays(service: LocalService, data_dir: Path) -> None:
    artifact_id = dataset(service, "a", one="1")
    root = data_dir / "objects" / "objects"
    some = next(path for path in root.rglob("*") if path.is_file())
    strangers = [
        f"{uuid4()}/v0-{uuid4()}/{uuid4()}",
        f"{artifact_id}/v0-{uuid4()}/{uuid4()}",
        f"{artifact_id}/something/else",
        "notes.txt",
    ]
    for key in strangers:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(some, root / key)
    service.clock.advance(DAY + 1)
    with capture_logs() as logs:
        assert service.tidy()[UNKNOWN][0] == len(strangers)
    assert [line["log_level"] for line in logs if line["event"] == "objects_unknown"] == ["warning"] * 3
    assert set(strangers) <= set(objects_of(data_dir))


def test_a_log_that_was_begun_anew_costs_no_object(tmp_path: Path, data_dir: Path) -> None:
    service = LocalService(data_dir)
    dataset(service, "a", one="1")
    service.close()
    kept = objects_of(data_dir)
    for path in data_dir.glob("log.db*"):
        path.unlink()
    service = LocalService(data_dir)
    service.clock.advance(3600)
    service.call("create", alias="b", manifest={})
    service.clock.advance(10 * DAY)
    assert service.tidy() == {UNKNOWN: (len(kept), sum(kept.values()))}
    service.close()
    assert objects_of(data_dir) == kept


def test_a_damaged_tree_stops_work_on_its_artifact_alone_and_loudly(service: LocalService, data_dir: Path) -> None:
    broken = dataset(service, "broken", one="1")
    stage(service, "broken", one="2")
    service.call("commit", artifact_id="broken")
    dataset(service, "sound", one="1")
    stage(service, "sound", one="2")
    service.call("discard", artifact_id="sound")
    trees = [path for path in (data_dir / "objects" / "objects" / broken).rglob("tree/*") if path.is_file()]
    for path in trees:
        content = path.read_bytes()
        path.write_bytes(content[: -TRAILER.size][::-1] + content[-TRAILER.size :])
    service.clock.advance(DAY + 1)
    before = objects_of(data_dir, broken)
    with capture_logs() as logs:
        assert service.tidy() == {BROKEN: (1, 0), GONE: (1, 1)}
    assert [line["artifact"] for line in logs if line["event"] == "objects_not_searched"] == [broken]
    assert objects_of(data_dir, broken) == before


@pytest.mark.parametrize("keys_at_once", [1, 3, 1000])
def test_large_artifacts_are_looked_at_page_by_page_and_part_by_part(
    service: LocalService, data_dir: Path, monkeypatch: pytest.MonkeyPatch, keys_at_once: int
) -> None:
    monkeypatch.setattr(remove_objects, "PAGE", 4)
    monkeypatch.setattr(claims, "KEYS_AT_ONCE", keys_at_once)
    for alias in ("a", "b", "c"):
        dataset(service, alias, **{f"f{number}": str(number) for number in range(9)})
        stage(service, alias, **{f"f{number}": "changed" for number in range(0, 9, 2)})
        service.call("commit", artifact_id=alias)
        stage(service, alias, x="y")
    service.call("discard", artifact_id="b")
    (data_dir / "objects" / "objects" / "stray").write_bytes(b"")
    service.clock.advance(DAY + 1)
    before = objects_of(data_dir)
    done = service.tidy()
    # Of each, five uploads and the two objects of the first tree; the discarded upload of one.
    assert done[GONE][0] == 3 * 7 + 1
    assert len(before) - len(objects_of(data_dir)) == 3 * 7 + 1
    for alias in ("a", "b", "c"):
        expected = {f"f{number}": b"changed" if number % 2 == 0 else str(number).encode() for number in range(9)}
        assert service.files_of(alias, "v0") == expected
    assert service.files_of("a", "stage")["x"] == b"y"
    assert GONE not in service.tidy()
