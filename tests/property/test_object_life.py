"""An artifact's life with a janitor that may come at any time and removes all that it can.

What the model holds is read after every step, and at the end the store has exactly what is named.
"""

from typing import Any, ClassVar

from hypothesis import settings
from hypothesis.stateful import invariant, precondition, rule

from application import large_payloads
from tests.property.test_artifact_life import MANIFESTS, PASSING, ArtifactLife
from tests.support.life import ModelArtifact, ModelVersion
from tests.support.reachable import reachable_keys
from tests.support.stored import objects_of

HOUR = 3_600.0
MONTH = 30 * 86_400.0
SMALL_PAYLOAD_BYTES = 200
"""Above this an event has its payload in the store, so that many of them have."""


class ObjectLife(ArtifactLife):
    """Adds the janitor, at age 0, and what ends claims."""

    service_settings: ClassVar[dict[str, Any]] = {"object_grace_seconds": 0.0, "sweep_interval_seconds": 0.05}

    def __init__(self) -> None:
        self._usual = large_payloads.LARGE_PAYLOAD_BYTES
        large_payloads.LARGE_PAYLOAD_BYTES = SMALL_PAYLOAD_BYTES
        super().__init__()

    def teardown(self) -> None:
        try:
            # Payloads are left alone for some time after they were stored.
            self.service.clock.advance(HOUR)
            self.service.tidy()
            stored = set(objects_of(self.service.data_dir))
            assert stored == self.service.run(reachable_keys(self.service.services, stored))
            self.every_version_reads_what_was_put_into_it()
            # Whoever starts on it sees the same, and finds nothing left to do.
            self.restart()
            self.every_version_reads_what_was_put_into_it()
            assert self.service.tidy() == {}
        finally:
            super().teardown()
            large_payloads.LARGE_PAYLOAD_BYTES = self._usual

    @rule()
    def tidy(self) -> None:
        self.service.tidy()

    @rule()
    def expire(self) -> None:
        self.service.clock.advance(MONTH + HOUR)
        self.service.tidy()
        for alias, artifact in list(self.model.items()):
            if artifact.stage is not None and not artifact.versions:
                del self.model[alias]
            artifact.stage = None

    @precondition(lambda self: PASSING in self.model)
    @rule()
    def delete_with_files(self) -> None:
        self.service.call("delete", artifact_id=PASSING, delete_files=True)
        del self.model[PASSING]

    @precondition(lambda self: PASSING in self.model)
    @rule(manifest=MANIFESTS)
    def overwrite(self, manifest: dict[str, Any]) -> None:
        record = self.service.call("create", alias=PASSING, manifest=manifest, overwrite=True)
        artifact = self.model[PASSING] = ModelArtifact(manifest)
        self._add_version(artifact, record, ModelVersion(manifest, {}))

    @invariant()
    def nothing_that_is_named_is_missing(self) -> None:
        stored = set(objects_of(self.service.data_dir))
        assert self.service.run(reachable_keys(self.service.services, stored)) <= stored


ObjectLife.TestCase.settings = settings(max_examples=30, stateful_step_count=25)
TestObjectLife = ObjectLife.TestCase
