"""How much disk the log of accesses may take, so that visitors cannot take it from those who write."""

import structlog

from application.ports.event_log import EventLog
from application.ports.system import Clock
from domain.errors import StorageFullError

MEASURED_MICROSECONDS = 1_000_000
"""How long a measurement is good for; what comes meanwhile may exceed the budget."""

ALARM_INTERVAL_MICROSECONDS = 60_000_000

_logger = structlog.get_logger(__name__)


class AccessBudget:
    """Tells whether accesses may still be recorded. Asking costs a comparison, but for one measurement a second."""

    def __init__(self, log: EventLog, clock: Clock, limit_bytes: int) -> None:
        self._log = log
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._is_spent = False
        self._measured_at = -MEASURED_MICROSECONDS
        self._alarmed_at = -ALARM_INTERVAL_MICROSECONDS

    async def require_room(self) -> None:
        """Refuse what would be recorded beyond the budget.

        Raises:
            StorageFullError: The budget is spent.
            UnavailableError: The log cannot be reached.
        """
        now = self._clock.now()
        if now - self._measured_at >= MEASURED_MICROSECONDS:
            self._measured_at = now
            await self._measure(now)
        if self._is_spent:
            raise StorageFullError("The space for the log of accesses is used up; nothing was given out.")

    async def _measure(self, now: int) -> None:
        size_bytes = await self._log.size_bytes()
        self._is_spent = size_bytes >= self._limit_bytes
        if self._is_spent and now - self._alarmed_at >= ALARM_INTERVAL_MICROSECONDS:
            _logger.error("access_log_budget_spent", size_bytes=size_bytes, limit_bytes=self._limit_bytes)
            self._alarmed_at = now
