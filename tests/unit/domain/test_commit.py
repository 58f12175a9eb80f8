from typing import Any

import pytest
from msgspec import UNSET

from domain.artifact.commit import CommitStage, decide_commit, decide_discard
from domain.artifact.delete import decide_delete
from domain.artifact.edit import EditArtifact
from domain.artifact.events import (
    ArtifactCommitted,
    ArtifactCreated,
    ArtifactDeleted,
    ArtifactEdited,
    DownloadWeightSet,
    StagedContent,
    StageDiscarded,
    StageIntent,
    StageOpened,
)
from domain.artifact.state import Artifact
from domain.artifact.weights import MAX_WEIGHT, decide_set_download_weight, to_milli
from domain.errors import (
    FileMissingError,
    InvalidArgumentError,
    InvalidStateError,
    NotEmptyError,
    NothingStagedError,
    PermissionDeniedError,
    SchemaViolationError,
    StaleFactsError,
    VersionExistsError,
)
from domain.events import Event
from domain.ids import children_counter
from domain.stage.events import AnnouncedFile, FilesAnnounced, FileUploaded, StageEnded, StageStarted, StoredFile
from domain.stage.state import Stage
from domain.trees import TreeRoot
from tests.support.given import artifact_of, chain, events_of, stage_of, uid, user

TREE = TreeRoot(key="k", sha256=b"1", file_count=1, size_bytes=10)
FILE = StoredFile(key="o", size_bytes=10, etag="e", modified_at=1)


def created(**fields: Any) -> ArtifactCreated:
    defaults: dict[str, Any] = {
        "workspace": "ws",
        "alias": "data",
        "manifest": {"name": "one"},
        "config": {"permissions": {"alice": "*"}},
    }
    return ArtifactCreated(**{**defaults, **fields})


def draft(**fields: Any) -> Artifact:
    return artifact_of([created(stage_id=uid("stage"), **fields)])


def stage(*events: Event) -> Stage:
    return stage_of([StageStarted(artifact_id=uid("artifact"), index=0, prefix="p"), *events])


def announced(path: str, weight: int = 0) -> FilesAnnounced:
    return FilesAnnounced(files=(AnnouncedFile(path=path, upload_id=uid(path), weight_milli=weight),))


def uploaded(path: str) -> FileUploaded:
    return FileUploaded(path=path, upload_id=uid(path), file=FILE)


def commit(of: Stage, **fields: Any) -> CommitStage:
    return CommitStage(stage_version=of.version, tree=TREE, **fields)


def test_the_first_commit_makes_v0() -> None:
    filled = stage(announced("a.txt", 500), uploaded("a.txt"))
    committed, ended = events_of(decide_commit(chain(draft()), filled, commit(filled)))
    assert isinstance(committed, ArtifactCommitted)
    assert (committed.version_name, committed.version_index, committed.is_new_version) == ("v0", 0, True)
    assert committed.download_weights == {"a.txt": 500}
    assert committed.content.manifest == {"name": "one"}
    assert ended == StageEnded(outcome="committed")


def test_the_first_commit_may_name_its_version() -> None:
    committed = events_of(decide_commit(chain(draft()), stage(), commit(stage(), version="1.0")))[0]
    assert isinstance(committed, ArtifactCommitted)
    assert committed.version_name == "1.0"


def restaged(intent: StageIntent) -> Artifact:
    return artifact_of([created(), StageOpened(stage_id=uid("stage"), intent=intent, content=StagedContent())])


def test_a_name_is_ignored_when_no_new_version_is_meant() -> None:
    artifact = restaged(StageIntent(is_new_version=False, index=0))
    committed = events_of(decide_commit(chain(artifact), stage(), commit(stage(), version="v9")))[0]
    assert isinstance(committed, ArtifactCommitted)
    assert (committed.version_name, committed.is_new_version) == ("v0", False)


def test_a_taken_name_is_refused() -> None:
    artifact = restaged(StageIntent(is_new_version=True, index=1))
    with pytest.raises(VersionExistsError, match=r"Version 'v0' already exists. Existing versions: \['v0'\]"):
        decide_commit(chain(artifact), stage(), commit(stage(), version="v0"))


