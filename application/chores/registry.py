"""All chores of the janitor, in the order of a round. A new one is one line here.

What ends a claim comes before the removal of what nothing names, which is the last.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from application.chores.abandon_uploads import abandon_uploads
from application.chores.delete_below import finish_deletions
from application.chores.expire_drafts import expire_drafts
from application.chores.remove_objects import remove_objects
from application.chores.turn import Turn
from application.chores.unused_keys import forget_unused_keys
from application.services import Services


class Chore(NamedTuple):
    """A chore. `run` may be stopped at any await, and may run twice.

    It asks `turn.goes_on()` before each piece of work, notes what it did with `turn.count()`, and changes nothing in a
    dry run.
    """

    name: str
    run: Callable[[Services, Turn], Awaitable[None]]


CHORES: tuple[Chore, ...] = (
    Chore("finish-deletions", finish_deletions),
    Chore("expire-drafts", expire_drafts),
    Chore("abandon-uploads", abandon_uploads),
    Chore("unused-keys", forget_unused_keys),
    Chore("remove-objects", remove_objects),
)
