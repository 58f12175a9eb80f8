"""Follows a log into a read model, batch by batch, and builds a read model anew beside the live one."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from application.ports.event_log import EventLog
from domain.errors import StorageFullError, UnavailableError
from domain.events import RecordedEvent
from domain.ids import Position
from projections.model import Handler, ReadModel
from projections.position import Progress
from projections.registry import BusyError, Registry, StaleFileError

BATCH: Final = 500
"""Events applied in one transaction."""

IDLE_SECONDS: Final = 1.0
"""How long one wait for new events lasts, after which the live file is looked up again."""

REGISTRY_SECONDS: Final = 0.2
"""How often the live file is looked up at most."""

BACKOFF_SECONDS: Final = (0.1, 0.5, 1.0, 5.0)
"""Pauses after failures in a row; the last one is for all later ones."""

_PASSING: Final = (StorageFullError, UnavailableError, OSError)
_logger = structlog.get_logger(__name__)


class RebuildStoppedError(Exception):
    """An event cannot be applied. The live read model was left as it is."""


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a read model stands. `position` is None when there is no file yet."""

    name: str
    log: str
    version: int
    position: Position | None
    head: Position
    parked: int

    @property
    def lag(self) -> int:
        """How many positions it is behind its log."""
        return self.head - (self.position or 0)