@pytest.mark.parametrize("name", ["stage", "latest", "new", "", "a/b", "x" * 200, "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    artifact = restaged(StageIntent(is_new_version=True, index=1))
    with pytest.raises(InvalidArgumentError):
        decide_commit(chain(artifact), stage(), commit(stage(), version=name))


def test_nothing_staged() -> None:
    with pytest.raises(InvalidStateError, match="must be in staging mode to commit"):
        decide_commit(chain(artifact_of([created()])), None, CommitStage(stage_version=0))


def test_a_file_that_was_never_uploaded_fails_the_commit_and_is_named() -> None:
    incomplete = stage(announced("b.txt"), announced("a.txt"), announced("c.txt"), uploaded("c.txt"))
    with pytest.raises(FileMissingError, match=r"File 'a.txt' does not exist in the artifact. \(1 more"):
        decide_commit(chain(draft()), incomplete, commit(incomplete))


def test_facts_from_an_older_stage_are_stale() -> None:
    with pytest.raises(StaleFactsError):
        decide_commit(chain(draft()), stage(announced("a"), uploaded("a")), commit(stage()))


def test_the_schema_of_the_collection_is_checked() -> None:
    config = {"permissions": {}, "collection_schema": {"type": "object", "required": ["kind"]}}
    parent = artifact_of([created(alias="gallery", config=config)], name="gallery")
    with pytest.raises(SchemaViolationError):
        decide_commit(chain(draft(parent_id=parent.id), parent), stage(), commit(stage()))


def parent_of(permissions: dict[str, str]) -> Artifact:
    return artifact_of([created(alias="gallery", config={"permissions": permissions})], name="gallery")


def test_a_first_commit_needs_attach() -> None:
    mine = draft(parent_id=uid("gallery"), config={"permissions": {"bob": "*"}})
    with pytest.raises(PermissionDeniedError, match="attach artifact to the collection 'gallery'"):
        decide_commit(chain(mine, parent_of({"bob": "l+"}), viewer=user("bob")), stage(), commit(stage()))
    assert decide_commit(chain(mine, parent_of({"bob": "r+"}), viewer=user("bob")), stage(), commit(stage())).events


def test_a_reviewer_commits_the_draft_of_another() -> None:
    theirs = draft(parent_id=uid("gallery"))
    reviewer = chain(theirs, parent_of({"carol": "rw+"}), viewer=user("carol"))
    assert decide_commit(reviewer, stage(), commit(stage())).events
    stranger = chain(theirs, parent_of({"carol": "r+"}), viewer=user("carol"))
    with pytest.raises(PermissionDeniedError, match="'commit'"):
        decide_commit(stranger, stage(), commit(stage()))


def test_a_later_commit_needs_mutate() -> None:
    mine = artifact_of(
        [
            created(parent_id=uid("gallery"), config={"permissions": {"bob": "*"}}),
            StageOpened(
                stage_id=uid("stage"), intent=StageIntent(is_new_version=False, index=0), content=StagedContent()
            ),
        ]
    )
    with pytest.raises(PermissionDeniedError, match="no mutate permission"):
        decide_commit(chain(mine, parent_of({"bob": "r+"}), viewer=user("bob")), stage(), commit(stage()))


def test_an_edit_that_commits_takes_its_content_along() -> None:
    edit = EditArtifact(manifest={"name": "two"}, stage=False, new_stage_id=uid("unused"))
    committed = events_of(decide_commit(chain(draft()), stage(), commit(stage(), edit=edit)))[0]
    assert isinstance(committed, ArtifactCommitted)
    assert committed.content.manifest == {"name": "two"}


def test_a_collection_mark_survives_a_staged_config() -> None:
    artifact = artifact_of(
        [
            created(config={"permissions": {"alice": "*"}, "is_collection": True}),
            StageOpened(
                stage_id=uid("stage"),
                intent=StageIntent(is_new_version=False, index=0),
                content=StagedContent(config={"permissions": {}, "x": 1}),
            ),
        ]
    )
    committed = events_of(decide_commit(chain(artifact), stage(), commit(stage())))[0]
    assert isinstance(committed, ArtifactCommitted)
    assert committed.content.config == {"permissions": {}, "x": 1, "is_collection": True}


def test_folding_a_commit_closes_the_stage_and_merges_weights() -> None:
    filled = stage(announced("a.txt", 500), uploaded("a.txt"))
    events = [created(stage_id=uid("stage")), DownloadWeightSet(path="b", weight_milli=1000)]
    outcome = decide_commit(chain(artifact_of(events)), filled, commit(filled))
    after = artifact_of([*events, events_of(outcome)[0]], comment="first")
    assert after.stage is None
    assert dict(after.download_weights) == {"a.txt": 500, "b": 1000}
    assert [(entry.name, entry.comment) for entry in after.versions] == [("v0", "first")]
    assert after.next_index == 1


def test_discard() -> None:
    discarded, ended = events_of(decide_discard(chain(draft()), stage()))
    assert discarded == StageDiscarded(stage_id=uid("stage"))
    assert ended == StageEnded(outcome="discarded")


def test_discard_with_nothing_staged() -> None:
    with pytest.raises(NothingStagedError, match=r"No staged changes to discard. Artifact is not in staging mode."):
        decide_discard(chain(artifact_of([created()])), None)


def test_discard_needs_edit() -> None:
    with pytest.raises(PermissionDeniedError, match="'edit'"):
        decide_discard(chain(draft(), viewer=user("bob")), stage())


def test_a_discarded_draft_is_empty_and_a_discarded_edit_changes_nothing() -> None:
    emptied = artifact_of([created(stage_id=uid("stage")), StageDiscarded(stage_id=uid("stage"))])
    assert (emptied.versions, emptied.stage) == ((), None)
    opened = StageOpened(
        stage_id=uid("stage"),
        intent=StageIntent(is_new_version=False, index=0),
        content=StagedContent(manifest={"name": "changed"}),
    )
    kept = artifact_of([created(), opened, StageDiscarded(stage_id=uid("stage"))])
    assert kept.manifest == {"name": "one"}


def test_delete_frees_the_alias_and_counts_the_child_out() -> None:
    parent = parent_of({})
    outcome = decide_delete(chain(draft(parent_id=parent.id), parent), children=0, delete_files=True)
    names = [type(event).__name__ for event in events_of(outcome)]
    assert names == ["ArtifactDeleted", "AliasReleased", "StageEnded"]
    assert events_of(outcome)[0] == ArtifactDeleted(delete_files=True)
    assert outcome.advances == {children_counter(parent.id): -1}


def test_a_collection_with_children_is_not_deleted() -> None:
    with pytest.raises(NotEmptyError, match="has 3 child artifacts"):
        decide_delete(chain(artifact_of([created()])), children=3, delete_files=False)


def test_deleting_a_committed_child_needs_detach() -> None:
    mine = artifact_of([created(parent_id=uid("gallery"), config={"permissions": {"bob": "*"}})])
    with pytest.raises(PermissionDeniedError, match="detach artifact from the collection 'gallery'"):
        decide_delete(chain(mine, parent_of({"bob": "r+"}), viewer=user("bob")), children=0, delete_files=False)
    own_draft = draft(parent_id=uid("gallery"), config={"permissions": {"bob": "*"}})
    assert decide_delete(
        chain(own_draft, parent_of({"bob": "r+"}), viewer=user("bob")), children=0, delete_files=False
    ).events


def test_weights() -> None:
    artifact = artifact_of([created()])
    assert events_of(decide_set_download_weight(chain(artifact), "a", 500)) == [
        DownloadWeightSet(path="a", weight_milli=500)
    ]
    assert events_of(decide_set_download_weight(chain(artifact), "a", 0)) == []
    weighted = artifact_of([created(), DownloadWeightSet(path="a", weight_milli=500)])
    assert events_of(decide_set_download_weight(chain(weighted), "a", 500)) == []
    cleared = artifact_of(
        [created(), DownloadWeightSet(path="a", weight_milli=500), DownloadWeightSet(path="a", weight_milli=0)]
    )
    assert dict(cleared.download_weights) == {}
    with pytest.raises(PermissionDeniedError, match="'set_download_weight'"):
        decide_set_download_weight(chain(artifact, viewer=user("bob")), "a", 1)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), MAX_WEIGHT + 1])
