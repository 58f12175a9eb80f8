"""Wires adapters, projections and application together, from the settings. The only place that knows them all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from adapters.data_directory import kept_key_ring, locked, token_secret
from adapters.egress import CheckedEgress
from adapters.event_log.sqlite import SqliteEventLog
from adapters.key_ring import AesKeyRing, parse_key_ring
from adapters.key_table import SqliteKeyTable
from adapters.object_store.directory import DirectoryObjectStore
from adapters.system import SystemClock, SystemIds
from adapters.templates.processes import TemplateProcesses
from api.http.application_files import ApplicationFiles
from api.http.gateway import ARTIFACT_MANAGER, WORKSPACE_MANAGER, Gateway, Readiness
from application import artifact_methods, workspace_methods
from application.access_budget import AccessBudget
from application.accesses import AccessRecorder
from application.artifact_stores import ArtifactStores
from application.authentication import Authenticator
from application.chores.turn import Tally
from application.file_trees import FileTrees
from application.key_rotation import Rotation, rotate_keys
from application.large_payloads import LargePayloadEventLog
from application.ports.event_log import EventLog
from application.ports.object_store import ObjectStore
from application.ports.object_stores import StoreOpener
from application.ports.system import Clock
from application.record_cache import RecordCache
from application.services import Services
from application.settings import Settings
from application.signed_urls import SignedUrls
from application.site_passes import SitePasses
from application.state_cache import StateCache
from application.tokens import Tokens
from application.vault import Vault
from application.writer import CommandWriter
from application.zips.indexes import ZipIndexes
from domain.folds import fold
from projections import runner
from projections.catalog.handler import catalog_model
from projections.catalog.query import SqliteCatalog
from projections.model import ReadModel
from projections.position import Progress
from projections.registry import Registry
from projections.runner import ProjectionRunner, ProjectionStatus
from projections.stages.handler import stages_model
from projections.stages.query import SqliteOpenStages
from projections.statistics.handler import statistics_model
from projections.statistics.query import SqliteStatistics
from projections.statistics.recent import RecentTails
from projections.tailed_log import TailedLog
from workers import janitor, projector
from workers.janitor import Janitor

ARTIFACT_LOG = "artifacts"
ACCESS_LOG = "accesses"
_LOG_FILES = {ARTIFACT_LOG: "log.db", ACCESS_LOG: "access-log.db"}
_KEY_FILE = "keys.db"
_STOP_SECONDS = 5.0
_CATCH_UP_SECONDS = 1.0
_NO_URL = "http://localhost"
"""Stands for the address of a service where nothing listens."""
READY_LAG = 10_000
"""Events that a read model may be behind while the service still counts as ready: it applies that many in seconds."""

_log = structlog.get_logger()


class NoDataError(RuntimeError):
    """There is no data in the directory to look at."""


class UnknownProjectionError(LookupError):
    """There is no read model of this name."""


def make_tokens(settings: Settings) -> Tokens:
    """Make what mints and verifies tokens.

    Raises:
        DataDirectoryError: The secret is kept in the data directory and cannot be read or made there.
    """
    clock = SystemClock()
    return Tokens(_secret(settings), clock=clock, ids=SystemIds(clock))


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    url: str,
    on_failure: Callable[[], None],
    *,
    clock: Clock | None = None,
    opener: StoreOpener | None = None,
) -> AsyncIterator[Gateway]:
    """Open the whole application, with its workers, for HTTP; `url` is where it listens.

    `on_failure` is called when a worker ends by itself: half a service helps nobody, so the process should end too.
    `clock` is the system's unless another one is given. `opener` opens the stores of artifacts' own; without one they
    are refused.

    Raises:
        DataDirectoryError: The data directory is in use by another process, or cannot be written.
    """
    async with AsyncExitStack() as stack:
        application = await _open_application(stack, settings, url, on_failure, clock or SystemClock(), opener)
        services = application.services
        chores = Janitor(services=services, interval_seconds=settings.janitor_interval_seconds)
        _start_worker(stack, "janitor", lambda stop: janitor.run(chores, stop), on_failure)
        yield Gateway(
            settings=settings,
            application=services,
            services={ARTIFACT_MANAGER: artifact_methods.METHODS, WORKSPACE_MANAGER: workspace_methods.METHODS},
            authenticate=Authenticator(services.tokens, services.states),
            files=ApplicationFiles(services),
            readiness=application.readiness,
        )


async def collect_garbage(settings: Settings, *, is_dry_run: bool) -> Mapping[str, Mapping[str, Tally]]:
    """Do the janitor's chores once and to their end, where no service runs; tell what each did, or would do.

    Raises:
        NoDataError: No service has run on the data directory yet.
        DataDirectoryError: A service runs on the data directory, or it cannot be written.
        ExceptionGroup: Chores failed; the others were done.
    """
    _require_data(settings.data_dir)
    failed = asyncio.Event()
    async with AsyncExitStack() as stack:
        application = await _open_application(stack, settings, _NO_URL, failed.set, SystemClock())
        position = await application.services.log.position()
        for progress in application.progress.values():
            while not await progress.wait_until(position, _CATCH_UP_SECONDS):
                if failed.is_set():
                    raise RuntimeError("A read model cannot be brought up to date; the log says why")
        return await janitor.run_once(application.services, is_dry_run=is_dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Application:
    """The application without anything that faces the world. `progress` is that of the artifact log's read models."""

    services: Services
    readiness: Callable[[], Awaitable[Readiness]]
    progress: Mapping[str, Progress]


