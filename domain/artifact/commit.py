"""The decisions that close a stage: commit and discard."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from domain.artifact.chain import Chain
from domain.artifact.config import SERVICE_KEYS
from domain.artifact.edit import EditArtifact, edited_content, edited_secrets
from domain.artifact.events import ArtifactCommitted, StagedContent, StageDiscarded, StageIntent
from domain.artifact.names import check_version_name, next_version_name
from domain.artifact.schema import check_against_schema
from domain.artifact.state import Artifact, given_json, merge_content
from domain.artifact.versions import intent_after, version_at
from domain.errors import FileMissingError, InvalidStateError, NothingStagedError, StaleFactsError, VersionExistsError
from domain.events import Emit, Outcome
from domain.ids import artifact_key, stage_key
from domain.permissions import may_commit, may_discard, may_stage, require
from domain.stage.events import StageEnded
from domain.stage.state import Stage
from domain.trees import TreeRoot


class CommitStage(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit gives: a name for a new version, the tree that was built, and an edit made together with it.

    `tree` was built from the stage at version `stage_version`.
    """

    version: str | None = None
    tree: TreeRoot | None = None
    stage_version: int
    edit: EditArtifact | None = None


def commit_intent(artifact: Artifact, edit: EditArtifact | None) -> StageIntent:
    """Say what the commit will do: a new version whenever there is none yet, else what the stage intends.

    Raises:
        InvalidStateError: Nothing is staged.
    """
    if artifact.stage is None:
        raise InvalidStateError("Artifact must be in staging mode to commit.")
    intent = intent_after(artifact, edit.version if edit else None)
    if not artifact.versions:
        return StageIntent(is_new_version=True, index=artifact.next_index)
    return intent


def check_complete(stage: Stage) -> None:
    """Refuse a stage with files that were announced but never uploaded, or whose upload in parts is not completed.

    Raises:
        FileMissingError: It names the first such file and counts the others.
    """
    if stage.uploads:
        path = min(upload.path for upload in stage.uploads.values())
        others = f" ({len(stage.uploads) - 1} more are open)" if len(stage.uploads) > 1 else ""
        raise FileMissingError(
            f"File '{path}' does not exist in the artifact: its multipart upload is not completed.{others} "
            "Complete it, or remove the file."
        )
    missing = sorted(path for path, staged in stage.files.items() if staged.file is None)
    if missing:
        others = f" ({len(missing) - 1} more were announced but not uploaded)" if len(missing) > 1 else ""
        raise FileMissingError(f"File '{missing[0]}' does not exist in the artifact.{others}")


def decide_commit(chain: Chain, stage: Stage | None, commit: CommitStage) -> Outcome:
    """Make the stage a new version, or the new state of the version it aims at. All or nothing.

    Raises:
        PermissionDeniedError: The caller may not commit it.
        FileMissingError: An announced file was never uploaded.
        VersionExistsError: The name of the new version is taken.
        SchemaViolationError: The manifest does not conform to the schema of the collection.
        StaleFactsError: The stage has changed since the tree was built.
    """
    artifact = chain.artifact
    require(may_commit(chain.viewer, chain.nodes, is_first_commit=not artifact.is_committed))
    if artifact.stage is None and commit.edit is not None:
        raise StaleFactsError
    intent = commit_intent(artifact, commit.edit)
    if stage is None or stage.version != commit.stage_version:
        raise StaleFactsError
    check_complete(stage)
    content = _content(chain, intent, commit.edit)
    parent = chain.parent
    if parent is not None and content.manifest is not UNSET and (schema := parent.config.get("collection_schema")):
        check_against_schema(schema, given_json(content.manifest))
    committed = ArtifactCommitted(
        stage_id=stage.id,
        version_index=intent.index,
        version_name=_version_name(artifact, intent, commit.version),
        is_new_version=intent.is_new_version,
        content=content,
        tree=commit.tree,
        download_weights=_weights(stage),
    )
    closing = closing_events(artifact, stage, committed, StageEnded(outcome="committed"))
    secrets = edited_secrets(chain, commit.edit) if commit.edit is not None else ()
    return Outcome(events=(*closing.events, *secrets))


def _content(chain: Chain, intent: StageIntent, edit: EditArtifact | None) -> StagedContent:
    """Give what the version will hold. The manifest stays unset where an existing version keeps its own."""
    artifact = chain.artifact
    given = artifact.stage.content if artifact.stage else StagedContent()
    if edit is not None:
        require(may_stage(chain.viewer, chain.nodes))
        given = merge_content(given, edited_content(chain, edit))
    content = merge_content(
        StagedContent(manifest=artifact.manifest, config=artifact.config, type=artifact.type), given
    )
    if not intent.is_new_version:
        content = msgspec.structs.replace(content, manifest=given.manifest)
    kept: Mapping[str, Any] = {key: artifact.config[key] for key in SERVICE_KEYS if key in artifact.config}
    return msgspec.structs.replace(content, config={**given_json(content.config), **kept})


def _version_name(artifact: Artifact, intent: StageIntent, asked: str | None) -> str:
    names = [entry.name for entry in artifact.versions]
    if not intent.is_new_version:
        entry = version_at(artifact, intent.index)
        if entry is None:
            raise InvalidStateError("The version that is being edited does not exist any more.")
        return entry.name
    if asked is None:
        return next_version_name(intent.index, names)
    if asked in names:
        raise VersionExistsError(f"Version '{asked}' already exists. Existing versions: {names}")
    return check_version_name(asked)


def _weights(stage: Stage) -> dict[str, int]:
    return {path: staged.weight_milli for path, staged in stage.files.items() if staged.weight_milli}


def decide_discard(chain: Chain, stage: Stage | None, reason: str = "requested") -> Outcome:
    """End the stage and its claim on what was uploaded; what is committed stays as it was.

    Raises:
        NothingStagedError: Nothing is staged.
        PermissionDeniedError: The caller may neither edit the artifact nor review it.
    """
    artifact = chain.artifact
    require(may_discard(chain.viewer, chain.nodes))
    if artifact.stage is None or stage is None:
        raise NothingStagedError("No staged changes to discard. Artifact is not in staging mode.")
    discarded = StageDiscarded(stage_id=stage.id, reason=reason)
    return closing_events(artifact, stage, discarded, StageEnded(outcome="discarded"))


def closing_events(
    artifact: Artifact, stage: Stage, closed: ArtifactCommitted | StageDiscarded, ended: StageEnded
) -> Outcome:
    """Give the events that close a stage, one for its artifact and one for itself."""
    events = ((artifact_key(artifact.id), closed), (stage_key(stage.id), ended))
    return Outcome(
        events=tuple(
            Emit(key=key, event=event, workspace=artifact.workspace, artifact_id=artifact.id) for key, event in events
        )
    )
