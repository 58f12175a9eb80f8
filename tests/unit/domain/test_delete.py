"""Deleting versions, and what is below a deleted collection."""

from typing import Any

import pytest

from domain.artifact.delete import decide_delete_below, decide_delete_version
from domain.artifact.events import (
    ArtifactCreated,
    ArtifactDeleted,
    ArtifactEdited,
    ParentSet,
    StagedContent,
    StageIntent,
    StageOpened,
    VersionDeleted,
)
from domain.artifact.state import Artifact
from domain.artifact.versions import version_to_delete
from domain.errors import InvalidStateError, PermissionDeniedError, StaleFactsError, VersionNotFoundError
from domain.events import Event, Outcome
from domain.ids import children_counter
from domain.permissions import Viewer
from tests.support.given import ADMIN, artifact_of, chain, events_of, refused, uid, user

BEFORE = {"name": "second"}


def versioned(*more: Event, **config: Any) -> Artifact:
    """An artifact with the versions v0, v1 and r2, whose manifests are named first, second and third."""
    created = ArtifactCreated(workspace="ws", alias="a", manifest={"name": "first"}, config=config)
    edits = [
        ArtifactEdited(content=StagedContent(manifest={"name": name}), version_index=index, new_version_name=version)
        for index, version, name in ((1, "v1", "second"), (2, "r2", "third"))
    ]
    return artifact_of([created, *edits, *more])


def deleted(artifact: Artifact, name: str | int, *, viewer: Viewer = ADMIN, at_version: int | None = None) -> Outcome:
    version = version_to_delete(artifact, name)
    at = artifact.version if at_version is None else at_version
    return decide_delete_version(chain(artifact, viewer=viewer), version, at_version=at, manifest_before=BEFORE)


def staged(index: int, *, is_new: bool) -> StageOpened:
    intent = StageIntent(is_new_version=is_new, index=index)
    return StageOpened(stage_id=uid("stage"), intent=intent, content=StagedContent())


@pytest.mark.parametrize("name", ["v1", 1, "1"])
def test_one_version_goes_and_the_others_stay_as_they_are(name: str | int) -> None:
    before = versioned()
    (event,) = events_of(deleted(before, name))
    assert event == VersionDeleted(version_index=1, version_name="v1")
    after = versioned(event)
    assert after.versions == (before.versions[0], before.versions[2])
    assert (after.manifest, after.next_index) == ({"name": "third"}, 3)


@pytest.mark.parametrize("name", ["latest", "r2", 2])
def test_the_one_before_the_latest_is_the_latest_then(name: str | int) -> None:
    (event,) = events_of(deleted(versioned(), name))
    assert event == VersionDeleted(version_index=2, version_name="r2", manifest=BEFORE)
    after = versioned(event)
    assert after.latest is not None
    assert (after.latest.name, after.manifest, after.next_index) == ("v1", BEFORE, 3)


def test_unknown_versions_are_refused_with_those_that_there_are() -> None:
    artifact = versioned(VersionDeleted(version_index=1, version_name="v1"))
    for name in ("v1", "v5", "1"):
        with pytest.raises(VersionNotFoundError, match=rf"'{name}' does not exist. Available versions: \['v0', 'r2'\]"):
            version_to_delete(artifact, name)
    refused(VersionNotFoundError, lambda: version_to_delete(artifact, 1), "index 1 is out of range. .*indices: 0, 2")


def test_the_only_version_stays() -> None:
    only = artifact_of([ArtifactCreated(workspace="ws", alias="a", manifest={}, config={})])
    refused(InvalidStateError, lambda: deleted(only, "latest"), "only version 'v0'.*delete the artifact")


def test_a_version_that_is_being_changed_stays() -> None:
    refused(InvalidStateError, lambda: deleted(versioned(staged(1, is_new=False)), "v1"), "commit or discard")
    assert events_of(deleted(versioned(staged(1, is_new=False)), "v0"))
    assert events_of(deleted(versioned(staged(3, is_new=True)), "latest"))


def test_it_needs_commit_and_what_was_found_must_still_hold() -> None:
    artifact = versioned(permissions={"bob": "r", "carl": "rw"})
    refused(PermissionDeniedError, lambda: deleted(artifact, "v0", viewer=user("bob")), "commit")
    assert events_of(deleted(artifact, "v0", viewer=user("carl")))
    with pytest.raises(StaleFactsError):
        deleted(artifact, "v0", at_version=artifact.version - 1)


def child(name: str, parent: str, *more: Event) -> Artifact:
    created = ArtifactCreated(workspace="ws", alias=name, parent_id=uid(parent), manifest={}, config={})
    return artifact_of([created, *more], name=name)


def closed(name: str, *, delete_files: bool = False) -> Artifact:
    created = ArtifactCreated(workspace="ws", alias=name, manifest={}, config={})
    return artifact_of([created, ArtifactDeleted(delete_files=delete_files)], name=name)


@pytest.mark.parametrize("gives_up", [False, True])
def test_what_is_in_a_deleted_collection_goes_as_it_did(gives_up: bool) -> None:
    parents = {uid("gone"): closed("gone", delete_files=gives_up)}
    outcome = decide_delete_below([child("one", "gone"), child("two", "gone")], parents)
    ends = [event for event in events_of(outcome) if isinstance(event, ArtifactDeleted)]
    assert ends == [ArtifactDeleted(delete_files=gives_up, reason="collection deleted")] * 2
    assert [type(event).__name__ for event in events_of(outcome)][1::2] == ["AliasReleased"] * 2
    assert outcome.advances == {children_counter(uid("gone")): -2}


def test_what_is_gone_or_lives_elsewhere_stays_as_it_is() -> None:
    living = artifact_of([ArtifactCreated(workspace="ws", alias="there", manifest={}, config={})], name="there")
    parents = {uid("gone"): closed("gone"), uid("there"): living}
    artifacts = [
        child("deleted", "gone", ArtifactDeleted()),
        child("moved", "gone", ParentSet(parent_id=uid("there"))),
        child("at the top", "gone", ParentSet(parent_id=None)),
    ]
    assert decide_delete_below(artifacts, parents) == Outcome()