async def _open_application(
    stack: AsyncExitStack,
    settings: Settings,
    url: str,
    on_failure: Callable[[], None],
    clock: Clock,
    opener: StoreOpener | None = None,
) -> _Application:
    stack.enter_context(locked(settings.data_dir))
    tokens = make_tokens(settings)
    ids = SystemIds(clock)
    objects = DirectoryObjectStore(settings.data_dir / "objects")
    stack.push_async_callback(objects.close)
    logs = await _open_logs(stack, settings.data_dir, objects)
    log, access_log = logs[ARTIFACT_LOG], logs[ACCESS_LOG]

    recent = RecentTails(recorded_before=await access_log.position())
    statistics_progress, catalog_progress, stages_progress = Progress(), Progress(), Progress()
    statistics = SqliteStatistics(recent, statistics_progress)
    stack.callback(statistics.close)
    registries = _registries(settings.data_dir, logs)
    catalog = SqliteCatalog(log.epoch(), catalog_progress, registries["statistics"].live)
    stack.push_async_callback(catalog.close)
    stages = SqliteOpenStages(stages_progress)
    stack.push_async_callback(stages.close)
    runners = (
        ProjectionRunner(catalog_model(log.epoch(), catalog.use), log, registries["catalog"], catalog_progress),
        ProjectionRunner(stages_model(log.epoch(), stages.use), log, registries["stages"], stages_progress),
        ProjectionRunner(
            statistics_model(access_log.epoch(), statistics),
            access_log,
            registries["statistics"],
            statistics_progress,
        ),
    )
    _start_worker(stack, "projector", lambda stop: projector.run(runners, stop), on_failure)

    states = StateCache(log, fold)
    writer = CommandWriter(log=log, cache=states, clock=clock, ids=ids, fold=fold)
    stack.push_async_callback(writer.close)
    budget = None if settings.access_log_bytes is None else AccessBudget(access_log, clock, settings.access_log_bytes)
    accesses = AccessRecorder(access_log, clock, ids, recent, budget=budget)
    stack.push_async_callback(accesses.close)
    vault = await _open_vault(stack, settings, clock)
    egress = CheckedEgress(allows_private=settings.allow_private_addresses)
    stores = ArtifactStores(objects, states, vault, opener, egress)
    stack.push_async_callback(stores.close)
    zip_indexes = ZipIndexes(stores)
    stack.push_async_callback(zip_indexes.close)
    templates = TemplateProcesses()
    stack.push_async_callback(templates.close)
    services = Services(
        settings=settings,
        clock=clock,
        ids=ids,
        log=log,
        access_log=access_log,
        writer=writer,
        states=states,
        accesses=accesses,
        statistics=statistics,
        catalog=catalog,
        stages=stages,
        objects=objects,
        stores=stores,
        trees=FileTrees(objects),
        zip_indexes=zip_indexes,
        urls=SignedUrls(
            _secret(settings).encode(),
            public_base_url=settings.public_base_url or url,
            local_base_url=settings.local_base_url or settings.public_base_url or url,
            clock=clock,
        ),
        tokens=tokens,
        records=RecordCache(),
        vault=vault,
        templates=templates,
        passes=SitePasses(_secret(settings).encode(), clock=clock, ids=ids),
    )
    stack.push_async_callback(services.completions.close)

    async def readiness() -> Readiness:
        return await _readiness(logs, {**progress, "statistics": statistics_progress})

    progress = {"catalog": catalog_progress, "stages": stages_progress}
    return _Application(services=services, readiness=readiness, progress=progress)


async def projection_statuses(settings: Settings) -> list[ProjectionStatus]:
    """Tell how far the read models are, whichever process keeps them up to date.

    Raises:
        NoDataError: No service has run on the data directory yet.
    """
    _require_data(settings.data_dir)
    async with AsyncExitStack() as stack:
        logs = await _open_data(stack, settings.data_dir)
        registries = _registries(settings.data_dir, logs)
        return [await runner.status(model, logs[model.log], registries[model.name]) for model in _offline_models(logs)]


