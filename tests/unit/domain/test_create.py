from typing import Any

import pytest

from domain.alias import Alias, AliasClaimed, AliasReleased
from domain.artifact.create import CreateArtifact, Replaced, decide_create
from domain.artifact.events import ArtifactCreated, ArtifactDeleted, MarkedAsCollection
from domain.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotEmptyError,
    PermissionDeniedError,
    SchemaViolationError,
)
from domain.ids import children_counter
from domain.permissions import MAX_CHAIN
from domain.stage.events import StageEnded, StageStarted
from tests.support.given import ADMIN, artifact_of, chain, events_of, uid, user


def new(**fields: Any) -> CreateArtifact:
    defaults: dict[str, Any] = {
        "artifact_id": uid("new"),
        "workspace": "ws",
        "alias": "data",
        "type": "generic",
        "manifest": {"name": "Data"},
        "config": {"permissions": {"alice": "*"}},
    }
    return CreateArtifact(**{**defaults, **fields})


def collection(config: dict[str, Any] | None = None, alias: str = "gallery") -> Any:
    created = ArtifactCreated(
        workspace="ws",
        alias=alias,
        type="collection",
        manifest={"name": alias},
        config={"is_collection": True, "permissions": {}, **(config or {})},
    )
    return artifact_of([created], name=alias)


def test_created_committed_at_top_level() -> None:
    outcome = decide_create(new(), chain(), None, None)
    created, claimed = events_of(outcome)
    assert isinstance(created, ArtifactCreated)
    assert created.stage_id is None
    assert claimed == AliasClaimed(workspace="ws", alias="data", artifact_id=uid("new"))
    assert outcome.advances == {}


def test_a_draft_starts_its_stage() -> None:
    outcome = decide_create(new(stage_id=uid("stage")), chain(), None, None)
    started = events_of(outcome)[-1]
    assert started == StageStarted(artifact_id=uid("new"), index=0, prefix=f"{uid('new')}/v0-{uid('stage')}", base=None)


def test_a_child_is_counted_in_its_parent() -> None:
    parent = collection()
    outcome = decide_create(new(), chain(parent), None, None)
    assert outcome.advances == {children_counter(parent.id): 1}


def test_the_first_child_makes_a_collection_of_its_parent() -> None:
    created = ArtifactCreated(workspace="ws", alias="plain", type="generic", manifest={}, config={"permissions": {}})
    parent = artifact_of([created], name="plain")
    outcome = decide_create(new(), chain(parent), None, None)
    assert MarkedAsCollection() in events_of(outcome)
    assert artifact_of([created, MarkedAsCollection()], name="plain").config["is_collection"] is True


def test_a_taken_alias_is_refused() -> None:
    holder = Replaced(chain=chain(collection(alias="data")), children=0)
    alias = Alias(version=1, artifact_id=uid("data"))
    with pytest.raises(AlreadyExistsError, match=r"already exists, please choose a different alias.*ID: ws/data"):
        decide_create(new(), chain(), alias, holder)


def test_a_taken_alias_under_another_parent_is_refused() -> None:
    holder = Replaced(chain=chain(collection(alias="data")), children=0)
    alias = Alias(version=1, artifact_id=uid("data"))
    with pytest.raises(AlreadyExistsError, match="under a different parent"):
        decide_create(new(), chain(collection()), alias, holder)


def test_a_released_alias_is_free() -> None:
    outcome = decide_create(new(), chain(), Alias(version=2, artifact_id=None), None)
    assert len(outcome.events) == 2


def test_overwrite_ends_the_old_life() -> None:
    old = collection(alias="data")
    alias = Alias(version=1, artifact_id=old.id)
    outcome = decide_create(new(overwrite=True), chain(), alias, Replaced(chain=chain(old), children=0))
    deleted = events_of(outcome)[0]
    assert deleted == ArtifactDeleted(reason="replaced", replaced_by=uid("new"))
    assert not any(isinstance(event, AliasReleased) for event in events_of(outcome))


