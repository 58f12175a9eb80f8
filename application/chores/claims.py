"""What one artifact names in the store: by its versions, by its open stage, and through those who borrowed from it."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from application.chores.turn import Turn
from application.key_set import KeySet, key_hash
from application.state_cache import StateCache
from application.tree_reader import TreeReader
from domain.artifact.claims import claims_of
from domain.artifact.state import Artifact
from domain.errors import UnavailableError
from domain.ids import StreamKey, artifact_key, stage_key
from domain.stage.state import Stage
from domain.tree_chunks import decode_file
from domain.trees import ChunkRef, TreeRoot

MAX_READINGS = 100
"""How often an artifact is read again that changes meanwhile."""
KEYS_AT_ONCE = 2_000_000
"""Keys that are in memory together, in 16 MB; those of a larger artifact are looked at part by part."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The claims on one artifact's objects, all as of one moment.

    `versions` are those of the artifacts that were read. A stage begins, ends, and changes the tree that it starts from
    together with its artifact, so its own version says nothing more.

    `stage_id` is the artifact's own open stage. `is_artifact` is false for other streams, and for what the log does not
    know.
    """

    is_artifact: bool
    stage_id: UUID | None
    trees: frozenset[TreeRoot]
    versions: Mapping[StreamKey, int]


async def take_snapshot(states: StateCache, artifact_id: UUID, turn: Turn) -> Snapshot:
    """Collect the claims on an artifact's objects, following what it has lent, and what those have lent.

    It is read again until nothing has changed meanwhile, so that no claim is missed that moved from an artifact that
    was read late to one that was read early.

    Raises:
        UnavailableError: Something has changed on each of the bounded attempts.
    """
    for _ in range(MAX_READINGS):
        await turn.breathe()
        snapshot = await _read(states, artifact_id, turn)
        if await is_current(states, snapshot):
            return snapshot
    raise UnavailableError("An artifact changes too fast to see what it names.")


async def is_current(states: StateCache, snapshot: Snapshot) -> bool:
    """Tell whether nothing has changed since a snapshot."""
    found = await states.get(list(snapshot.versions))
    return all(found[key].version == version for key, version in snapshot.versions.items())


async def _read(states: StateCache, artifact_id: UUID, turn: Turn) -> Snapshot:
    versions: dict[StreamKey, int] = {}

    own: Artifact | None = None
    trees: set[TreeRoot] = set()
    known, waiting = {artifact_id}, [artifact_id]
    while waiting:
        await turn.breathe()
        key = artifact_key(waiting.pop())
        artifact: Artifact | None
        artifact, versions[key] = (await states.get((key,)))[key]
        if key.id == artifact_id:
            own = artifact
        stage: Stage | None = None
        if artifact is not None and artifact.stage is not None:
            staged = stage_key(artifact.stage.stage_id)
            stage = (await states.get((staged,)))[staged].state
        claims = claims_of(artifact, stage)
        trees |= claims.trees
        waiting += claims.borrowers - known
        known |= claims.borrowers
    stage_id = own.stage.stage_id if own is not None and own.stage is not None else None
    return Snapshot(is_artifact=own is not None, stage_id=stage_id, trees=frozenset(trees), versions=versions)


class NamedKeys:
    """The keys that trees name, or a part of them: those whose hash leaves `part` divided by `parts`.

    Trees can be added, never taken away: what they named may stay a while longer.
    """

    def __init__(self, reader: TreeReader) -> None:
        self._reader = reader
        self._trees: set[TreeRoot] = set()
        self._chunks: set[bytes] = set()
        self._keys = KeySet(0)
        self._expected = 0
        self.part, self.parts = 0, 1

    async def begin(self, trees: frozenset[TreeRoot], turn: Turn, *, part: int | None = None) -> None:
        """Start anew with these trees; without a part, cut the keys into as many parts as their number needs.

        Raises:
            DamagedTreeError: A part of a tree is missing, or was changed.
        """
        if part is None:
            sizes: dict[bytes, int] = {}
            for tree in trees:
                await turn.breathe()
                sizes.update((ref.sha256, ref.count) for ref in (await self._reader.index(tree)).chunks)
            self._expected = sum(sizes.values())
            part, self.parts = 0, self._expected // KEYS_AT_ONCE + 1
        self.part = part
        self._trees.clear()
        self._chunks.clear()
        self._keys = KeySet(self._expected // self.parts)
        await self.add(trees, turn)

    async def add(self, trees: frozenset[TreeRoot], turn: Turn) -> None:
        """Add trees that are not there yet; chunks that were seen before are not read again.

        Raises:
            DamagedTreeError: A part of a tree is missing, or was changed.
        """
        for tree in trees - self._trees:
            self._add(tree.key)
            for ref in (await self._reader.index(tree)).chunks:
                # The same chunk may have been written twice: one reading is enough, but both objects are named.
                self._add(ref.object_key)
                if ref.sha256 not in self._chunks:
                    await turn.breathe()
                    await self._add_files(ref)
                    self._chunks.add(ref.sha256)
            self._trees.add(tree)

    async def _add_files(self, ref: ChunkRef) -> None:
        for data in (await self._reader.chunk(ref)).files:
            self._add(decode_file(data).key)

    def _add(self, key: str) -> None:
        hashed = key_hash(key)
        if hashed % self.parts == self.part:
            self._keys.add(hashed)

    def is_in_part(self, key: str) -> bool:
        """Tell whether a key belongs to this part."""
        return self.parts == 1 or key_hash(key) % self.parts == self.part

    def holds(self, key: str) -> bool:
        """Tell whether a key of this part is named."""
        return self._keys.holds(key_hash(key))
