"""Copying an artifact."""

from typing import Any

import pytest

from domain.alias import Alias
from domain.artifact.chain import Chain
from domain.artifact.claims import claims_of
from domain.artifact.create import CreateArtifact
from domain.artifact.duplicate import CopyArtifact, decide_duplicate
from domain.artifact.events import (
    ArtifactCommitted,
    ArtifactCreated,
    ArtifactDeleted,
    FilesLent,
    SecretsChanged,
    StagedContent,
)
from domain.artifact.state import Artifact
from domain.errors import AlreadyExistsError, InvalidStateError, PermissionDeniedError, StaleFactsError
from domain.events import Event, Outcome
from domain.ids import artifact_key
from domain.permissions import Viewer
from domain.stage.events import StageStarted
from domain.trees import TreeRoot
from tests.support.given import ADMIN, artifact_of, chain, events_of, refused, uid, user

TREE = TreeRoot(key="k", sha256=b"s", file_count=2, size_bytes=30)
CONFIG: dict[str, Any] = {
    "permissions": {"bob": "r", "carl": "rw"},
    "id_parts": {"a": ["b"]},
    "zenodo": {"id": 1},
    "mine": 1,
}
NOWHERE = Chain(viewer=ADMIN, artifacts=())


def source(*more: Event, config: Any = CONFIG, tree: TreeRoot | None = TREE, is_committed: bool = True) -> Artifact:
    created = ArtifactCreated(
        workspace="ws",
        alias="source",
        type="dataset",
        manifest={"name": "Old"},
        config=config,
        stage_id=uid("stage"),
        download_weights={"a.txt": 500},
    )
    committed = ArtifactCommitted(
        stage_id=uid("stage"),
        version_index=0,
        version_name="v0",
        is_new_version=True,
        content=StagedContent(manifest={"name": "Source", "secrets": "x"}),
        tree=tree,
    )
    return artifact_of([created, *((committed,) if is_committed else ()), *more], name="source")


def copy(*, is_draft: bool = False, secrets: Any = None, creators: tuple[str, ...] = ("dora",)) -> CopyArtifact:
    new = CreateArtifact(
        artifact_id=uid("copy"),
        workspace="other",
        alias="copy",
        type=None,
        manifest={},
        config={},
        stage_id=uid("new-stage") if is_draft else None,
    )
    return CopyArtifact(new=new, creators=creators, sealed_from=secrets)


def duplicated(artifact: Artifact, copied: CopyArtifact, viewer: Viewer = ADMIN) -> Outcome:
    return decide_duplicate(copied, chain(artifact, viewer=viewer), NOWHERE, None, None)


def created(outcome: Outcome) -> ArtifactCreated:
    return next(event for event in events_of(outcome) if isinstance(event, ArtifactCreated))


def test_the_copy_has_content_and_files_and_the_source_lends_them() -> None:
    outcome = duplicated(source(), copy())
    lent = outcome.events[0]
    assert (lent.key, lent.event) == (artifact_key(uid("source")), FilesLent(borrower=uid("copy")))
    assert created(outcome) == ArtifactCreated(
        workspace="other",
        alias="copy",
        type="dataset",
        manifest={"name": "Source"},
        config={"permissions": {"bob": "r", "carl": "rw", "dora": "*"}, "mine": 1},
        download_weights={"a.txt": 500},
        duplicate_of=uid("source"),
        tree=TREE,
    )
    artifact = artifact_of([created(outcome)], name="copy")
    (version,) = artifact.versions
    assert (version.name, version.index, version.comment, version.tree) == ("v0", 0, None, TREE)


def test_a_draft_starts_from_the_files() -> None:
    outcome = duplicated(source(), copy(is_draft=True))
    (started,) = (event for event in events_of(outcome) if isinstance(event, StageStarted))
    assert started.base == TREE
    assert created(outcome).tree is None


def test_without_files_nothing_is_lent() -> None:
    assert not any(isinstance(event, FilesLent) for event in events_of(duplicated(source(tree=None), copy())))


def test_a_loan_shows_nowhere_but_in_the_claims() -> None:
    before, after = source(), source(FilesLent(borrower=uid("copy")), FilesLent(borrower=uid("copy")))
    assert (after.last_modified, after.versions) == (before.last_modified, before.versions)
    assert claims_of(after, None).borrowers == {uid("copy")}
    gone = source(FilesLent(borrower=uid("copy")), ArtifactDeleted(delete_files=True))
    assert claims_of(gone, None).borrowers == {uid("copy")}
    assert not claims_of(gone, None).trees


def test_the_copy_has_the_grants_alone_that_its_maker_may_see() -> None:
    config = created(duplicated(source(), copy(), user("bob"))).config
    assert config["permissions"] == {"bob": "r", "dora": "*"}


def test_a_caller_without_an_identity_gives_no_access() -> None:
    open_source = source(config={"permissions": {"*": "r"}, "inherit_writes": True})
    config = created(duplicated(open_source, copy(creators=()), Viewer(levels=(("*",),), is_anonymous=True))).config
    assert config == {"permissions": {}}


def test_reading_is_asked_of_the_source() -> None:
    refused(PermissionDeniedError, lambda: duplicated(source(), copy(), user("eve")), "read")
    reader = source(config={"permissions": {"eve": ["read"]}})
    refused(PermissionDeniedError, lambda: duplicated(reader, copy(), user("eve")), "get_file")
    empty = source(config={"permissions": {"eve": ["read"]}}, tree=None)
    assert events_of(duplicated(empty, copy(), user("eve")))


def test_secrets_need_their_own_right() -> None:
    with_secret = source(SecretsChanged(sealed={"a": b"1"}))
    refused(
        PermissionDeniedError, lambda: duplicated(with_secret, copy(secrets={"a": b"1"}), user("bob")), "get_secret"
    )
    with pytest.raises(StaleFactsError):
        duplicated(with_secret, copy(secrets={"a": b"0"}))
    assert created(duplicated(with_secret, copy(secrets={"a": b"1"}))).manifest["secrets"] == "x"


def test_what_was_never_committed_cannot_be_copied() -> None:
    refused(InvalidStateError, lambda: duplicated(source(is_committed=False), copy()), "no committed version")


def test_the_rules_of_creation_hold() -> None:
    taken = Alias(version=1, artifact_id=uid("somebody"))
    refused(
        AlreadyExistsError,
        lambda: decide_duplicate(copy(), chain(source()), NOWHERE, taken, None),
        "already exists",
    )
    not_there = Chain(viewer=user("dora"), artifacts=())
    refused(
        PermissionDeniedError,
        lambda: decide_duplicate(copy(), chain(source()), not_there, None, None),
        "workspace 'other'",
    )
