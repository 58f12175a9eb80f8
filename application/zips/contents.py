"""Which files go into an archive: chosen ones, or all of a version or stage in the order of its tree."""

from collections.abc import AsyncIterator, Sequence

from application.file_trees import FileTrees
from application.services import Services
from application.versions import Files, find_existing
from domain.errors import FileMissingError
from domain.tree_chunks import TreeEntry
from domain.trees import order_key

PAGE_FILES = 2048
"""Files of a stage in one page; pages of a tree are its chunks."""
NAMED_MISSING = 10
"""So many missing files are named in a refusal, and the others counted."""


async def choose(services: Services, files: Files, paths: Sequence[str]) -> tuple[TreeEntry, ...]:
    """Find chosen files, each once, in the order given.

    Raises:
        FileMissingError: Some do not exist; the text names them.
    """
    unique = list(dict.fromkeys(paths))
    found = await find_existing(services, files, unique)
    missing = [path for path in unique if path not in found]
    if missing:
        named = ", ".join(f"'{path}'" for path in missing[:NAMED_MISSING])
        more = f" and {len(missing) - NAMED_MISSING} more" if len(missing) > NAMED_MISSING else ""
        verb = "does" if len(missing) == 1 else "do"
        raise FileMissingError(f"{named}{more} {verb} not exist in the artifact.")
    return tuple(TreeEntry(path, found[path]) for path in unique)


async def walk_files(trees: FileTrees, files: Files) -> AsyncIterator[Sequence[TreeEntry]]:
    """Give all files of a version, or those that a stage would leave, in pages. Twice gives the same twice."""
    uploaded = files.uploaded()
    upcoming = sorted((TreeEntry(*item) for item in uploaded.items()), key=_order)
    gone = files.removed() | uploaded.keys()
    start = 0
    async for page in trees.walk(files.tree):
        kept = [entry for entry in page if entry.path not in gone] if gone else page
        last, end = _order(page[-1]), start
        while end < len(upcoming) and _order(upcoming[end]) <= last:
            end += 1
        if end > start:
            kept = sorted([*kept, *upcoming[start:end]], key=_order)
            start = end
        if kept:
            yield kept
    for at in range(start, len(upcoming), PAGE_FILES):
        yield upcoming[at : at + PAGE_FILES]


def _order(entry: TreeEntry) -> str:
    return order_key(entry.path)
