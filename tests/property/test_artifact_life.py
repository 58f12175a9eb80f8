"""An artifact's life, as a state machine against a plain model: every version reads exactly what was put into it."""

import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.errors import (
    AlreadyExistsError,
    ArtifactNotFoundError,
    InvalidStateError,
    NothingStagedError,
    VersionExistsError,
    VersionNotFoundError,
)
from tests.support.life import LocalService, ModelArtifact, ModelStage, ModelVersion

# One of them lives long, the other one comes and goes.
LASTING, PASSING = "lasting", "passing"
ALIASES = st.sampled_from([LASTING, PASSING])
PATHS = st.sampled_from(["a.txt", "d/b.bin", "d/e/c.txt"])
FILES = st.dictionaries(PATHS, st.text(alphabet="ab\né", max_size=20), max_size=2)
MANIFESTS = st.fixed_dictionaries({"name": st.sampled_from(["x", "y", "z"]), "n": st.integers(0, 9)})
MAYBE_MANIFESTS = st.none() | MANIFESTS
NAMES = st.sampled_from([None, "v0", "v1", "r1", "r2"])


class ArtifactLife(RuleBasedStateMachine):
    """Does with two artifacts what callers do, and compares all that can be read after every step."""

    service_settings: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.service = LocalService(Path(self._directory.name) / "data", **self.service_settings)
        self.model: dict[str, ModelArtifact] = {}

    def teardown(self) -> None:
        self.service.close()
        self._directory.cleanup()

    # Creation and end.

    @initialize(manifest=MANIFESTS, files=FILES)
    def begin(self, manifest: dict[str, Any], files: dict[str, str]) -> None:
        self.create(LASTING, manifest, is_draft=True)
        artifact = self.model[LASTING]
        self._change(LASTING, artifact, files, None)
        self._close(artifact, self.service.call("commit", artifact_id=LASTING))

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

    @precondition(lambda self: PASSING in self.model)
    @rule()
    def delete(self) -> None:
        self.service.call("delete", artifact_id=PASSING)
        del self.model[PASSING]
        with pytest.raises(ArtifactNotFoundError):
            self.service.call("delete", artifact_id=PASSING)

    @precondition(lambda self: any(artifact.versions for artifact in self.model.values()))
    @rule(data=st.data())
    def delete_version(self, data: st.DataObject) -> None:
        alias = data.draw(st.sampled_from(sorted(one for one, artifact in self.model.items() if artifact.versions)))
        artifact = self.model[alias]
        name = data.draw(st.sampled_from([*artifact.versions, "latest"]))
        meant = artifact.latest if name == "latest" else name
        is_aimed_at = artifact.stage is not None and artifact.stage.target == meant
        if len(artifact.versions) == 1 or is_aimed_at:
            with pytest.raises(InvalidStateError):
                self.service.call("delete", artifact_id=alias, version=name)
            return
        self.service.call("delete", artifact_id=alias, version=name)
        artifact.versions.pop(str(meant))
        with pytest.raises(VersionNotFoundError):
            self.service.call("read", artifact_id=alias, version=meant, silent=True)

    @rule()
    def restart(self) -> None:
        self.service.stop()
        self.service.start()

    # Edits.

    @precondition(lambda self: self._having(stage=False))
    @rule(data=st.data(), manifest=MANIFESTS, is_copied=st.booleans())
    def edit_in_place(self, data: st.DataObject, manifest: dict[str, Any], is_copied: bool) -> None:
        alias, artifact = self._pick(data, stage=False)
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

    @rule(data=st.data(), manifest=MAYBE_MANIFESTS, is_copied=st.booleans(), files=FILES)
    def stage(
        self, data: st.DataObject, manifest: dict[str, Any] | None, is_copied: bool, files: dict[str, str]
    ) -> None:
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
        elif version is not None:
            artifact.stage.aim(target, base, is_copied=is_copied)
        if manifest is not None:
            artifact.stage.manifest = manifest
        self._change(alias, artifact, files, data)

    # What needs a stage.

    @precondition(lambda self: self._having(stage=True))
    @rule(data=st.data(), files=FILES)
    def change(self, data: st.DataObject, files: dict[str, str]) -> None:
        alias, artifact = self._pick(data, stage=True)
        self._change(alias, artifact, files, data)

    @precondition(lambda self: self._having(stage=True))
    @rule(data=st.data(), name=NAMES)
    def commit(self, data: st.DataObject, name: str | None) -> None:
        alias, artifact = self._pick(data, stage=True)
        stage = self._staged(artifact)
        if stage.target is None and name in artifact.versions:
            with pytest.raises(VersionExistsError):
                self.service.call("commit", artifact_id=alias, version=name)
            return
        record = self.service.call("commit", artifact_id=alias, version=name)
        self._close(artifact, record)
        if stage.target is None and name is not None:
            assert artifact.latest == name

    @precondition(lambda self: self._having(stage=True))
    @rule(data=st.data(), manifest=MANIFESTS)
    def edit_and_commit(self, data: st.DataObject, manifest: dict[str, Any]) -> None:
        alias, artifact = self._pick(data, stage=True)
        record = self.service.call("edit", artifact_id=alias, manifest=manifest, stage=False)
        self._staged(artifact).manifest = manifest
        self._close(artifact, record)

    @precondition(lambda self: self._having(stage=True))
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        alias, artifact = self._pick(data, stage=True)
        self.service.call("discard", artifact_id=alias)
        artifact.stage = None

    @precondition(lambda self: self._having(stage=False))
    @rule(data=st.data(), path=PATHS)
    def refused(self, data: st.DataObject, path: str) -> None:
        alias, _ = self._pick(data, stage=False)
        for method, arguments in (
            ("write_file", {"file_path": path, "content": "late"}),
            ("remove_file", {"file_path": path}),
            ("put_file", {"file_path": path}),
            ("commit", {}),
        ):
            with pytest.raises(InvalidStateError):
                self.service.call(method, artifact_id=alias, **arguments)
        with pytest.raises(NothingStagedError):
            self.service.call("discard", artifact_id=alias)

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

    def _having(self, *, stage: bool | None = None) -> list[str]:
        """Name the artifacts that have an open stage, or that have none."""
        return sorted(alias for alias, one in self.model.items() if stage in (None, one.stage is not None))

    def _pick(self, data: st.DataObject, *, stage: bool | None = None) -> tuple[str, ModelArtifact]:
        alias = data.draw(st.sampled_from(self._having(stage=stage)))
        return alias, self.model[alias]

    def _change(self, alias: str, artifact: ModelArtifact, files: dict[str, str], data: st.DataObject | None) -> None:
        """Put files into the stage, and take some out that are there or not."""
        stage = self._staged(artifact)
        for path, content in files.items():
            self.service.call("write_file", artifact_id=alias, file_path=path, content=content)
            stage.put[path] = content.encode()
            stage.removed.discard(path)
        for path in () if data is None else data.draw(st.sets(PATHS, max_size=2)):
            self.service.call("remove_file", artifact_id=alias, file_path=path)
            stage.put.pop(path, None)
            if path in stage.base:
                stage.removed.add(path)

    def _staged(self, artifact: ModelArtifact) -> ModelStage:
        assert artifact.stage is not None
        return artifact.stage

    def _add_version(self, artifact: ModelArtifact, record: dict[str, Any], version: ModelVersion) -> None:
        names = [entry["version"] for entry in record["versions"]]
        assert names[:-1] == list(artifact.versions)
        assert names[-1] not in artifact.versions
        artifact.versions[names[-1]] = version

    def _close(self, artifact: ModelArtifact, record: dict[str, Any]) -> None:
        stage, artifact.stage = self._staged(artifact), None
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
