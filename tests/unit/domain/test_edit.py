from typing import Any

import pytest
from msgspec import UNSET

from domain.artifact.edit import EditArtifact, decide_edit
from domain.artifact.events import (
    ArtifactCommitted,
    ArtifactCreated,
    ArtifactEdited,
    StagedContent,
    StageEdited,
    StageIntent,
    StageOpened,
)
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError, PermissionDeniedError, SchemaViolationError, StaleFactsError
from domain.events import Event
from domain.stage.events import FileRemoved, FileUploaded, StageBaseChanged, StageStarted, StoredFile
from domain.trees import TreeRoot
from tests.support.given import artifact_of, chain, events_of, stage_after, stage_of, uid, user

TREE = TreeRoot(key="k", sha256=b"1", file_count=3, size_bytes=30)


def created(**fields: Any) -> ArtifactCreated:
    defaults: dict[str, Any] = {
        "workspace": "ws",
        "alias": "data",
        "type": "generic",
        "manifest": {"name": "one"},
        "config": {"permissions": {"alice": "*"}, "color": "red"},
    }
    return ArtifactCreated(**{**defaults, **fields})


def committed_with_files() -> Artifact:
    return artifact_of(
        [
            created(stage_id=uid("stage0")),
            ArtifactCommitted(
                stage_id=uid("stage0"),
                version_index=0,
                version_name="v0",
                is_new_version=True,
                content=StagedContent(manifest={"name": "one"}),
                tree=TREE,
            ),
        ]
    )


def edit(**fields: Any) -> EditArtifact:
    return EditArtifact(new_stage_id=uid("fresh"), **fields)


def one(*events: Event) -> Event:
    assert len(events) == 1
    return events[0]


def test_a_committed_artifact_is_edited_in_place() -> None:
    event = one(*events_of(decide_edit(chain(artifact_of([created()])), None, edit(manifest={"name": "two"}))))
    assert event == ArtifactEdited(content=StagedContent(manifest={"name": "two"}), version_index=0)


def test_stage_true_opens_a_stage_on_the_files_of_the_version() -> None:
    outcome = decide_edit(chain(committed_with_files()), None, edit(stage=True))
    opened, started = events_of(outcome)
    assert opened == StageOpened(
        stage_id=uid("fresh"), intent=StageIntent(is_new_version=False, index=0), content=StagedContent()
    )
    assert isinstance(started, StageStarted)
    assert started.base == TREE


def test_version_stage_enters_staging_whatever_stage_says() -> None:
    opened = events_of(decide_edit(chain(artifact_of([created()])), None, edit(version="stage", stage=False)))[0]
    assert isinstance(opened, StageOpened)


def test_a_new_version_starts_empty_in_its_own_index() -> None:
    outcome = decide_edit(chain(committed_with_files()), None, edit(stage=True, version="new"))
    opened, started = events_of(outcome)
    assert isinstance(opened, StageOpened)
    assert opened.intent == StageIntent(is_new_version=True, index=1)
    assert isinstance(started, StageStarted)
    assert (started.index, started.base) == (1, None)


def test_a_new_version_may_start_with_the_files() -> None:
    outcome = decide_edit(chain(committed_with_files()), None, edit(stage=True, version="new", copy_files=True))
    started = events_of(outcome)[1]
    assert isinstance(started, StageStarted)
    assert started.base == TREE


def staged() -> tuple[Artifact, Any]:
    artifact = artifact_of(
        [
            created(),
            StageOpened(
                stage_id=uid("stage"), intent=StageIntent(is_new_version=False, index=0), content=StagedContent()
            ),
        ]
    )
    stage = stage_of([StageStarted(artifact_id=artifact.id, index=0, prefix="p")])
    return artifact, stage


def test_an_edit_without_stage_leaves_a_staged_artifact_staged() -> None:
    artifact, stage = staged()
    event = one(*events_of(decide_edit(chain(artifact), stage, edit(manifest={}))))
    assert event == StageEdited(
        stage_id=uid("stage"), intent=StageIntent(is_new_version=False, index=0), content=StagedContent(manifest={})
    )


def test_the_intent_of_an_open_stage_changes_only_when_asked() -> None:
    artifact, stage = staged()
    events = events_of(decide_edit(chain(artifact), stage, edit(version="new")))
    assert isinstance(events[0], StageEdited)
    assert events[0].intent == StageIntent(is_new_version=True, index=1)
    assert events[1] == StageBaseChanged(index=1)


