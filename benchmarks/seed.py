"""Fills a data directory before the service starts: through the application's own commands, without HTTP."""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec
import uvloop

from adapters.environment import load_settings
from api.http.gateway import Gateway
from application.commands.create import create
from application.context import CallContext
from application.parameters import Create
from application.services import Services
from application.units import States, Unit
from benchmarks.model import Sizes
from benchmarks.service import WORKSPACE
from bootstrap import open_gateway
from domain.events import Emit, Event, Outcome
from domain.ids import ArtifactId, artifact_key, stage_key
from domain.stage.events import AnnouncedFile, FilesAnnounced, FileUploaded, StoredFile
from domain.stage.state import Stage
from tests.support.server import run

PARALLEL = 200
GROUPS = 10
VOCABULARY = 2_000
WORDS = 30
EVENTS_A_UNIT = 1_000
CATCH_UP_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What was made: collections by their number of children, and a draft whose files are all uploaded."""

    collections: dict[int, str]
    tree: str
    words: tuple[str, ...]
    seconds: float


def seed(data_dir: Path, sizes: Sizes) -> Seeded:
    """Make the collections, and the draft with its files, that the benchmarks of large things read."""
    data_dir.mkdir()
    made = run("token", "create", "--user", "alice", "--data-dir", str(data_dir))
    assert made.returncode == 0, made.stderr
    return uvloop.run(_seed(data_dir, made.stdout.strip(), sizes))


async def _seed(data_dir: Path, token: str, sizes: Sizes) -> Seeded:
    began = time.perf_counter()
    settings = load_settings({}, {"data_dir": data_dir})
    async with open_gateway(settings, "http://127.0.0.1:1", _failed) as gateway:
        services = cast("Services", gateway.application)
        context = await _context(gateway, token)
        words = _vocabulary()
        collections = {}
        for count in sizes.children:
            name = f"collection-{count}"
            await create(
                services, context, Create(alias=name, type="collection", manifest={"name": name, "description": ""})
            )
            await _children(services, context, name, count, words)
            collections[count] = f"{WORKSPACE}/{name}"
        tree = await _tree(services, context, sizes)
        position = await services.log.position()
        assert await services.catalog.wait_until(position, CATCH_UP_SECONDS), "The catalog did not catch up"
    return Seeded(collections=collections, tree=tree, words=words, seconds=time.perf_counter() - began)


def _failed() -> None:
    raise RuntimeError("A worker of the service failed")


async def _context(gateway: Gateway, token: str) -> CallContext:
    actor = await gateway.authenticate(f"Bearer {token}", None, None)
    return CallContext(actor=actor, workspace=WORKSPACE, correlation_id="seed")


def _vocabulary() -> tuple[str, ...]:
    chance = random.Random(1)
    syllables = ("ba", "cor", "du", "fel", "gi", "hop", "jam", "ke", "lor", "mi", "nex", "pa", "quo", "ri", "sul", "te")
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(chance.choice(syllables) for _ in range(4))] = None
    return tuple(words)


async def _children(services: Services, context: CallContext, parent: str, count: int, words: tuple[str, ...]) -> None:
    chance = random.Random(count)
    numbers = iter(range(count))

    async def make() -> None:
        for number in numbers:
            manifest = {
                "name": f"Child {number}",
                "description": " ".join(chance.choices(words, k=WORDS)),
                "group": f"g{number % GROUPS}",
                "score": chance.randrange(1_000_000),
                "tags": chance.sample(words, 3),
            }
            await create(services, context, Create(alias=f"{parent}-{number}", parent_id=parent, manifest=manifest))

    await asyncio.gather(*(make() for _ in range(min(PARALLEL, count))))


async def _tree(services: Services, context: CallContext, sizes: Sizes) -> str:
    """Make a draft with many uploaded files, as their events alone; the bytes are never asked for."""
    reply = await create(services, context, Create(alias="tree", manifest={"name": "Tree"}, stage=True))
    record = msgspec.json.decode(reply.body) if isinstance(reply.body, msgspec.Raw) else reply.body
    key = artifact_key(ArtifactId(UUID(record["_id"])))
    artifact = (await services.states.get([key]))[key].state
    stage_id = artifact.stage.stage_id
    paths = [f"directory-{n % sizes.tree_directories:03}/file-{n:06}.bin" for n in range(sizes.tree_files)]
    for start in range(0, len(paths), EVENTS_A_UNIT):
        await _uploaded(services, context, paths[start : start + EVENTS_A_UNIT], stage_id, key[1])
    return f"{WORKSPACE}/tree"


async def _uploaded(
    services: Services, context: CallContext, paths: list[str], stage_id: UUID, artifact_id: UUID
) -> None:
    key = stage_key(stage_id)
    uploads = [services.ids.uuid7() for _ in paths]
    now = services.clock.now()

    def events(stage: Stage) -> Iterable[Event]:
        items = zip(paths, uploads, strict=True)
        yield FilesAnnounced(files=tuple(AnnouncedFile(path=path, upload_id=upload) for path, upload in items))
        for path, upload in zip(paths, uploads, strict=True):
            file = StoredFile(
                key=f"{stage.prefix}/{upload}",
                size_bytes=100,
                etag=upload.hex,
                modified_at=now,
                crc32=upload.int & 0xFFFFFFFF,
                sha256=upload.bytes * 2,
            )
            yield FileUploaded(path=path, upload_id=upload, file=file)

    def decide(states: States) -> Outcome:
        return Outcome(
            events=tuple(
                Emit(key, event, workspace=WORKSPACE, artifact_id=artifact_id) for event in events(states.get(key))
            )
        )

    await services.writer.execute(Unit(keys=(key,), decide=decide, actor=context.actor.user_id, correlation_id="seed"))
