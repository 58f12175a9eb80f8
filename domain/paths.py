"""Paths of files inside an artifact, parsed once at the edge."""

import re
import unicodedata
from typing import NewType

from domain.errors import InvalidPathError

ArtifactPath = NewType("ArtifactPath", str)
"""A normalised path: NFC, relative, components joined by single slashes, none of them `.` or `..`."""

MAX_PATH_BYTES = 1024
"""Longest path in UTF-8, the limit of S3 keys."""
MAX_COMPONENT_BYTES = 255
"""Longest component in UTF-8, the limit of the usual file systems, so that an archive can be unpacked."""

_SHOWN_CHARACTERS = 200
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SEPARATORS = re.compile(r"[/\\]")


def parse_path(text: str) -> ArtifactPath:
    """Normalise the path of a file.

    `./a`, `a//b` and `a/./b` mean what they mean in a file system; decomposed characters (NFD) are composed, so both
    ways of writing a name find the same file.

    Raises:
        InvalidPathError: The path is empty, absolute, escapes its artifact, names a directory, is too long, or holds
            characters that no file name can have.
    """
    components = _components(text)
    if text.startswith("/"):
        raise _illegal(text)
    if not components:
        raise InvalidPathError(f"Invalid file path: '{_shown(text)}' does not name a file.")
    if text.endswith(("/", "/.")):
        raise InvalidPathError(f"Invalid file path: '{_shown(text)}' names a directory, not a file.")
    return ArtifactPath("/".join(components))


def parse_directory(text: str | None) -> str:
    """Normalise the path of a directory; the root is the empty text.

    None, the empty text, `.` and `/` mean the root, and leading and trailing slashes mean nothing.

    Raises:
        InvalidPathError: The path escapes its artifact, is too long, or holds characters that no file name can have.
    """
    return "/".join(_components(text or ""))


def ancestors(path: str) -> list[str]:
    """List the directories that a path lies in, the outermost first; the root is left out."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _components(text: str) -> list[str]:
    if ".." in _SEPARATORS.split(text):
        # A backslash separates nothing here, but it does where an archive of the files may be unpacked.
        raise _illegal(text)
    if _CONTROL.search(text):
        raise InvalidPathError(f"Invalid file path: '{_shown(text)}' holds control characters.")
    normal = unicodedata.normalize("NFC", text)
    components = [component for component in normal.split("/") if component not in ("", ".")]
    try:
        sizes = [len(component.encode()) for component in components]
    except UnicodeEncodeError:
        raise InvalidPathError(f"Invalid file path: '{_shown(text)}' is not valid Unicode.") from None
    if sum(sizes) + len(sizes) - 1 > MAX_PATH_BYTES:
        raise InvalidPathError(f"Invalid file path: it is longer than {MAX_PATH_BYTES} bytes in UTF-8.")
    if max(sizes, default=0) > MAX_COMPONENT_BYTES:
        raise InvalidPathError(f"Invalid file path: a name in it is longer than {MAX_COMPONENT_BYTES} bytes in UTF-8.")
    return components


def _illegal(text: str) -> InvalidPathError:
    return InvalidPathError(f"Illegal file path: `{_shown(text)}`, you can only operate within the work directory.")


def _shown(text: str) -> str:
    """Make a refused path safe to show: short, one line, and valid Unicode."""
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "..."
    visible = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    return visible.encode("utf-8", "backslashreplace").decode()