def test_overwrite_ends_the_open_stage_of_the_old_life() -> None:
    created = ArtifactCreated(
        workspace="ws", alias="data", manifest={}, config={"permissions": {}}, stage_id=uid("old stage")
    )
    old = artifact_of([created], name="data")
    alias = Alias(version=1, artifact_id=old.id)
    outcome = decide_create(new(overwrite=True), chain(), alias, Replaced(chain=chain(old), children=0))
    assert StageEnded(outcome="deleted") in events_of(outcome)


def test_overwrite_of_a_collection_with_children_is_refused() -> None:
    old = collection(alias="data")
    alias = Alias(version=1, artifact_id=old.id)
    with pytest.raises(NotEmptyError, match="has 2 child artifacts"):
        decide_create(new(overwrite=True), chain(), alias, Replaced(chain=chain(old), children=2))


def test_overwrite_needs_delete_on_the_old_artifact() -> None:
    old = collection(alias="data")
    alias = Alias(version=1, artifact_id=old.id)
    parent = collection({"permissions": {"bob": "r+"}})
    with pytest.raises(PermissionDeniedError, match="'delete'"):
        decide_create(
            new(overwrite=True),
            chain(parent, viewer=user("bob")),
            alias,
            Replaced(chain=chain(old, viewer=user("bob")), children=0),
        )


def test_top_level_needs_the_workspace() -> None:
    with pytest.raises(PermissionDeniedError, match="orphan artifact in the workspace 'ws'"):
        decide_create(new(), chain(viewer=user("bob")), None, None)


@pytest.mark.parametrize(
    ("level", "is_draft", "text"),
    [
        ("r", True, "create a draft in the collection 'gallery'"),
        ("l+", False, "attach an artifact to the collection 'gallery'"),
        ("n", True, "create a draft"),
    ],
)
def test_a_collection_refuses(level: str, is_draft: bool, text: str) -> None:
    parent = collection({"permissions": {"bob": level}})
    stage_id = uid("stage") if is_draft else None
    with pytest.raises(PermissionDeniedError, match=text):
        decide_create(new(stage_id=stage_id), chain(parent, viewer=user("bob")), None, None)


@pytest.mark.parametrize(("level", "is_draft"), [("l+", True), ("r+", True), ("r+", False), ("rw+", False)])
def test_a_collection_allows(level: str, is_draft: bool) -> None:
    parent = collection({"permissions": {"bob": level}})
    stage_id = uid("stage") if is_draft else None
    assert decide_create(new(stage_id=stage_id), chain(parent, viewer=user("bob")), None, None).events


SCHEMA = {"type": "object", "properties": {"kind": {"enum": ["a"]}}, "required": ["kind"]}


def test_a_committed_child_must_conform_to_the_schema() -> None:
    parent = collection({"collection_schema": SCHEMA})
    with pytest.raises(SchemaViolationError, match=r"ValidationError: .*kind"):
        decide_create(new(), chain(parent), None, None)
    assert decide_create(new(manifest={"kind": "a"}), chain(parent), None, None).events


def test_a_draft_may_be_incomplete() -> None:
    parent = collection({"collection_schema": SCHEMA})
    assert decide_create(new(stage_id=uid("stage")), chain(parent), None, None).events


def test_collections_nest_only_so_deep() -> None:
    parents = [collection(alias=f"level{depth}") for depth in range(MAX_CHAIN)]
    with pytest.raises(InvalidArgumentError, match="nested"):
        decide_create(new(), chain(*parents, viewer=ADMIN), None, None)


def test_an_artifact_cannot_replace_its_own_parent() -> None:
    parent = collection(alias="data")
    alias = Alias(version=1, artifact_id=parent.id)
    with pytest.raises(InvalidArgumentError, match="its own parent"):
        decide_create(new(overwrite=True), chain(parent), alias, Replaced(chain=chain(parent), children=0))
