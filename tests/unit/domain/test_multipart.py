import msgspec
import pytest

from application.ports.object_store import StoredPart
from domain.actor import FileScope
from domain.artifact.chain import Chain
from domain.artifact.commit import check_complete
from domain.artifact.events import ArtifactCreated
from domain.errors import (
    FileMissingError,
    InvalidArgumentError,
    InvalidPathError,
    InvalidStateError,
    PermissionDeniedError,
    TooLargeError,
    UploadSessionError,
)
from domain.events import Event
from domain.permissions import Viewer
from domain.stage.decisions import Announcement, decide_announce, decide_put, decide_remove, decide_upload
from domain.stage.events import (
    FileRemoved,
    FilesAnnounced,
    FileUploaded,
    MultipartAbandoned,
    MultipartStarted,
    StageEnded,
    StageStarted,
    StoredFile,
)
from domain.stage.multipart import (
    GRACE_SECONDS,
    MAX_OPEN_UPLOADS,
    MIN_PART_BYTES,
    Part,
    check_parts,
    decide_complete,
    decide_expire_upload,
    decide_start,
    is_completed,
    require_part_taken,
    require_upload,
)
from domain.stage.state import OpenUpload, Stage
from tests.support.given import ADMIN, artifact_of, chain, events_of, refused, stage_of, uid, user

SECOND = 1_000_000
EXPIRY = 100 * SECOND
END = EXPIRY + GRACE_SECONDS * SECOND
FILE = StoredFile(key="o", size_bytes=10, etag="e-2", modified_at=1)
OTHER = StoredFile(key="p", size_bytes=11, etag="f", modified_at=2)
UPLOAD = OpenUpload(path="a", store_upload_id="s", part_count=3, expires_at=EXPIRY)


def draft(viewer: Viewer = ADMIN) -> Chain:
    created = ArtifactCreated(
        workspace="ws", alias="data", manifest={}, config={"permissions": {"bob": "lf+"}}, stage_id=uid("stage")
    )
    return chain(artifact_of([created]), viewer=viewer)


def stage(*events: Event) -> Stage:
    return stage_of([StageStarted(artifact_id=uid("artifact"), index=0, prefix="p"), *events])


def started(path: str = "a", name: str = "", weight: int = 0) -> MultipartStarted:
    return MultipartStarted(
        upload_id=uid(name or path),
        path=path,
        store_upload_id="s",
        part_count=3,
        weight_milli=weight,
        expires_at=EXPIRY,
    )


def completed(path: str = "a", file: StoredFile = FILE) -> FileUploaded:
    return FileUploaded(path=path, upload_id=uid(path), file=file)


def abandoned(name: str, reason: str) -> MultipartAbandoned:
    return MultipartAbandoned(upload_id=uid(name), reason=reason)


def test_a_started_upload_announces_its_path_with_its_weight() -> None:
    assert events_of(decide_start(draft(), stage(), started())) == [started()]
    state = stage(started("d/a", weight=500))
    assert state.files["d/a"].file is None
    assert state.files["d/a"].weight_milli == 500
    assert dict(state.directories) == {"d": 1}
    assert state.uploads[uid("d/a")].part_count == 3


def test_starting_needs_a_stage_and_the_right_to_put_files() -> None:
    committed = chain(
        artifact_of([ArtifactCreated(workspace="ws", alias="data", manifest={}, config={"permissions": {}})])
    )
    refused(InvalidStateError, lambda: decide_start(committed, None, started()), "Artifact must be in staging mode.")
    refused(PermissionDeniedError, lambda: decide_start(draft(user("carol")), stage(), started()), "'put_file'")
    assert decide_start(draft(user("bob")), stage(), started()).events


@pytest.mark.parametrize(("there", "path"), [("d", "d/a"), ("d/a", "d")])
def test_a_path_is_a_file_or_a_directory(there: str, path: str) -> None:
    refused(InvalidPathError, lambda: decide_start(draft(), stage(started(there)), started(path)), "directory|file")


def test_a_second_upload_of_a_path_replaces_the_first() -> None:
    state = stage(started(name="1"))
    events = events_of(decide_start(draft(), state, started(name="2")))
    assert events == [abandoned("1", "replaced"), started(name="2")]
    assert set(stage(started(name="1"), *events).uploads) == {uid("2")}


def test_a_stage_has_a_bounded_number_of_open_uploads() -> None:
    full = stage(*(started(str(number)) for number in range(MAX_OPEN_UPLOADS)))
    refused(InvalidStateError, lambda: decide_start(draft(), full, started("one more")), "limit")
    assert decide_start(draft(), full, started("7", "again")).events