def test_new_in_place_appends_a_version() -> None:
    event = one(*events_of(decide_edit(chain(committed_with_files()), None, edit(version="new"))))
    assert event == ArtifactEdited(content=StagedContent(), version_index=1, new_version_name="v1")


def test_new_in_place_takes_the_next_free_name() -> None:
    artifact = artifact_of([created(version_name="v1")])
    event = one(*events_of(decide_edit(chain(artifact), None, edit(version="new"))))
    assert isinstance(event, ArtifactEdited)
    assert event.new_version_name == "v2"


def test_an_existing_version_is_edited_by_name() -> None:
    artifact = artifact_of(
        [created(), ArtifactEdited(content=StagedContent(manifest={"n": 2}), version_index=1, new_version_name="v1")]
    )
    event = one(*events_of(decide_edit(chain(artifact), None, edit(version="v0", manifest={"n": 0}))))
    assert event == ArtifactEdited(content=StagedContent(manifest={"n": 0}), version_index=0)
    after = artifact_of(
        [
            created(),
            ArtifactEdited(content=StagedContent(manifest={"n": 2}), version_index=1, new_version_name="v1"),
            event,
        ]
    )
    assert after.manifest == {"n": 2}
    assert [entry.manifest_at for entry in after.versions] == [3, 2]


def test_staging_an_older_version_leaves_its_manifest_to_it() -> None:
    artifact = artifact_of([created(), ArtifactEdited(content=StagedContent(), version_index=1, new_version_name="v1")])
    opened = events_of(decide_edit(chain(artifact), None, edit(version="v0", stage=True)))[0]
    assert isinstance(opened, StageOpened)
    assert opened.content.manifest is UNSET
    assert opened.intent == StageIntent(is_new_version=False, index=0)


def test_an_edit_in_place_beside_a_stage_is_stale() -> None:
    artifact, stage = staged()
    with pytest.raises(StaleFactsError):
        decide_edit(chain(artifact), stage, edit(stage=False))


@pytest.mark.parametrize("stage", [None, True, False])
def test_custom_version_names_are_refused(stage: bool | None) -> None:
    with pytest.raises(InvalidArgumentError, match="Invalid version 'v9'"):
        decide_edit(chain(artifact_of([created()])), None, edit(version="v9", stage=stage))


def test_config_replaces_all_but_what_decides_access() -> None:
    event = one(*events_of(decide_edit(chain(artifact_of([created()])), None, edit(config={"size": 1}))))
    assert isinstance(event, ArtifactEdited)
    assert event.content.config == {"permissions": {"alice": "*"}, "size": 1}


def test_permissions_alone_keep_the_config() -> None:
    event = one(*events_of(decide_edit(chain(artifact_of([created()])), None, edit(permissions={"*": "r"}))))
    assert isinstance(event, ArtifactEdited)
    assert event.content.config == {"permissions": {"*": "r"}, "color": "red"}


def test_changing_who_has_access_needs_everything() -> None:
    artifact = artifact_of([created(config={"permissions": {"bob": "rw", "alice": "*"}})])
    with pytest.raises(PermissionDeniedError, match="'manage_permissions'"):
        decide_edit(chain(artifact, viewer=user("bob")), None, edit(permissions={"bob": "*"}))
    with pytest.raises(PermissionDeniedError, match="'manage_permissions'"):
        decide_edit(chain(artifact, viewer=user("bob")), None, edit(permissions={"bob": "*"}, stage=True))
    assert decide_edit(chain(artifact, viewer=user("bob")), None, edit(config={"x": 1})).events
    assert decide_edit(chain(artifact, viewer=user("alice")), None, edit(permissions={"bob": "*"})).events


def test_unknown_levels_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="Invalid permission 'rx' for 'bob'"):
        decide_edit(chain(artifact_of([created()])), None, edit(permissions={"bob": "rx"}))


def collection(permissions: dict[str, str], schema: dict[str, Any] | None = None) -> Artifact:
    config: dict[str, Any] = {"permissions": permissions}
    if schema:
        config["collection_schema"] = schema
    return artifact_of([created(alias="gallery", type="collection", config=config)], name="gallery")


def child(**fields: Any) -> Artifact:
    return artifact_of([created(parent_id=uid("gallery"), **fields)])


def test_in_place_needs_mutate_on_the_parent() -> None:
    mine = child(config={"permissions": {"bob": "*"}})
    parent = collection({"bob": "r+"})
    with pytest.raises(PermissionDeniedError, match="no mutate permission"):
        decide_edit(chain(mine, parent, viewer=user("bob")), None, edit(manifest={}))
    assert decide_edit(chain(mine, collection({"bob": "rw"}), viewer=user("bob")), None, edit(manifest={})).events


