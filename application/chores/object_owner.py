"""The objects below one artifact's prefix, and which of them nothing names."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from application.chores.claims import NamedKeys, Snapshot, is_current, take_snapshot
from application.chores.turn import Turn
from application.ports.event_log import EventLog
from application.ports.object_store import ObjectStore, StoredObject
from application.ports.system import Clock
from application.state_cache import StateCache
from application.tree_reader import DamagedTreeError, TreeReader
from domain.ids import EventId, StreamId
from domain.object_keys import DerivedObject, PayloadObject, StagedObject, origin_of, owner_of

PAYLOAD_GRACE_MICROSECONDS: Final = 3_600 * 1_000_000
"""A payload is stored some moments before its event, whatever the setting says."""
CLOCK_DIFFERENCE_MICROSECONDS: Final = 60 * 1_000_000
"""By how much the clocks of the log and of the store may differ."""
ATTEMPTS: Final = 5
"""How often an artifact is looked at again whose trees went away while they were read."""


class SweepTools(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep works with. `log_began` is the time of the first event; None: there is none."""

    objects: ObjectStore
    log: EventLog
    clock: Clock
    states: StateCache
    reader: TreeReader
    grace_microseconds: int
    log_began: int | None


class Finding(msgspec.Struct, frozen=True):
    """Objects of one page that nothing names, and those that are not this log's, so that nobody can tell."""

    unnamed: Sequence[StoredObject] = ()
    unknown: Sequence[StoredObject] = ()


class ObjectOwner:
    """Looks at what lies below one name, page by page.

    Each page was listed before the claims are read. Whatever was in the store by then had been written for a stage;
    either that stage is still open, and all it has written stays, or it has ended, and nothing but a tree that the
    claims show can name the object: trees are made of uploads of their own stage, and of chunks of the tree that it
    started from. So what is unnamed once stays so, and no lock is needed beside commands.
    """

    def __init__(self, tools: SweepTools, name: str) -> None:
        self.name = name
        self._tools = tools
        self._owner = owner_of(f"{name}/")
        self._snapshot: Snapshot | None = None
        self._named = NamedKeys(tools.reader)
        self._known_stages: dict[UUID, bool] = {}
        self._next_part: int | None = None

    @property
    def has_more_parts(self) -> bool:
        """Whether the objects have to be looked at once more, for other keys."""
        return self._named.part + 1 < self._named.parts

    def next_part(self) -> None:
        """Go on with the next part of the keys, from the first page."""
        self._next_part = self._named.part + 1
        self._snapshot = None

    async def examine(self, page: Sequence[StoredObject], turn: Turn) -> Finding:
        """Find what nothing names in a page that was listed just now; what is too young is not looked at.

        Raises:
            DamagedTreeError: A tree cannot be read, so that nobody can tell what it names.
        """
        before = self._tools.clock.now() - self._tools.grace_microseconds
        old = [item for item in page if item.modified_at <= before]
        if not old:
            return Finding()
        if self._owner is None or self._tools.log_began is None:
            return Finding(unknown=old)
        snapshot = await self._claims(self._owner, turn)
        unnamed: list[StoredObject] = []
        unknown: list[StoredObject] = []
        for item in old:
            verdict = await self._is_named(item, snapshot)
            if verdict is None:
                unknown.append(item)
            elif not verdict:
                unnamed.append(item)
        return Finding(unnamed, unknown)

    async def _claims(self, owner: UUID, turn: Turn) -> Snapshot:
        """Give the claims as they are now, with all that their trees name at hand."""
        for attempt in range(ATTEMPTS):
            snapshot = self._snapshot
            if snapshot is None or not await is_current(self._tools.states, snapshot):
                snapshot = await take_snapshot(self._tools.states, owner, turn)
            try:
                if self._snapshot is None:
                    await self._named.begin(snapshot.trees, turn, part=self._next_part)
                else:
                    await self._named.add(snapshot.trees, turn)
            except DamagedTreeError:
                # Another janitor may have removed a tree since the snapshot that names it no more.
                if attempt == ATTEMPTS - 1 or await is_current(self._tools.states, snapshot):
                    raise
                continue
            self._snapshot = snapshot
            return snapshot
        raise DamagedTreeError

    async def _is_named(self, item: StoredObject, snapshot: Snapshot) -> bool | None:
        """Tell whether an object has to stay; None when it is none that this log and this program know of."""
        if (
            self._tools.log_began is not None
            and item.modified_at < self._tools.log_began - CLOCK_DIFFERENCE_MICROSECONDS
        ):
            # It is older than the log, so it was another log's: perhaps this one was begun by mistake.
            return None if self._named.part == 0 else True
        origin = origin_of(item.key)
        match origin:
            case PayloadObject():
                is_young = item.modified_at > self._tools.clock.now() - PAYLOAD_GRACE_MICROSECONDS
                return is_young or await self._tools.log.has_event(EventId(origin.event_id))
            case StagedObject() if snapshot.is_artifact:
                if self._stays(item.key, origin.stage_id, snapshot):
                    return True
                return False if await self._is_known(origin.stage_id) else None
            case DerivedObject() if snapshot.is_artifact:
                return self._stays(origin.source_key, origin.stage_id, snapshot)
            case _:
                return None if self._named.part == 0 else True

    def _stays(self, key: str, stage_id: UUID | None, snapshot: Snapshot) -> bool:
        is_staged = stage_id is not None and stage_id == snapshot.stage_id
        return is_staged or not self._named.is_in_part(key) or self._named.holds(key)

    async def _is_known(self, stage_id: UUID) -> bool:
        """Tell whether the log has the stage, which then has ended."""
        known = self._known_stages.get(stage_id)
        if known is None:
            stream = StreamId(stage_id)
            known = self._known_stages[stage_id] = (await self._tools.log.heads((stream,)))[stream].version > 0
        return known