def test_a_completion_is_an_upload_with_the_same_id() -> None:
    state = stage(started(weight=500))
    event = events_of(decide_complete(draft(), state, uid("a"), FILE, 0))
    assert event == [completed()]
    after = stage(started(weight=500), *event)
    assert not after.uploads
    assert after.files["a"].file == FILE
    assert after.files["a"].weight_milli == 500


def test_completing_again_to_the_same_file_changes_nothing() -> None:
    done = stage(started(), completed())
    assert events_of(decide_complete(draft(), done, uid("a"), FILE, 0)) == []
    assert is_completed(draft(), done, uid("a"), FILE.etag)
    refused(UploadSessionError, lambda: decide_complete(draft(), done, uid("a"), OTHER, 0), "expired or not found")


@pytest.mark.parametrize(
    "later",
    [
        FileUploaded(path="a", upload_id=uid("other"), file=FILE),
        FileRemoved(path="a", is_marked=False),
        StageEnded(outcome="committed"),
    ],
    ids=["replaced", "removed", "ended"],
)
def test_a_completed_file_that_is_there_no_more_was_not_completed(later: Event) -> None:
    gone = stage(started(), completed(), later)
    assert not is_completed(draft(), gone, uid("a"), FILE.etag)
    assert not gone.completed


def test_an_announcement_after_a_completion_gets_an_upload_of_its_own() -> None:
    done = stage(started(), completed())
    (event,) = events_of(decide_announce(draft(), done, [Announcement("a", uid("fresh"), 0)]))
    assert isinstance(event, FilesAnnounced)
    assert event.files[0].upload_id == uid("fresh")
    after = stage(started(), completed(), event)
    assert after.files["a"].file == FILE
    assert not after.completed


@pytest.mark.parametrize("name", ["unknown", "1", "ended"])
def test_an_upload_that_is_not_open_cannot_be_completed(name: str) -> None:
    states = {
        "unknown": stage(started()),
        "1": stage(started(name="1"), abandoned("1", "replaced"), started(name="2")),
        "ended": stage(started(name="ended"), StageEnded(outcome="discarded")),
    }
    for decision in (
        lambda: decide_complete(draft(), states[name], uid(name), FILE, 0),
        lambda: require_upload(draft(), states[name], uid(name), 0),
        lambda: require_upload(draft(), None, uid(name), 0),
    ):
        refused(UploadSessionError, decision, "Upload session expired or not found")


def test_completing_needs_the_right_to_put_files() -> None:
    stranger = draft(user("carol"))
    for name in ("a", "unknown"):
        for decision in (
            lambda name=name: require_upload(stranger, stage(started()), uid(name), 0),
            lambda name=name: is_completed(stranger, stage(started()), uid(name), "e"),
            lambda name=name: decide_complete(stranger, stage(started()), uid(name), FILE, 0),
        ):
            refused(PermissionDeniedError, decision, "'put_file'")


def test_a_claim_on_files_reaches_the_uploads_of_these_files_alone() -> None:
    claim = msgspec.structs.replace(user("bob"), file_scopes=(FileScope("put_file", "ws/data", "mine"),))
    state = stage(started("mine"), started("other"), completed("other"))
    assert require_upload(draft(claim), state, uid("mine"), 0).path == "mine"
    assert decide_start(draft(claim), stage(), started("mine")).events
    for decision in (
        lambda: decide_start(draft(claim), stage(), started("other")),
        lambda: require_upload(draft(claim), stage(started("other")), uid("other"), 0),
        lambda: is_completed(draft(claim), state, uid("other"), FILE.etag),
    ):
        refused(PermissionDeniedError, decision, "put_file")


def test_an_upload_has_its_grace_after_its_expiry() -> None:
    state = stage(started())
    assert require_upload(draft(), state, uid("a"), END - 1).path == "a"
    assert decide_expire_upload(state, uid("a"), "ws", END - 1).events == ()
    refused(UploadSessionError, lambda: require_upload(draft(), state, uid("a"), END), "expired")
    assert events_of(decide_expire_upload(state, uid("a"), "ws", END)) == [abandoned("a", "expired")]
    for gone in (None, stage(), stage(started(), completed()), stage(started(), StageEnded(outcome="committed"))):
        assert decide_expire_upload(gone, uid("a"), "ws", END).events == ()


def test_an_abandoned_path_leaves_the_stage_unless_it_was_there_before() -> None:
    assert not stage(started("d/a"), abandoned("d/a", "expired")).files
    assert not stage(started("d/a"), abandoned("d/a", "expired")).directories
    before = FileUploaded(path="a", upload_id=uid("before"), file=OTHER)
    after = stage(before, started(), abandoned("a", "expired"))
    assert after.files["a"].file == OTHER
    check_complete(after)


