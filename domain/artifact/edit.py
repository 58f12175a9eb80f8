"""The decision to edit an artifact, in place or in a stage."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from domain.artifact.chain import Chain
from domain.artifact.config import changes_access, replaced_config
from domain.artifact.events import ArtifactEdited, StagedContent, StageEdited, StageIntent, StageOpened
from domain.artifact.names import next_version_name
from domain.artifact.schema import check_against_schema
from domain.artifact.secrets import SecretsChange, secrets_emits
from domain.artifact.state import Artifact, effective, given_json
from domain.artifact.versions import base_tree, intent_after, keeps_marks, staged_base, version_at
from domain.errors import StaleFactsError
from domain.events import Emit, Event, JsonObject, Outcome
from domain.ids import StreamKey, artifact_key, stage_key
from domain.permissions import Operation, may, may_commit, may_edit_in_place, may_manage_permissions, may_stage, require
from domain.stage.events import StageBaseChanged, StageStarted
from domain.stage.state import Stage, stage_prefix


class EditArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """What an edit gives; a None means that it does not.

    `stage` has three values, as the callers know them. `new_stage_id` is used when a stage opens. `secrets` are in
    force at once on every way, because a stage is already filled with their help.
    """

    manifest: JsonObject | None = None
    config: Mapping[str, Any] | None = None
    permissions: Mapping[str, Any] | None = None
    type: str | None = None
    version: str | None = None
    stage: bool | None = None
    copy_files: bool = False
    new_stage_id: UUID
    secrets: SecretsChange | None = None


def is_staged_edit(artifact: Artifact, edit: EditArtifact) -> bool:
    """Tell whether the edit goes into a stage: asked for, by version "stage", or because one is open already."""
    return edit.stage is True or edit.version == "stage" or (artifact.stage is not None and edit.stage is None)


def edited_secrets(chain: Chain, edit: EditArtifact) -> tuple[Emit, ...]:
    """Give the events of the secrets that the edit sets, with the right to set them checked.

    Raises:
        PermissionDeniedError: The caller may not set secrets here.
        InvalidArgumentError: There would be too many.
        TooLargeError: They would be too large together.
    """
    if edit.secrets is not None:
        require(may(chain.viewer, Operation.SET_SECRET, chain.nodes))
    return secrets_emits(chain.artifact, edit.secrets)


def edited_content(chain: Chain, edit: EditArtifact) -> StagedContent:
    """Give the fields that the edit sets, with the rights to set them checked.

    Raises:
        PermissionDeniedError: It changes what decides access, and the caller has not `*`.
        InvalidArgumentError: The permissions have a wrong shape.
    """
    current = effective(chain.artifact).config
    config = replaced_config(given_json(current), edit.config, edit.permissions)
    if config is not None and changes_access(given_json(current), config):
        require(may_manage_permissions(chain.viewer, chain.nodes))
    return StagedContent(
        manifest=UNSET if edit.manifest is None else edit.manifest,
        config=UNSET if config is None else config,
        type=UNSET if edit.type is None else edit.type,
    )


def decide_edit(chain: Chain, stage: Stage | None, edit: EditArtifact) -> Outcome:
    """Edit an artifact in its stage, or in place when it has none.

    `stage` is the open stage. An edit with `stage=False` of a staged artifact is a commit, not this decision.

    Raises:
        PermissionDeniedError: The caller may not edit it so.
        InvalidArgumentError: The version is unknown, or the permissions have a wrong shape.
        SchemaViolationError: A committed manifest would not conform to the schema of the collection.
        StaleFactsError: A stage has been opened since the edit was found to be one in place.
    """
    if is_staged_edit(chain.artifact, edit):
        outcome = _edit_stage(chain, stage, edit)
    elif chain.artifact.stage is not None:
        raise StaleFactsError
    else:
        outcome = _edit_in_place(chain, edit)
    return Outcome(events=(*outcome.events, *edited_secrets(chain, edit)))


def _edit_stage(chain: Chain, stage: Stage | None, edit: EditArtifact) -> Outcome:
    artifact = chain.artifact
    require(may_stage(chain.viewer, chain.nodes))
    intent = intent_after(artifact, edit.version)
    content = edited_content(chain, edit)
    if artifact.stage is None or stage is None:
        base = base_tree(artifact, intent, copy_files=edit.copy_files)
        opened = StageOpened(stage_id=edit.new_stage_id, intent=intent, content=content)
        prefix = stage_prefix(artifact.id, intent.index, edit.new_stage_id)
        started = StageStarted(artifact_id=artifact.id, index=intent.index, prefix=prefix, base=base)
        return _outcome(artifact, (artifact_key(artifact.id), opened), (stage_key(edit.new_stage_id), started))
    stage_id = artifact.stage.stage_id
    edited = StageEdited(stage_id=stage_id, intent=intent, content=content)
    changes: list[tuple[StreamKey, Event]] = [(artifact_key(artifact.id), edited)]
    base = staged_base(artifact, stage, edit.version, copy_files=edit.copy_files)
    if not keeps_marks(artifact, stage, edit.version, base):
        changes.append((stage_key(stage_id), StageBaseChanged(index=intent.index, base=base)))
    return _outcome(artifact, *changes)


def _edit_in_place(chain: Chain, edit: EditArtifact) -> Outcome:
    artifact = chain.artifact
    if artifact.is_committed:
        require(may_edit_in_place(chain.viewer, chain.nodes))
    else:
        require(may_stage(chain.viewer, chain.nodes))
        require(may_commit(chain.viewer, chain.nodes, is_first_commit=True))
    intent = intent_after(artifact, edit.version)
    content = edited_content(chain, edit)
    if artifact.latest is None:
        # The first version needs its manifest in the event that makes it.
        given = artifact.manifest if content.manifest is UNSET else content.manifest
        content = msgspec.structs.replace(content, manifest=given)
        intent = StageIntent(is_new_version=True, index=artifact.next_index)
    parent = chain.parent
    if parent is not None and (schema := parent.config.get("collection_schema")):
        manifest = artifact.manifest if content.manifest is UNSET else given_json(content.manifest)
        check_against_schema(schema, manifest)
    name = None
    if intent.is_new_version:
        name = next_version_name(intent.index, {entry.name for entry in artifact.versions})
    target = version_at(artifact, intent.index)
    edited = ArtifactEdited(
        content=content,
        version_index=intent.index,
        new_version_name=name,
        tree=base_tree(artifact, intent, copy_files=edit.copy_files) if target is None else None,
    )
    return _outcome(artifact, (artifact_key(artifact.id), edited))


def _outcome(artifact: Artifact, *changes: tuple[StreamKey, Event]) -> Outcome:
    return Outcome(
        events=tuple(
            Emit(key=key, event=event, workspace=artifact.workspace, artifact_id=artifact.id) for key, event in changes
        )
    )
