"""Works out from the whole log which objects anything names, the slow and plain way."""

from uuid import UUID

from application import large_payloads
from application.services import Services
from application.tree_reader import TreeReader
from domain.artifact.state import Artifact
from domain.events import RecordedEvent, encode
from domain.ids import Position, artifact_key, stage_key
from domain.object_keys import owner_of
from domain.trees import TreeRoot


async def reachable_keys(services: Services, stored: set[str]) -> set[str]:
    """Give the keys that must be in the store; of what is `stored`, those that an open stage has written are."""
    events = list(await services.log.read(Position(0), 1_000_000))
    named = {key for event in events if (key := _payload_key(event)) is not None}
    for artifact_id in {event.envelope.artifact_id for event in events}:
        if artifact_id is not None:
            named |= await _named_by(services, artifact_id, stored)
    return named


def _payload_key(event: RecordedEvent) -> str | None:
    envelope = event.envelope
    if len(encode(event.payload)) <= large_payloads.LARGE_PAYLOAD_BYTES:
        return None
    return f"{envelope.artifact_id or envelope.stream_id}/events/{envelope.event_id}/payload"


async def _named_by(services: Services, artifact_id: UUID, stored: set[str]) -> set[str]:
    key = artifact_key(artifact_id)
    artifact: Artifact = (await services.states.get((key,)))[key].state
    named: set[str] = set()
    trees = set() if artifact.has_given_up_files else {version.tree for version in artifact.versions}
    if artifact.stage is not None:
        staged = stage_key(artifact.stage.stage_id)
        stage = (await services.states.get((staged,)))[staged].state
        trees.add(stage.base)
        named |= {found for found in stored if owner_of(found) == artifact_id and str(stage.id) in found}
        assert all(file.file is None or file.file.key in stored for file in stage.files.values())
    for tree in trees:
        if tree is not None:
            named |= await _named_by_tree(services, tree)
    return named


async def _named_by_tree(services: Services, tree: TreeRoot) -> set[str]:
    index = await TreeReader(services.objects, chunk_cache_bytes=0, index_cache_bytes=0).index(tree)
    named = {tree.key, *(ref.object_key for ref in index.chunks)}
    async for page in services.trees.walk(tree):
        named |= {entry.file.key for entry in page}
    return named