async def rebuild_projection(settings: Settings, name: str) -> Path:
    """Build a read model anew beside the live one, which a running service goes over to; give the new file.

    Raises:
        NoDataError: No service has run on the data directory yet.
        UnknownProjectionError: There is no read model of this name.
        BusyError: It is being built already.
        RebuildStoppedError: An event cannot be applied; the live read model stays.
    """
    _require_data(settings.data_dir)
    async with AsyncExitStack() as stack:
        logs = await _open_data(stack, settings.data_dir)
        models = {model.name: model for model in _offline_models(logs)}
        if name not in models:
            raise UnknownProjectionError(f"There is no read model {name!r}; there are: {', '.join(models)}")
        model = models[name]
        return await runner.rebuild(model, logs[model.log], _registries(settings.data_dir, logs)[name])


async def rotate_secret_keys(settings: Settings) -> Rotation:
    """Wrap the key of every artifact's secrets by the current key of the ring, whether or not a service runs.

    Raises:
        NoDataError: No service has run on the data directory yet.
        DataDirectoryError: The key ring is kept in the data directory and cannot be read there.
        UnavailableError: The table of keys cannot be reached.
    """
    _require_data(settings.data_dir)
    table = await asyncio.to_thread(SqliteKeyTable, settings.data_dir / _KEY_FILE)
    try:
        return await rotate_keys(table, _key_ring(settings))
    finally:
        await table.close()


async def _open_vault(stack: AsyncExitStack, settings: Settings, clock: Clock) -> Vault:
    table = await asyncio.to_thread(SqliteKeyTable, settings.data_dir / _KEY_FILE)
    stack.push_async_callback(table.close)
    vault = Vault(table, _key_ring(settings), clock)
    missing = await vault.missing_ring_keys()
    if missing:
        # No reason not to start: everything but these secrets works.
        _log.error("secrets_unreadable", missing_keys=dict(missing))
    return vault


def _require_data(data_dir: Path) -> None:
    if not (data_dir / _LOG_FILES[ARTIFACT_LOG]).exists():
        raise NoDataError(f"There is no data in {data_dir}")


def _secret(settings: Settings) -> str:
    return settings.token_secret or token_secret(settings.data_dir)


def _key_ring(settings: Settings) -> AesKeyRing:
    return parse_key_ring(settings.secret_keys) if settings.secret_keys else kept_key_ring(settings.data_dir)


async def _open_logs(stack: AsyncExitStack, data_dir: Path, objects: ObjectStore) -> Mapping[str, EventLog]:
    logs: dict[str, EventLog] = {}
    for name, file in _LOG_FILES.items():
        log = await asyncio.to_thread(SqliteEventLog, data_dir / file, name)
        stack.push_async_callback(log.close)
        logs[name] = TailedLog(LargePayloadEventLog(log, objects))
    return logs


async def _open_data(stack: AsyncExitStack, data_dir: Path) -> Mapping[str, EventLog]:
    """Open the logs beside a service that may be running on the same directory."""
    objects = DirectoryObjectStore(data_dir / "objects")
    stack.push_async_callback(objects.close)
    return await _open_logs(stack, data_dir, objects)


def _registries(data_dir: Path, logs: Mapping[str, EventLog]) -> Mapping[str, Registry]:
    directory = data_dir / "projections"
    return {
        model.name: Registry(directory, model.name, model.version, logs[model.log].epoch())
        for model in _offline_models(logs)
    }


def _offline_models(logs: Mapping[str, EventLog]) -> tuple[ReadModel, ...]:
    """Describe the read models for building and looking at them, with no readers in this process."""
    epochs = {name: log.epoch() for name, log in logs.items()}
    return (
        catalog_model(epochs[ARTIFACT_LOG], lambda _: None),
        stages_model(epochs[ARTIFACT_LOG], lambda _: None),
        statistics_model(epochs[ACCESS_LOG], SqliteStatistics(RecentTails(), Progress())),
    )


def _start_worker(
    stack: AsyncExitStack,
    name: str,
    run: Callable[[asyncio.Event], Coroutine[None, None, None]],
    on_failure: Callable[[], None],
) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(run(stop), name=name)

    def ended(worker: "asyncio.Task[None]") -> None:
        if not stop.is_set():
            _log.critical("worker ended", worker=worker.get_name(), exc_info=worker.exception())
            on_failure()

    async def close() -> None:
        stop.set()
        await asyncio.wait({task}, timeout=_STOP_SECONDS)
        task.cancel()

    task.add_done_callback(ended)
    stack.push_async_callback(close)


async def _readiness(logs: Mapping[str, EventLog], progress: Mapping[str, Progress]) -> Readiness:
    head = await logs[ARTIFACT_LOG].position()
    heads = {**dict.fromkeys(progress, head), "statistics": await logs[ACCESS_LOG].position()}
    lags = {name: heads[name] - one.position for name, one in progress.items()}
    detail = {"projections": {name: {"position": progress[name].position, "lag": lag} for name, lag in lags.items()}}
    return Readiness(is_ready=max(lags.values()) <= READY_LAG, detail=detail)
