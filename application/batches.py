"""Calls that take one path or many."""

from domain.errors import InvalidArgumentError
from domain.paths import ArtifactPath, parse_path


def parse_batch(file_path: str | list[str]) -> list[ArtifactPath]:
    """Parse the paths of a single or batch call.

    Raises:
        InvalidArgumentError: The list is empty.
        InvalidPathError: A path is not one.
    """
    if isinstance(file_path, str):
        return [parse_path(file_path)]
    if not file_path:
        raise InvalidArgumentError("file_path list must contain at least one path")
    return [parse_path(path) for path in file_path]
