"""The port of the counters."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID


class Counts(NamedTuple):
    """Views, and downloads in thousandths of the weight."""

    views: int = 0
    downloads_milli: int = 0


class Statistics(Protocol):
    """Gives exact counters: everything that this process has recorded is in them, and they never go backwards."""

    async def counts(self, artifact_ids: Sequence[UUID]) -> Mapping[UUID, Counts]:
        """Give the counters of these artifacts; those never accessed have zeros."""
        ...
