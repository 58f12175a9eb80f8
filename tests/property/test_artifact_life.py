"""An artifact's life, as a state machine against a plain model: every version reads exactly what was put into it."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.errors import (
    AlreadyExistsError,
    ArtifactNotFoundError,
    InvalidStateError,
    NothingStagedError,
    VersionExistsError,
)
from tests.support.life import LocalService, ModelArtifact, ModelStage, ModelVersion

ALIASES = st.sampled_from(["first", "second"])
PATHS = st.sampled_from(["a.txt", "b.bin", "d/c.txt", "d/e/f.txt"])
CONTENTS = st.text(alphabet="ab\né", max_size=20)
MANIFESTS = st.fixed_dictionaries({"name": st.sampled_from(["x", "y", "z"]), "n": st.integers(0, 9)})
MAYBE_MANIFESTS = st.none() | MANIFESTS
NAMES = st.sampled_from([None, "v0", "v1", "r1", "r2"])


class ArtifactLife(RuleBasedStateMachine):
    """Does with two artifacts what callers do, and compares all that can be read after every step."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.service = LocalService(Path(self._directory.name) / "data")
        self.model: dict[str, ModelArtifact] = {}

    def teardown(self) -> None:
        self.service.close()
        self._directory.cleanup()

    # Creation and end.

    @rule(alias=ALIASES, manifest=MANIFESTS, is_draft=st.booleans())
    def create(self, alias: str, manifest: dict[str, Any], is_draft: bool) -> None:
        if alias in self.model:
            with pytest.raises(AlreadyExistsError):
                self.service.call("create", alias=alias, manifest=manifest, stage=is_draft)
            return
        record = self.service.call("create", alias=alias, manifest=manifest, stage=is_draft)
        artifact = self.model[alias] = ModelArtifact(manifest)
        if is_draft:
            artifact.stage = ModelStage(None, {}, None)
        else:
            self._add_version(artifact, record, ModelVersion(manifest, {}))

    @rule(alias=ALIASES)
    def delete(self, alias: str) -> None:
        if self.model.pop(alias, None) is None:
            with pytest.raises(ArtifactNotFoundError):
                self.service.call("delete", artifact_id=alias)
        else:
            self.service.call("delete", artifact_id=alias)

    @rule()
    def restart(self) -> None:
        self.service.stop()
        self.service.start()

    # Edits.

    @precondition(lambda self: self.model)
    @rule(data=st.data(), manifest=MANIFESTS, is_copied=st.booleans())
    def edit_in_place(self, data: st.DataObject, manifest: dict[str, Any], is_copied: bool) -> None:
        alias, artifact = self._pick(data)
        if artifact.stage is not None:
            return
        version = data.draw(st.sampled_from([None, "new", *artifact.versions]))
        record = self.service.call(
            "edit", artifact_id=alias, manifest=manifest, version=version, copy_files=is_copied and version == "new"
        )
        target = artifact.latest if version is None else version
        if target is None or target == "new":
            files = artifact.base_of(None, is_copied=is_copied and version == "new")
            self._add_version(artifact, record, ModelVersion(manifest, files))
        else:
            artifact.versions[target].manifest = manifest

    @precondition(lambda self: self.model)
    @rule(data=st.data(), manifest=MAYBE_MANIFESTS, is_copied=st.booleans())
    def stage(self, data: st.DataObject, manifest: dict[str, Any] | None, is_copied: bool) -> None:
        alias, artifact = self._pick(data)
        version = data.draw(st.sampled_from([None, "new", *artifact.versions]))
        is_copied = is_copied and version == "new"
        self.service.call(
            "edit", artifact_id=alias, manifest=manifest, version=version, stage=True, copy_files=is_copied
        )
        if version is None:
            target = artifact.latest if artifact.stage is None else artifact.stage.target
        else:
            target = None if version == "new" else version
        base = artifact.base_of(target, is_copied=is_copied)
        if artifact.stage is None:
            artifact.stage = ModelStage(target, base, manifest)
            return
        if version is not None:
            artifact.stage.aim(target, base, is_copied=is_copied)
        if manifest is not None:
            artifact.stage.manifest = manifest

    # Files.

    @precondition(lambda self: self.model)
    @rule(data=st.data(), path=PATHS, content=CONTENTS)
    def put(self, data: st.DataObject, path: str, content: str) -> None:
        alias, artifact = self._pick(data)
        if artifact.stage is None:
            with pytest.raises(InvalidStateError):
                self.service.call("write_file", artifact_id=alias, file_path=path, content=content)
            return
        self.service.call("write_file", artifact_id=alias, file_path=path, content=content)
        artifact.stage.put[path] = content.encode()
        artifact.stage.removed.discard(path)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), path=PATHS)
    def remove(self, data: st.DataObject, path: str) -> None:
        alias, artifact = self._pick(data)
        if artifact.stage is None:
            with pytest.raises(InvalidStateError):
                self.service.call("remove_file", artifact_id=alias, file_path=path)
            return
        self.service.call("remove_file", artifact_id=alias, file_path=path)
        artifact.stage.put.pop(path, None)
        if path in artifact.stage.base:
            artifact.stage.removed.add(path)

    # The end of a stage.

    @precondition(lambda self: self.model)
    @rule(data=st.data(), name=NAMES)
    def commit(self, data: st.DataObject, name: str | None) -> None:
        alias, artifact = self._pick(data)
        stage = artifact.stage
        if stage is None:
            with pytest.raises(InvalidStateError):
                self.service.call("commit", artifact_id=alias, version=name)
            return
        if stage.target is None and name in artifact.versions:
            with pytest.raises(VersionExistsError):
                self.service.call("commit", artifact_id=alias, version=name)
            return
        record = self.service.call("commit", artifact_id=alias, version=name)
        self._close(artifact, stage, record)
        if stage.target is None and name is not None:
            assert artifact.latest == name

    @precondition(lambda self: self.model)
    @rule(data=st.data(), manifest=MANIFESTS)
    def edit_and_commit(self, data: st.DataObject, manifest: dict[str, Any]) -> None:
        alias, artifact = self._pick(data)
        if artifact.stage is None:
            return
        record = self.service.call("edit", artifact_id=alias, manifest=manifest, stage=False)
        artifact.stage.manifest = manifest
        self._close(artifact, artifact.stage, record)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        alias, artifact = self._pick(data)
        if artifact.stage is None:
            with pytest.raises(NothingStagedError):
                self.service.call("discard", artifact_id=alias)
            return
        self.service.call("discard", artifact_id=alias)
        artifact.stage = None

    # What must hold.

    @invariant()
    def every_version_reads_what_was_put_into_it(self) -> None:
        for alias, artifact in self.model.items():
            record = self.service.call("read", artifact_id=alias, silent=True)
            assert [version["version"] for version in record["versions"]] == list(artifact.versions)
            if artifact.versions:
                assert record["manifest"] == artifact.manifest
            for name, version in artifact.versions.items():
                read = self.service.call("read", artifact_id=alias, version=name, silent=True)
                assert read["manifest"] == version.manifest
                assert self.service.files_of(alias, name) == version.files

    @invariant()
    def every_stage_shows_what_a_commit_would_make(self) -> None:
        for alias, artifact in self.model.items():
            if artifact.stage is not None:
                assert self.service.files_of(alias, "stage") == artifact.stage.files
                if artifact.stage.manifest is not None:
                    staged = self.service.call("read", artifact_id=alias, version="stage", silent=True)
                    assert staged["manifest"] == artifact.stage.manifest

    @invariant()
    def lists_show_the_model(self) -> None:
        def listed(stage: bool | str) -> set[str]:
            return {record["alias"] for record in self.service.call("list", stage=stage, silent=True)}

        committed = {alias for alias, artifact in self.model.items() if artifact.versions}
        staged = {alias for alias, artifact in self.model.items() if artifact.stage is not None}
        assert listed(False) == committed
        assert listed(True) == staged
        # A draft that was discarded has neither, and is there all the same.
        assert listed("all") == set(self.model)
        assert self.service.failures == 0

    # How the model follows.

    def _pick(self, data: st.DataObject) -> tuple[str, ModelArtifact]:
        alias = data.draw(st.sampled_from(sorted(self.model)))
        return alias, self.model[alias]

    def _add_version(self, artifact: ModelArtifact, record: dict[str, Any], version: ModelVersion) -> None:
        names = [entry["version"] for entry in record["versions"]]
        assert names[:-1] == list(artifact.versions)
        assert names[-1] not in artifact.versions
        artifact.versions[names[-1]] = version

    def _close(self, artifact: ModelArtifact, stage: ModelStage, record: dict[str, Any]) -> None:
        artifact.stage = None
        if stage.target is None:
            manifest = artifact.manifest if stage.manifest is None else stage.manifest
            self._add_version(artifact, record, ModelVersion(manifest, stage.files))
            return
        version = artifact.versions[stage.target]
        version.files = stage.files
        if stage.manifest is not None:
            version.manifest = dict(stage.manifest)


ArtifactLife.TestCase.settings = settings(max_examples=30, stateful_step_count=25)
TestArtifactLife = ArtifactLife.TestCase