def test_weights_out_of_range(weight: float) -> None:
    with pytest.raises(InvalidArgumentError):
        to_milli(weight)


def test_the_version_list_after_an_edit_in_place() -> None:
    edited = ArtifactEdited(content=StagedContent(manifest={"n": 2}), version_index=0)
    after = artifact_of([created(), edited])
    assert after.manifest == {"n": 2}
    assert [entry.manifest_at for entry in after.versions] == [2]


def two_versions_staged(content: StagedContent, index: int) -> list[Event]:
    return [
        created(),
        ArtifactEdited(content=StagedContent(manifest={"name": "two"}), version_index=1, new_version_name="v1"),
        StageOpened(stage_id=uid("stage"), intent=StageIntent(is_new_version=False, index=index), content=content),
    ]


@pytest.mark.parametrize("index", [0, 1])
def test_an_existing_version_keeps_its_manifest_unless_one_was_staged(index: int) -> None:
    events = two_versions_staged(StagedContent(), index)
    committed = events_of(decide_commit(chain(artifact_of(events)), stage(), commit(stage())))[0]
    assert isinstance(committed, ArtifactCommitted)
    assert committed.content.manifest is UNSET
    after = artifact_of([*events, committed])
    assert after.manifest == {"name": "two"}
    assert [entry.manifest_at for entry in after.versions] == [1, 2]


def test_a_staged_manifest_goes_to_the_version_that_the_stage_aims_at() -> None:
    events = two_versions_staged(StagedContent(manifest={"name": "three"}), 0)
    edit = EditArtifact(stage=False, version="v0", new_stage_id=uid("other"))
    committed = events_of(decide_commit(chain(artifact_of(events)), stage(), commit(stage(), edit=edit)))[0]
    after = artifact_of([*events, committed])
    assert after.manifest == {"name": "two"}
    assert [entry.manifest_at for entry in after.versions] == [4, 2]


def test_an_edit_that_commits_needs_the_stage_that_it_was_prepared_for() -> None:
    edit = EditArtifact(stage=False, new_stage_id=uid("other"))
    with pytest.raises(StaleFactsError):
        decide_commit(chain(artifact_of([created()])), None, CommitStage(stage_version=0, edit=edit))
