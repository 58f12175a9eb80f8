from typing import Any

import pytest

from domain.artifact.commit import CommitStage, decide_commit
from domain.artifact.create import CreateArtifact, decide_create
from domain.artifact.edit import EditArtifact, decide_edit
from domain.artifact.events import ArtifactCommitted, ArtifactCreated, ArtifactEdited, SecretsChanged, StageEdited
from domain.artifact.secrets import (
    MAX_SEALED_BYTES,
    MAX_SECRET_BYTES,
    MAX_SECRET_NAME_BYTES,
    MAX_SECRETS,
    SecretsChange,
    check_secret_name,
    check_secret_value,
    decide_change_secrets,
)
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError, PermissionDeniedError, TooLargeError
from domain.events import Event
from domain.stage.events import StageStarted
from domain.stage.state import Stage
from projections.catalog.document import decode_state, encode_state
from tests.support.given import artifact_of, chain, events_of, stage_of, uid, user

LEVELS = {"alice": "*", "writer": "rw", "drafter": "rd+", "reader": "r", "setter": ["set_secret"]}


def created(**fields: Any) -> ArtifactCreated:
    defaults: dict[str, Any] = {"workspace": "ws", "alias": "a", "manifest": {}, "config": {"permissions": LEVELS}}
    return ArtifactCreated(**{**defaults, **fields})


def given(*events: Event) -> Artifact:
    return artifact_of([created(), *events])


def staged() -> tuple[Artifact, Stage]:
    stage = stage_of([StageStarted(artifact_id=uid("artifact"), index=0, prefix="p")])
    return artifact_of([created(stage_id=uid("stage"))]), stage


def test_a_secret_is_set_and_set_again() -> None:
    change = SecretsChange(sealed={"A": b"1"})
    assert events_of(decide_change_secrets(chain(given()), change)) == [SecretsChanged(sealed={"A": b"1"})]
    state = given(SecretsChanged(sealed={"A": b"0", "B": b"2"}), SecretsChanged(sealed={"A": b"1"}))
    assert state.secrets == {"A": b"1", "B": b"2"}


def test_a_secret_is_removed_and_one_that_is_not_there_is_no_event() -> None:
    state = given(SecretsChanged(sealed={"A": b"1", "B": b"2"}))
    removal = SecretsChange(removed=("A",))
    assert events_of(decide_change_secrets(chain(state), removal)) == [SecretsChanged(removed=("A",))]
    assert events_of(decide_change_secrets(chain(given()), removal)) == []
    assert given(SecretsChanged(sealed={"A": b"1", "B": b"2"}), SecretsChanged(removed=("A",))).secrets == {"B": b"2"}


def test_a_replacement_removes_all_that_it_does_not_set() -> None:
    state = given(SecretsChanged(sealed={"A": b"1", "B": b"2", "C": b"3"}))
    change = SecretsChange(sealed={"B": b"9", "D": b"4"}, is_replacement=True)
    changed = SecretsChanged(sealed={"B": b"9", "D": b"4"}, removed=("A", "C"))
    assert events_of(decide_change_secrets(chain(state), change)) == [changed]
    assert given(SecretsChanged(sealed={"A": b"1", "B": b"2", "C": b"3"}), changed).secrets == {"B": b"9", "D": b"4"}
    empty = SecretsChange(is_replacement=True)
    assert events_of(decide_change_secrets(chain(state), empty)) == [SecretsChanged(removed=("A", "B", "C"))]


@pytest.mark.parametrize(
    ("name", "is_allowed"), [("writer", True), ("setter", True), ("drafter", False), ("reader", False)]
)
def test_who_may_set_secrets(name: str, is_allowed: bool) -> None:
    where = chain(given(), viewer=user(name))
    change = SecretsChange(sealed={"A": b"1"})
    if is_allowed:
        assert len(events_of(decide_change_secrets(where, change))) == 1
    else:
        with pytest.raises(PermissionDeniedError, match="set_secret"):
            decide_change_secrets(where, change)


def test_there_are_so_many_secrets_and_no_more() -> None:
    full = {f"S{number}": b"1" for number in range(MAX_SECRETS)}
    state = given(SecretsChanged(sealed=full))
    assert len(events_of(decide_change_secrets(chain(state), SecretsChange(sealed={"S1": b"2"})))) == 1
    with pytest.raises(InvalidArgumentError, match=f"{MAX_SECRETS} secrets at most"):
        decide_change_secrets(chain(state), SecretsChange(sealed={"another": b"1"}))


