"""Waits until the read models that a query is answered from hold what it must see."""

import asyncio

from application.context import CallContext, Consistency
from application.services import Services
from domain.errors import UnavailableError
from domain.filters import And, Builtin, BuiltinField, Filter, Or, Order, Within

WAIT_SECONDS = 5.0
"""How long a list waits for its read models."""

_COUNTERS = frozenset({BuiltinField.VIEW_COUNT, BuiltinField.DOWNLOAD_COUNT})


async def wait_for_catalog(services: Services, context: CallContext) -> None:
    """Wait until the catalog is as fresh as the caller asks.

    Raises:
        UnavailableError: It is not within the bound.
    """
    position = context.min_position
    if context.consistency is Consistency.STRONG:
        position = max(await services.log.position(), position or 0)  # type: ignore[assignment]  # Positions are ints.
    if position and not await services.catalog.wait_until(position, WAIT_SECONDS):
        raise _late()


async def wait_for_counters(services: Services, context: CallContext) -> None:
    """Wait until lists can be filtered and ordered by all that was counted before, unless the caller asks for less.

    Raises:
        UnavailableError: They cannot within the bound.
    """
    if context.consistency is not Consistency.STRONG:
        return
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await services.accesses.flush()
            position = await services.access_log.position()
    except TimeoutError:
        raise _late() from None
    if not await services.statistics.wait_until(position, WAIT_SECONDS):
        raise _late()


def asks_counters(condition: Filter | None, order: Order | None = None) -> bool:
    """Tell whether a query filters or orders by views or downloads."""
    if order is not None and isinstance(order.field, Builtin) and order.field.name in _COUNTERS:
        return True
    match condition:
        case And(parts) | Or(parts):
            return any(asks_counters(part) for part in parts)
        case Within(name, _, _):
            return name in _COUNTERS
        case _:
            return False


def _late() -> UnavailableError:
    return UnavailableError("The list is not up to date yet; try again in a moment.")