def test_staging_needs_the_right_on_the_child_alone() -> None:
    mine = child(config={"permissions": {"bob": "*"}})
    assert decide_edit(chain(mine, collection({"bob": "r"}), viewer=user("bob")), None, edit(stage=True)).events
    with pytest.raises(PermissionDeniedError, match="'edit'"):
        decide_edit(chain(mine, collection({"carol": "rw+"}), viewer=user("carol")), None, edit(stage=True))


def test_a_committed_edit_must_conform_to_the_schema() -> None:
    parent = collection({}, {"type": "object", "required": ["name"]})
    with pytest.raises(SchemaViolationError):
        decide_edit(chain(child(), parent), None, edit(manifest={}))
    assert decide_edit(chain(child(), parent), None, edit(manifest={}, stage=True)).events


def test_editing_an_empty_artifact_makes_its_first_version() -> None:
    artifact = artifact_of([created(stage_id=uid("s"))])
    emptied = artifact_of([created(stage_id=uid("s")), _discarded()])
    assert artifact.stage is not None
    event = one(*events_of(decide_edit(chain(emptied), None, edit(manifest={"name": "two"}))))
    assert event == ArtifactEdited(
        content=StagedContent(manifest={"name": "two"}), version_index=0, new_version_name="v0"
    )


def _discarded() -> Event:
    from domain.artifact.events import StageDiscarded

    return StageDiscarded(stage_id=uid("s"))


def test_unset_fields_stay_unset() -> None:
    event = one(*events_of(decide_edit(chain(artifact_of([created()])), None, edit(type="model"))))
    assert isinstance(event, ArtifactEdited)
    assert event.content.manifest is UNSET
    assert event.content.type == "model"


def staged_new_version(*, copied: bool) -> tuple[Artifact, Any]:
    committed = committed_with_files()
    outcome = decide_edit(chain(committed), None, edit(stage=True, version="new", copy_files=copied))
    opened, started = events_of(outcome)
    events: list[Event] = [
        created(stage_id=uid("stage0")),
        ArtifactCommitted(
            stage_id=uid("stage0"),
            version_index=0,
            version_name="v0",
            is_new_version=True,
            content=StagedContent(manifest={"name": "one"}),
            tree=TREE,
        ),
        opened,
    ]
    return artifact_of(events), stage_of([started], name="fresh")


def test_asking_for_a_new_version_again_keeps_the_copied_files() -> None:
    artifact, stage = staged_new_version(copied=True)
    assert [type(event) for event in events_of(decide_edit(chain(artifact), stage, edit(version="new")))] == [
        StageEdited
    ]


def test_files_may_be_copied_after_all() -> None:
    artifact, stage = staged_new_version(copied=False)
    changed = events_of(decide_edit(chain(artifact), stage, edit(version="new", copy_files=True)))[1]
    assert changed == StageBaseChanged(index=1, base=TREE)


def test_a_mark_to_go_is_about_the_version_being_staged_though_another_one_has_the_same_tree() -> None:
    artifact, stage = staged_new_version(copied=True)
    uploaded = FileUploaded(
        path="new", upload_id=uid("upload"), file=StoredFile(key="k", size_bytes=1, etag="e", modified_at=1)
    )
    stage = stage_after(stage, uploaded, FileRemoved(path="old", is_marked=True))
    changed = events_of(decide_edit(chain(artifact), stage, edit(stage=True, version="v0")))[1]
    assert changed == StageBaseChanged(index=0, base=TREE)
    aimed = stage_after(stage, changed)
    assert list(aimed.removed) == []
    assert list(aimed.files) == ["new"]


def test_a_mark_to_go_stays_when_the_stage_is_aimed_at_the_same_version_again() -> None:
    artifact, stage = staged_new_version(copied=True)
    marked = stage_after(stage, FileRemoved(path="old", is_marked=True))
    edited = edit(stage=True, version="new", copy_files=True)
    assert [type(event) for event in events_of(decide_edit(chain(artifact), marked, edited))] == [StageEdited]


def test_the_first_version_of_an_empty_artifact_holds_its_manifest() -> None:
    events: list[Event] = [created(stage_id=uid("s")), _discarded()]
    made = one(*events_of(decide_edit(chain(artifact_of(events)), None, edit(type="model"))))
    assert isinstance(made, ArtifactEdited)
    assert made.content.manifest == {"name": "one"}
    assert artifact_of([*events, made]).versions[0].manifest_at == 3