class ProjectionRunner:
    """Follows the log into the live file of one read model, of which it is the only writer."""

    def __init__(self, model: ReadModel, log: EventLog, registry: Registry, progress: Progress) -> None:
        self._model = model
        self._log = log
        self._registry = registry
        self._progress = progress
        self._handler: Handler | None = None
        self._path: Path | None = None
        self._stamp: tuple[int, int] | None = None
        self._looked_at = 0.0

    @property
    def name(self) -> str:
        """The name of the read model."""
        return self._model.name

    @property
    def progress(self) -> Progress:
        """How far queries can see."""
        return self._progress

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the log until told to stop; whatever fails is logged and tried again.

        Raises:
            BusyError: Another process follows the log into this read model.
        """
        with self._registry.following():
            failures = 0
            try:
                while not stop.is_set():
                    try:
                        await self._step(stop)
                        failures = 0
                    except Exception as error:
                        pause = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                        failures += 1
                        _logger.exception("projection_failed", projection=self.name, error=type(error).__name__)
                        await _wait(stop, pause)
            finally:
                await self._close()

    async def _step(self, stop: asyncio.Event) -> None:
        await self._look_up()
        handler = self._handler
        if handler is None:
            return
        try:
            events = await self._log.read(handler.position, BATCH)
            if self._model.gather_seconds and 0 < len(events) < BATCH:
                await self._progress.wait_for_demand(self._model.gather_seconds)
                events = await self._log.read(handler.position, BATCH)
            if events:
                await self._apply(handler, events)
        except StaleFileError:
            _logger.exception("projection_damaged", projection=self.name)
            await self._replace(None)
            return
        self._progress.announce(handler.position)
        if not events:
            await self._wait_for_change(handler.position, stop)

    async def _wait_for_change(self, position: Position, stop: asyncio.Event) -> None:
        change = asyncio.ensure_future(self._log.wait_for_change(position, IDLE_SECONDS))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((change, stopped), return_when=asyncio.FIRST_COMPLETED)
            if change.done():
                change.result()
        finally:
            for task in (change, stopped):
                task.cancel()
            await asyncio.gather(change, stopped, return_exceptions=True)

    async def _apply(self, handler: Handler, events: Sequence[RecordedEvent]) -> None:
        """Apply a batch; when it cannot be, find the guilty event and park it."""
        try:
            await handler.apply(events)
        except (*_PASSING, StaleFileError):
            raise
        except Exception:  # noqa: BLE001 - Whatever an event causes must not stop those of others.
            await self._apply_one_by_one(handler, events)

    async def _apply_one_by_one(self, handler: Handler, events: Sequence[RecordedEvent]) -> None:
        for event in events:
            try:
                await handler.apply((event,))
            except (*_PASSING, StaleFileError):
                raise
            except Exception as error:
                envelope = event.envelope
                _logger.exception(
                    "projection_parked",
                    projection=self.name,
                    position=envelope.position,
                    artifact=str(envelope.artifact_id),
                    type=envelope.type,
                )
                await handler.park(event, type(error).__name__)

    async def _look_up(self) -> None:
        """Take over the live file, when it is another one than before."""
        if self._handler is not None and time.monotonic() < self._looked_at + REGISTRY_SECONDS:
            return
        stamp = self._registry.stamp()
        if self._handler is None or stamp != self._stamp:
            await self._replace(self._registry.live())
        self._looked_at = time.monotonic()

    async def _replace(self, path: Path | None) -> None:
        """Go over to a file, or to a new one; queries follow when it holds all that they have seen."""
        if path is not None and path == self._path:
            self._stamp = self._registry.stamp()
            return
        handler = await self._open(path) if path is not None else None
        is_new = handler is None or path is None
        if handler is None or path is None:
            path = self._registry.new_file()
            handler = await self._model.open(path)
        try:
            while handler.position < self._progress.position:
                events = await self._log.read(handler.position, BATCH)
                if not events:
                    break
                await self._apply(handler, events)
            if is_new:
                self._registry.publish(path)
            self._model.serve(path)
        except BaseException:
            await handler.close()
            raise
        old, self._handler, self._path = self._handler, handler, path
        self._stamp = self._registry.stamp()
        self._progress.announce(handler.position)
        if old is not None:
            await old.close()
        self._tidy(path)

    async def _open(self, path: Path) -> Handler | None:
        """Open a file that was built before; None when it must not be used."""
        try:
            handler = await self._model.open(path)
        except StaleFileError as error:
            _logger.warning("projection_stale", projection=self.name, reason=str(error))
            return None
        if handler.position > await self._log.position():
            _logger.warning("projection_stale", projection=self.name, reason="It is ahead of the log")
            await handler.close()
            return None
        return handler

    def _tidy(self, live: Path) -> None:
        """Remove what earlier builds left, unless somebody is building just now."""
        try:
            with self._registry.building():
                if self._registry.live() == live:
                    self._registry.remove_others(live)
        except BusyError:
            return

    async def _close(self) -> None:
        handler, self._handler, self._path = self._handler, None, None
        if handler is not None:
            await handler.close()


async def rebuild(model: ReadModel, log: EventLog, registry: Registry) -> Path:
    """Build a read model anew from the first event, beside the live one, and let it take over when it has caught up.

    May run in the process that follows the log, or in another one: that process goes over to the new file within a
    second, and removes the old one. When nobody follows, the old one is removed at once.

    Raises:
        BusyError: Somebody is building this read model already.
        RebuildStoppedError: An event cannot be applied; the live read model stays.
        StorageFullError: The disk is full; the live read model stays.
        UnavailableError: A file or the log cannot be reached; the live read model stays.
    """
    with registry.building():
        path = registry.new_file()
        handler = await model.open(path)
        try:
            try:
                await _build(model, log, handler)
            finally:
                await handler.close()
            registry.publish(path)
        except BaseException:
            registry.remove(path)
            raise
    try:
        with registry.following():
            registry.remove_others(path)
    except BusyError:
        _logger.info("projection_rebuilt", projection=model.name, note="the process that serves it goes over to it")
    return path


async def _build(model: ReadModel, log: EventLog, handler: Handler) -> None:
    while events := await log.read(handler.position, BATCH):
        try:
            await handler.apply(events)
        except (*_PASSING, StaleFileError):
            raise
        except Exception as error:
            place = await _first_failure(handler, events)
            raise RebuildStoppedError(
                f"{model.name}: the event at position {place} cannot be applied: {type(error).__name__}: {error}"
            ) from error


async def _first_failure(handler: Handler, events: Sequence[RecordedEvent]) -> Position:
    for event in events:
        try:
            await handler.apply((event,))
        except Exception:  # noqa: BLE001 - The caller raises what it met before.
            return event.envelope.position
    return events[-1].envelope.position


async def status(model: ReadModel, log: EventLog, registry: Registry) -> ProjectionStatus:
    """Tell how far the live file is, whoever writes it."""
    path = registry.live()
    found = await asyncio.to_thread(model.inspect, path) if path is not None else None
    return ProjectionStatus(
        name=model.name,
        log=model.log,
        version=model.version,
        position=found.position if found else None,
        head=await log.position(),
        parked=found.parked if found else 0,
    )


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
