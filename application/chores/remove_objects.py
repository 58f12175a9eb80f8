"""The chore that removes objects which nothing names any more, in one walk over the whole store."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import structlog

from application.chores.object_owner import Finding, ObjectOwner, SweepTools
from application.chores.turn import Turn, TurnStoppedError
from application.ports.object_store import StoredObject
from application.services import Services
from application.state_cache import StateCache
from application.tree_reader import TreeReader
from domain.errors import UnavailableError
from domain.folds import fold
from domain.ids import Position

PAGE: Final = 1000
"""Objects in one listing."""
KEPT_STATES: Final = 100
KEPT_STATE_BYTES: Final = 32 * 1024 * 1024
KEPT_INDEX_BYTES: Final = 16 * 1024 * 1024
"""Memory of its own, so that what callers use stays in the caches of the service."""

_SWEEP: Final = "sweep"
_RESTS_UNTIL: Final = "rests until"
_MICROSECONDS: Final = 1_000_000
# Not the fault of one artifact: the whole turn ends, and comes again.
_PASSING: Final = (UnavailableError, TimeoutError, TurnStoppedError)

_log = structlog.get_logger()


async def remove_objects(services: Services, turn: Turn) -> None:
    """Search the store for objects that no version, stage, loan or event names, and remove those that are old enough.

    One search takes as many turns as it needs; then there is a pause. What the log knows nothing of is told, and stays.
    """
    now = services.clock.now()
    if now < turn.memory.get(_RESTS_UNTIL, 0):
        return
    sweep: Sweep | None = turn.memory.get(_SWEEP)
    if sweep is None:
        sweep = turn.memory[_SWEEP] = Sweep(services, await _tools(services))
    while await turn.goes_on():
        if not await sweep.step(turn):
            del turn.memory[_SWEEP]
            pause = int(services.settings.sweep_interval_seconds * _MICROSECONDS)
            turn.memory[_RESTS_UNTIL] = services.clock.now() + pause
            return


async def _tools(services: Services) -> SweepTools:
    first = await services.log.read(Position(0), 1)
    return SweepTools(
        objects=services.objects,
        log=services.log,
        clock=services.clock,
        # Sweeping goes past everything once, which would drive out of the caches what is used all the time.
        states=StateCache(services.log, fold, max_entries=KEPT_STATES, max_bytes=KEPT_STATE_BYTES),
        reader=TreeReader(services.objects, chunk_cache_bytes=0, index_cache_bytes=KEPT_INDEX_BYTES),
        grace_microseconds=int(services.settings.object_grace_seconds * _MICROSECONDS),
        log_began=first[0].envelope.recorded_at if first else None,
    )


class Sweep:
    """One walk over all objects in the order of their keys, artifact by artifact."""

    def __init__(self, services: Services, tools: SweepTools) -> None:
        self._objects = services.objects
        self._tools = tools
        self._place = ""
        self._page: list[StoredObject] = []
        self._is_last_page = False
        self._large: ObjectOwner | None = None
        self._large_place = ""

    async def step(self, turn: Turn) -> bool:
        """Look at the objects of one artifact, or at a page of them; False when there are no more."""
        if self._large is not None:
            await self._step_large(self._large, turn)
            return True
        if not self._page:
            self._page = list(await self._objects.list("", after=self._place, limit=PAGE))
            self._is_last_page = len(self._page) < PAGE
            if not self._page:
                return False
        name = self._page[0].key.partition("/")[0]
        group = list(takewhile(lambda item: item.key.startswith(f"{name}/") or item.key == name, self._page))
        owner = ObjectOwner(self._tools, name)
        if len(group) == len(self._page) and not self._is_last_page:
            # There may be more of them than fit into a page.
            self._page = []
            self._large, self._large_place = owner, ""
            return True
        del self._page[: len(group)]
        self._place = group[-1].key
        await self._examine(owner, group, turn)
        return True

    async def _step_large(self, owner: ObjectOwner, turn: Turn) -> None:
        prefix = f"{owner.name}/"
        page = await self._objects.list(prefix, after=self._large_place, limit=PAGE)
        is_sound = await self._examine(owner, page, turn)
        if is_sound and len(page) == PAGE:
            self._large_place = page[-1].key
        elif is_sound and owner.has_more_parts:
            owner.next_part()
            self._large_place = ""
        else:
            self._large = None
            # The first possible key behind all that begin with the prefix.
            self._place = f"{owner.name}0"

    async def _examine(self, owner: ObjectOwner, page: Sequence[StoredObject], turn: Turn) -> bool:
        try:
            found = await owner.examine(page, turn)
        except _PASSING:
            raise
        except Exception:  # noqa: BLE001 - The edge of one artifact: nothing of it is removed, and others come next.
            _log.exception("objects_not_searched", artifact=owner.name)
            turn.count("artifacts that cannot be searched", is_problem=True)
            return False
        _account(found, owner, turn)
        if not turn.is_dry_run:
            await self._objects.delete([item.key for item in found.unnamed])
        return True


def _account(found: Finding, owner: ObjectOwner, turn: Turn) -> None:
    if found.unnamed:
        size_bytes = sum(item.size_bytes for item in found.unnamed)
        turn.count("objects that nothing names", len(found.unnamed), size_bytes)
        if not turn.is_dry_run:
            _log.info("objects_removed", artifact=owner.name, objects=len(found.unnamed), bytes=size_bytes)
    if found.unknown:
        size_bytes = sum(item.size_bytes for item in found.unknown)
        turn.count("objects kept that the log does not know", len(found.unknown), size_bytes)
        _log.warning("objects_unknown", artifact=owner.name, objects=len(found.unknown), bytes=size_bytes)
