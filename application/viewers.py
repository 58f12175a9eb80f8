"""Keeps how workspaces see callers: the same answer is needed for nearly every request of a caller."""

from collections import OrderedDict

from domain.actor import Actor
from domain.permissions import Viewer, viewer_of
from domain.workspace import Workspace

MAX_ENTRIES = 10_000

_Entry = tuple[Actor, Workspace | None, Workspace | None, Viewer]


class ViewerCache:
    """Viewers by caller, workspace, and the states that they follow from; one from other states is made anew.

    Callers and states are immutable and compared by identity: the cache of tokens gives the same caller each time.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[int, str], _Entry] = OrderedDict()

    def get(self, actor: Actor, workspace: str, state: Workspace | None, home: Workspace | None) -> Viewer:
        """See a caller as a workspace in this state does; `home` is the state of his own."""
        key = (id(actor), workspace)
        entry = self._entries.get(key)
        if entry is not None and entry[0] is actor and entry[1] is state and entry[2] is home:
            return entry[3]
        viewer = viewer_of(actor, workspace, state, home)
        # The entry holds the caller, so that no other object can come to have his identity.
        self._entries[key] = (actor, state, home, viewer)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)
        return viewer


VIEWERS = ViewerCache()
"""The viewers of this process. They follow from their arguments alone, so there is nothing to wire."""
