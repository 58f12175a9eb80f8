"""The whole application in this process on a directory, and a plain model of what an artifact must hold."""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from api.binding import bind
from api.http.gateway import ARTIFACT_MANAGER, Gateway
from application.context import CallContext
from application.ports.object_stores import StoreOpener
from application.services import Services
from application.settings import Settings
from bootstrap import open_gateway
from domain.errors import UnavailableError
from tests.support.actors import login
from tests.support.clocks import MovableClock
from workers.janitor import run_once

Result = TypeVar("Result")
ALICE = login("alice")


class LocalService:
    """Runs the service's methods as Alice, on an event loop of its own. It can be stopped and started again.

    The janitor works only when it is told to, at the time of a clock that can be moved.
    """

    def __init__(self, data_dir: Path, *, opener: StoreOpener | None = None, **settings: Any) -> None:
        self._opener = opener
        self._settings = Settings(data_dir=data_dir, janitor_interval_seconds=86_400, **settings)
        self.clock = MovableClock()
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._gateway: Gateway | None = None
        self.failures = 0
        self.start()

    @property
    def data_dir(self) -> Path:
        return self._settings.data_dir

    def start(self) -> None:
        opening = self._stack.enter_async_context(
            open_gateway(self._settings, "http://service.test", self._fail, clock=self.clock, opener=self._opener)
        )
        self._gateway = self.run(opening)
        self.run(self._until_listing())

    def stop(self) -> None:
        self.run(self._stack.aclose())

    def close(self) -> None:
        self.stop()
        self._loop.close()

    def call(self, method: str, /, **arguments: Any) -> Any:
        """Call a method as HTTP does; gives its JSON.

        Raises:
            ArtifactManagerError: It is refused.
        """
        declared = self._open.services[ARTIFACT_MANAGER][method]
        handling = declared.handler(self._open.application, context_of_alice(), bind(declared, arguments))
        return msgspec.json.decode(msgspec.json.encode(self.run(handling).body))

    def bytes_of(self, artifact_id: str, path: str, version: str) -> bytes:
        """Read the bytes of a file of a version, or of the stage."""
        return self.run(self._bytes_of(artifact_id, path, version))

    @property
    def services(self) -> Services:
        """What the methods work with."""
        services: Services = self._open.application
        return services

    def tidy(self, *, is_dry_run: bool = False) -> dict[str, tuple[int, int]]:
        """Let the janitor do all its chores; gives items and bytes of what was done."""
        return self.run(self._tidy(is_dry_run))

    async def _tidy(self, is_dry_run: bool) -> dict[str, tuple[int, int]]:
        assert await self.services.stages.wait_until(await self.services.log.position(), 20)
        done = await run_once(self.services, is_dry_run=is_dry_run)
        return {what: (tally.items, tally.size_bytes) for tallies in done.values() for what, tally in tallies.items()}

    async def _until_listing(self) -> None:
        """Wait for the read models, as the first caller of a service that has just been started may have to."""
        listing = self._open.services[ARTIFACT_MANAGER]["list"]
        while True:
            try:
                await listing.handler(self._open.application, context_of_alice(), bind(listing, {}))
            except UnavailableError:
                await asyncio.sleep(0.005)
            else:
                return

    async def _bytes_of(self, artifact_id: str, path: str, version: str) -> bytes:
        file = await self._open.files.open_file(context_of_alice(), artifact_id, path, version=version, stage=False)
        return b"".join([chunk async for chunk in file.stream()])

    def files_of(self, artifact_id: str, version: str) -> dict[str, bytes]:
        """Read all files of a version, or of the stage."""
        found: dict[str, bytes] = {}
        waiting = [""]
        while waiting:
            directory = waiting.pop()
            for entry in self.call("list_files", artifact_id=artifact_id, dir_path=directory, version=version):
                path = f"{directory}/{entry['name']}".lstrip("/")
                if entry["type"] == "directory":
                    waiting.append(path)
                else:
                    found[path] = self.bytes_of(artifact_id, path, version)
                    assert entry["size"] == len(found[path])
        return found

    @property
    def _open(self) -> Gateway:
        assert self._gateway is not None
        return self._gateway

    def _fail(self) -> None:
        self.failures += 1

    def run(self, work: Awaitable[Result]) -> Result:
        """Run something on the loop of the service."""
        return self._loop.run_until_complete(asyncio.wait_for(work, 30))


def context_of_alice() -> CallContext:
    """Surround a call of Alice's."""
    return CallContext(actor=ALICE, workspace=ALICE.current_workspace, correlation_id="life")


class ModelVersion:
    """What one version holds."""

    def __init__(self, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        self.manifest = dict(manifest)
        self.files = dict(files)


class ModelStage:
    """An open stage: the version that it aims at (None: a new one), what it starts from, and what was changed."""

    def __init__(self, target: str | None, base: Mapping[str, bytes], manifest: Mapping[str, Any] | None) -> None:
        self.target = target
        self.base = dict(base)
        self.manifest = manifest
        self.put: dict[str, bytes] = {}
        self.removed: set[str] = set()

    @property
    def files(self) -> dict[str, bytes]:
        kept = {path: data for path, data in self.base.items() if path not in self.removed}
        return {**kept, **self.put}

    def aim(self, target: str | None, base: Mapping[str, bytes], *, is_copied: bool) -> None:
        """Aim at another version; marks are about the version that was being staged, and the files it started from."""
        if target == self.target and not is_copied:
            return
        if target != self.target or dict(base) != self.base:
            self.removed.clear()
        self.target, self.base = target, dict(base)


class ModelArtifact:
    """An artifact as a reader of the manual expects it to be."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.created_with = dict(manifest)
        self.versions: dict[str, ModelVersion] = {}
        self.stage: ModelStage | None = None

    @property
    def latest(self) -> str | None:
        return next(reversed(self.versions), None)

    @property
    def manifest(self) -> dict[str, Any]:
        return self.versions[self.latest].manifest if self.latest is not None else self.created_with

    def base_of(self, target: str | None, *, is_copied: bool) -> dict[str, bytes]:
        """Give the files that a stage with this target starts from."""
        source = self.latest if target is None and is_copied else target
        return {} if source is None else self.versions[source].files
