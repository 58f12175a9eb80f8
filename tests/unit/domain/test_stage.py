import pytest

from domain.artifact.chain import Chain
from domain.artifact.events import ArtifactCreated
from domain.errors import InvalidPathError, InvalidStateError, PermissionDeniedError
from domain.events import Event
from domain.permissions import Viewer
from domain.stage.decisions import (
    Announcement,
    decide_announce,
    decide_put,
    decide_remove,
    decide_upload,
    require_announced,
)
from domain.stage.events import (
    AnnouncedFile,
    FileRemoved,
    FilesAnnounced,
    FileUploaded,
    StageEnded,
    StageStarted,
    StoredFile,
)
from domain.stage.state import Stage
from tests.support.given import ADMIN, artifact_of, chain, events_of, stage_of, uid, user

FILE = StoredFile(key="o", size_bytes=10, etag="e", modified_at=1)


def draft(viewer: Viewer = ADMIN) -> Chain:
    created = ArtifactCreated(
        workspace="ws", alias="data", manifest={}, config={"permissions": {"bob": "lf+"}}, stage_id=uid("stage")
    )
    return chain(artifact_of([created]), viewer=viewer)


def stage(*events: Event) -> Stage:
    return stage_of([StageStarted(artifact_id=uid("artifact"), index=0, prefix="p"), *events])


def announced(*paths: str, weight: int | None = None) -> FilesAnnounced:
    return FilesAnnounced(
        files=tuple(AnnouncedFile(path=path, upload_id=uid(path), weight_milli=weight) for path in paths)
    )


def test_a_batch_is_one_event() -> None:
    items = [Announcement("a", uid("1"), 500), Announcement("b/c", uid("2"), 0)]
    assert events_of(decide_announce(draft(), stage(), items)) == [
        FilesAnnounced(
            files=(
                AnnouncedFile(path="a", upload_id=uid("1"), weight_milli=500),
                AnnouncedFile(path="b/c", upload_id=uid("2"), weight_milli=0),
            )
        )
    ]


def test_an_announced_path_keeps_its_upload_and_takes_the_last_weight() -> None:
    event = events_of(decide_announce(draft(), stage(announced("a")), [Announcement("a", uid("other"), 700)]))[0]
    assert event == FilesAnnounced(files=(AnnouncedFile(path="a", upload_id=uid("a"), weight_milli=700),))
    after = stage(announced("a", weight=500), event)
    assert after.files["a"].weight_milli == 700
    assert after.next_place == 1


def test_files_need_a_stage() -> None:
    committed = chain(
        artifact_of([ArtifactCreated(workspace="ws", alias="data", manifest={}, config={"permissions": {}})])
    )
    with pytest.raises(InvalidStateError, match=r"Artifact must be in staging mode."):
        decide_announce(committed, None, [Announcement("a", uid("a"), 0)])


def test_files_need_the_right_to_put_them() -> None:
    with pytest.raises(PermissionDeniedError, match="'put_file'"):
        decide_announce(draft(user("carol")), stage(), [Announcement("a", uid("a"), 0)])
    assert decide_announce(draft(user("bob")), stage(), [Announcement("a", uid("a"), 0)]).events
    with pytest.raises(PermissionDeniedError, match="'remove_file'"):
        decide_remove(draft(user("bob")), stage(announced("a")), "a", is_committed=False)


@pytest.mark.parametrize(
    ("before", "new", "text"),
    [
        (["a"], ["a/b"], "'a' is a file"),
        (["a/b"], ["a"], "'a' is a directory"),
        ([], ["a", "a/b"], "'a' is a"),
        ([], ["x/y/z", "x/y"], "'x/y' is a"),
    ],
)
def test_a_path_is_a_file_or_a_directory(before: list[str], new: list[str], text: str) -> None:
    with pytest.raises(InvalidPathError, match=text):
        decide_announce(draft(), stage(announced(*before)), [Announcement(path, uid(path), 0) for path in new])


def test_a_removed_file_makes_room_for_a_directory() -> None:
    freed = stage(announced("a"), FileRemoved(path="a", is_marked=False))
    assert decide_announce(draft(), freed, [Announcement("a/b", uid("b"), 0)]).events


def test_directories_are_counted_while_files_come_and_go() -> None:
    filled = stage(announced("d/a", "d/b", "d/e/c"), FileRemoved(path="d/a", is_marked=False))
    assert dict(filled.directories) == {"d": 2, "d/e": 1}


def test_an_upload_becomes_the_file_of_its_path() -> None:
    event = events_of(decide_upload(stage(announced("a", weight=1)), "a", uid("a"), FILE, "ws"))[0]
    after = stage(announced("a", weight=1), event)
    assert after.files["a"].file == FILE
    assert after.files["a"].weight_milli == 1


def test_a_put_needs_no_announcement() -> None:
    event = events_of(decide_put(draft(), stage(), "a", uid("x"), FILE, 250))[0]
    assert event == FileUploaded(path="a", upload_id=uid("x"), file=FILE, weight_milli=250)
    assert stage(event).files["a"].weight_milli == 250


def test_a_late_upload_is_refused() -> None:
    closed = stage(announced("a"), StageEnded(outcome="committed"))
    with pytest.raises(PermissionDeniedError, match="committed or discarded"):
        decide_upload(closed, "a", uid("a"), FILE, "ws")
    with pytest.raises(PermissionDeniedError, match="committed or discarded"):
        require_announced(None, "a", uid("a"))


def test_the_upload_of_a_removed_file_is_refused() -> None:
    removed = stage(announced("a"), FileRemoved(path="a", is_marked=False))
    with pytest.raises(PermissionDeniedError, match="removed"):
        decide_upload(removed, "a", uid("a"), FILE, "ws")
    reannounced = stage(
        announced("a"),
        FileRemoved(path="a", is_marked=False),
        FilesAnnounced(files=(AnnouncedFile(path="a", upload_id=uid("second")),)),
    )
    with pytest.raises(PermissionDeniedError, match="removed"):
        decide_upload(reannounced, "a", uid("a"), FILE, "ws")


def test_removing() -> None:
    both = stage(announced("a"))
    assert events_of(decide_remove(draft(), both, "a", is_committed=True)) == [FileRemoved(path="a", is_marked=True)]
    assert events_of(decide_remove(draft(), both, "a", is_committed=False)) == [FileRemoved(path="a", is_marked=False)]
    assert events_of(decide_remove(draft(), stage(), "nowhere", is_committed=False)) == []
    marked = stage(FileRemoved(path="a", is_marked=True))
    assert events_of(decide_remove(draft(), marked, "a", is_committed=True)) == []


def test_putting_a_removed_file_again_lifts_the_mark() -> None:
    again = stage(FileRemoved(path="a", is_marked=True), announced("a"))
    assert dict(again.removed) == {}
    uploaded = stage(FileRemoved(path="a", is_marked=True), FileUploaded(path="a", upload_id=uid("a"), file=FILE))
    assert dict(uploaded.removed) == {}