def test_all_secrets_together_have_a_limit_and_removing_is_always_possible() -> None:
    state = given(SecretsChanged(sealed={"A": b"1" * MAX_SEALED_BYTES}))
    with pytest.raises(TooLargeError, match=str(MAX_SEALED_BYTES)):
        decide_change_secrets(chain(state), SecretsChange(sealed={"B": b"1"}))
    beyond = given(SecretsChanged(sealed={"A": b"1" * MAX_SEALED_BYTES, "B": b"1"}))
    assert len(events_of(decide_change_secrets(chain(beyond), SecretsChange(removed=("B",))))) == 1


@pytest.mark.parametrize("name", ["", "a\nb", "a\0", "\ud800", "x" * (MAX_SECRET_NAME_BYTES + 1), "é" * 129])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="name of a secret"):
        check_secret_name(name)


def test_what_is_a_name_and_a_value() -> None:
    assert check_secret_name("x" * MAX_SECRET_NAME_BYTES) == "x" * MAX_SECRET_NAME_BYTES
    assert check_secret_name("Schlüssel für S3") == "Schlüssel für S3"
    assert check_secret_value("A", "") == ""
    assert check_secret_value("A", "é" * (MAX_SECRET_BYTES // 2)) == "é" * (MAX_SECRET_BYTES // 2)


def test_no_error_about_a_value_shows_it() -> None:
    for value in (5_1423, ["51423"], {"k": "51423"}, "51423" * MAX_SECRET_BYTES, "51423\ud800", b"51423", True):
        with pytest.raises((InvalidArgumentError, TooLargeError)) as refusal:
            check_secret_value("A", value)
        assert "51423" not in refusal.value.detail
        assert refusal.value.__context__ is None


def test_secrets_given_at_creation_are_an_event_of_their_own() -> None:
    new = CreateArtifact(
        artifact_id=uid("new"),
        workspace="ws",
        alias="n",
        type=None,
        manifest={},
        config={},
        secrets=SecretsChange(sealed={"A": b"1"}),
    )
    events = events_of(decide_create(new, chain(), None, None))
    assert [event for event in events if isinstance(event, SecretsChanged)] == [SecretsChanged(sealed={"A": b"1"})]


def test_an_edit_in_place_and_one_in_a_stage_set_secrets_at_once() -> None:
    change = SecretsChange(sealed={"A": b"1"}, is_replacement=True)
    edit = EditArtifact(new_stage_id=uid("fresh"), secrets=change)
    edited, changed = events_of(decide_edit(chain(given(), viewer=user("writer")), None, edit))
    assert isinstance(edited, ArtifactEdited)
    assert changed == SecretsChanged(sealed={"A": b"1"})
    artifact, stage = staged()
    edited, changed = events_of(decide_edit(chain(artifact, viewer=user("writer")), stage, edit))
    assert isinstance(edited, StageEdited)
    assert changed == SecretsChanged(sealed={"A": b"1"})


def test_an_edit_that_commits_sets_secrets_with_it() -> None:
    artifact, stage = staged()
    edit = EditArtifact(
        new_stage_id=uid("fresh"), stage=False, secrets=SecretsChange(sealed={"A": b"1"}, is_replacement=True)
    )
    commit = CommitStage(stage_version=stage.version, edit=edit)
    events = events_of(decide_commit(chain(artifact), stage, commit))
    assert isinstance(events[0], ArtifactCommitted)
    assert events[-1] == SecretsChanged(sealed={"A": b"1"})


def test_who_may_edit_but_not_set_secrets_changes_nothing_with_them() -> None:
    artifact, stage = staged()
    edit = EditArtifact(new_stage_id=uid("fresh"), manifest={"x": 1}, secrets=SecretsChange(is_replacement=True))
    drafter = chain(artifact, viewer=user("drafter"))
    with pytest.raises(PermissionDeniedError, match="set_secret"):
        decide_edit(drafter, stage, edit)
    assert events_of(decide_edit(drafter, stage, EditArtifact(new_stage_id=uid("fresh"), manifest={"x": 1})))


def test_the_catalog_keeps_no_ciphertext() -> None:
    state = given(SecretsChanged(sealed={"SOME_NAME": b"ciphertext"}))
    data = encode_state(state)
    assert b"SOME_NAME" not in data
    assert decode_state(data).secrets == {}
    assert state.secrets == {"SOME_NAME": b"ciphertext"}
