"""When drafts expire: after their last activity, as their collection says, and never against a change just before."""

from typing import Any

import pytest

from domain.alias import AliasReleased
from domain.artifact.config import check_config
from domain.artifact.events import (
    ArtifactCreated,
    ArtifactDeleted,
    StagedContent,
    StageDiscarded,
    StageEdited,
    StageIntent,
    StageOpened,
)
from domain.artifact.expiry import decide_expiry, ttl_seconds
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError
from domain.events import Event, Outcome
from domain.ids import children_counter
from domain.stage.events import AnnouncedFile, FilesAnnounced, StageEnded, StageStarted
from domain.stage.state import Stage
from tests.support.given import artifact_of, events_of, stage_of, uid

SECOND = 1_000_000
INTENT = StageIntent(is_new_version=False, index=0)
OPENED = StageOpened(stage_id=uid("stage"), intent=INTENT, content=StagedContent())


def artifact(*later: Event, is_draft: bool = False, config: dict[str, Any] | None = None, name: str = "a") -> Artifact:
    parent = uid("parent") if name == "a" else None
    stage_id = uid("stage") if is_draft else None
    created = ArtifactCreated(
        workspace="ws", alias=name, parent_id=parent, manifest={}, config=config or {}, stage_id=stage_id
    )
    return artifact_of([created, *later], name=name)


def stage(*later: Event) -> Stage:
    return stage_of([StageStarted(artifact_id=uid("a"), index=0, prefix="p"), *later])


def expire(
    one: Artifact, its_stage: Stage | None, *parents: Artifact, now: int, children: int = 0, default: int = 10
) -> Outcome:
    return decide_expiry((one, *parents), its_stage, children=children, now=now, default_ttl_seconds=default)


def test_a_first_draft_goes_as_a_whole_and_its_alias_is_free() -> None:
    outcome = expire(artifact(is_draft=True), stage(), now=11 * SECOND)
    assert events_of(outcome) == [
        ArtifactDeleted(delete_files=True, reason="expired"),
        AliasReleased(artifact_id=uid("a")),
        StageEnded(outcome="deleted"),
    ]
    assert outcome.advances == {children_counter(uid("parent")): -1}


def test_a_committed_artifact_only_loses_its_stage() -> None:
    outcome = expire(artifact(OPENED), stage(), now=12 * SECOND)
    assert events_of(outcome) == [
        StageDiscarded(stage_id=uid("stage"), reason="expired"),
        StageEnded(outcome="discarded"),
    ]
    assert outcome.advances == {}


@pytest.mark.parametrize(
    ("one", "its_stage", "last_activity"),
    [
        (artifact(is_draft=True), stage(), 1),
        (artifact(is_draft=True), stage(FilesAnnounced(files=(AnnouncedFile(path="f", upload_id=uid("u")),))), 2),
        (artifact(OPENED, StageEdited(stage_id=uid("stage"), intent=INTENT, content=StagedContent())), stage(), 3),
    ],
)
def test_what_counts_is_the_last_activity_on_files_or_manifest(
    one: Artifact, its_stage: Stage, last_activity: int
) -> None:
    due = (last_activity + 10) * SECOND
    assert expire(one, its_stage, now=due - 1) == Outcome()
    assert expire(one, its_stage, now=due).events


def test_the_nearest_collection_that_says_anything_decides() -> None:
    silent, hasty = artifact(name="silent"), artifact(name="hasty", config={"draft_ttl": 5})
    patient = artifact(name="patient", config={"draft_ttl": 0})
    assert ttl_seconds((), 10) == 10
    assert ttl_seconds((silent,), 10) == 10
    assert ttl_seconds((silent, hasty, patient), 10) == 5
    assert ttl_seconds((patient, hasty), 10) == 0
    draft = artifact(is_draft=True)
    assert expire(draft, stage(), hasty, now=6 * SECOND).events
    assert expire(draft, stage(), patient, now=10**18) == Outcome()
    assert expire(draft, stage(), now=10**18, default=0) == Outcome()


def test_what_an_artifact_says_is_for_those_in_it() -> None:
    collection = artifact(is_draft=True, config={"draft_ttl": 1})
    assert expire(collection, stage(), now=10 * SECOND) == Outcome()


def test_a_value_from_before_it_meant_anything_is_passed_over() -> None:
    for value in ("soon", -1, 1.5, True, None):
        assert ttl_seconds((artifact(name="odd", config={"draft_ttl": value}),), 10) == 10


def test_what_is_not_staged_any_more_stays() -> None:
    late = 10**18
    assert expire(artifact(), None, now=late) == Outcome()
    assert expire(artifact(is_draft=True), stage(StageEnded(outcome="committed")), now=late) == Outcome()
    assert expire(artifact(is_draft=True, name="b"), None, now=late) == Outcome()


def test_a_first_draft_with_children_stays_as_long_as_they_do() -> None:
    assert expire(artifact(is_draft=True), stage(), now=10**18, children=1) == Outcome()
    assert expire(artifact(OPENED), stage(), now=10**18, children=1).events


@pytest.mark.parametrize("value", [-1, 1.5, True, "1", None, 10**12])
def test_only_whole_seconds_are_a_time_to_live(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="draft_ttl must be whole seconds"):
        check_config({"draft_ttl": value})
    check_config({"draft_ttl": 0})
    check_config({"draft_ttl": 3600})