def test_another_file_of_the_path_ends_an_upload() -> None:
    state = stage(started())
    replaced = abandoned("a", "replaced")
    announced = events_of(decide_announce(draft(), state, [Announcement("a", uid("fresh"), 0)]))
    put = events_of(decide_put(draft(), state, "a", uid("fresh"), OTHER, None))
    for events in (announced, put):
        assert events[0] == replaced
        after = stage(started(), *events)
        assert not after.uploads
        assert after.files["a"].upload_id == uid("fresh")
    assert put[1] == FileUploaded(path="a", upload_id=uid("fresh"), file=OTHER)


def test_a_signed_upload_of_the_path_ends_an_upload() -> None:
    early = events_of(decide_announce(draft(), stage(), [Announcement("a", uid("early"), 0)]))
    state = stage(*early, started())
    events = events_of(decide_upload(state, "a", uid("early"), OTHER, "ws"))
    assert events[0] == abandoned("a", "replaced")
    assert stage(*early, started(), *events).files["a"].file == OTHER


def test_removing_the_path_ends_an_upload() -> None:
    events = events_of(decide_remove(draft(), stage(started()), "a", is_committed=False))
    assert events == [abandoned("a", "removed"), FileRemoved(path="a", is_marked=False)]
    after = stage(started(), *events)
    assert (len(after.files), len(after.uploads)) == (0, 0)


def test_a_commit_names_an_upload_that_is_open() -> None:
    refused(FileMissingError, lambda: check_complete(stage(started("b"), started("a"))), r"'a' .*multipart.*1 more")
    before = FileUploaded(path="a", upload_id=uid("before"), file=OTHER)
    refused(FileMissingError, lambda: check_complete(stage(before, started())), "'a'")
    check_complete(stage(started(), completed()))


def test_a_part_is_taken_while_its_upload_is_open() -> None:
    assert require_part_taken(stage(started()), uid("a"), 3).path == "a"
    for state, number in (
        (None, 1),
        (stage(), 1),
        (stage(started()), 4),
        (stage(started()), 0),
        (stage(started(), completed()), 1),
        (stage(started(), StageEnded(outcome="committed")), 1),
    ):
        with pytest.raises(PermissionDeniedError, match="no longer valid"):
            require_part_taken(state, uid("a"), number)


def part(number: int, size: int = MIN_PART_BYTES) -> StoredPart:
    return StoredPart(part_number=number, size_bytes=size, etag=f"etag{number}", modified_at=1)


def given(*numbers: int) -> list[Part]:
    return [Part(number, f"etag{number}") for number in numbers]


def test_parts_are_checked_and_ordered() -> None:
    stored = [part(1), part(2), part(3, size=0)]
    assert check_parts(UPLOAD, given(3, 1, 2), stored, None) == given(1, 2, 3)
    one = OpenUpload(path="a", store_upload_id="s", part_count=1, expires_at=EXPIRY)
    assert check_parts(one, given(1), [part(1, size=0)], 0) == given(1)


@pytest.mark.parametrize(
    ("named", "stored", "text"),
    [
        (given(1, 2), [part(1), part(2), part(3)], "parts 3 are missing"),
        ([], [], "parts 1, 2, 3 are missing"),
        (given(0, 1, 2, 3, 4), [part(1), part(2), part(3)], "parts 0, 4 are not of this upload"),
        (given(1, 2, 2, 3), [part(1), part(2), part(3)], "parts 2 are given more than once"),
        (given(1, 2, 3), [part(1), part(3)], "parts 2 are not uploaded yet"),
        ([*given(1, 2), Part(3, "etag1")], [part(1), part(2), part(3)], "parts 3 are of another ETag"),
        (given(1, 2, 3), [part(1), part(2, MIN_PART_BYTES - 1), part(3)], "parts 2 are smaller than 5242880 bytes"),
    ],
)
def test_parts_that_make_no_file(named: list[Part], stored: list[StoredPart], text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"Failed to complete multipart upload: {text}"):
        check_parts(UPLOAD, named, stored, None)


def test_many_wrong_parts_are_not_all_named() -> None:
    large = OpenUpload(path="a", store_upload_id="s", part_count=10_000, expires_at=EXPIRY)
    with pytest.raises(InvalidArgumentError, match=r"parts 1, 2, .*10 and 9990 more are missing"):
        check_parts(large, [], [], None)


def test_the_parts_together_are_bounded() -> None:
    stored = [part(1), part(2), part(3)]
    with pytest.raises(TooLargeError):
        check_parts(UPLOAD, given(1, 2, 3), stored, 3 * MIN_PART_BYTES - 1)
    assert check_parts(UPLOAD, given(1, 2, 3), stored, 3 * MIN_PART_BYTES)
