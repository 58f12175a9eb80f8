"""The site that an artifact is shown as: what `config.view_config` (or `config.view`) says of it."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from domain.errors import InvalidArgumentError, InvalidPathError, InvalidStateError, NotFoundError
from domain.events import JsonObject
from domain.paths import parse_directory, parse_path

VIEW_KEYS: Final = ("view_config", "view")
"""The keys that describe a site; the first that is there counts."""
DISABLED: Final = "disabled"
INDEX: Final = "index.html"
BUILTIN_TYPES: Final = frozenset({"application", "collection"})
"""Types that are shown on a page of the service's own where their configuration describes no site."""
MAX_TEMPLATES: Final = 1_000
MAX_HEADERS: Final = 50
MAX_HEADER_TEXT: Final = 4_096

_ALLOWED_HEADERS: Final = frozenset(
    """
    access-control-allow-headers access-control-allow-methods access-control-allow-origin access-control-expose-headers
    access-control-max-age cache-control content-disposition content-language content-security-policy
    content-security-policy-report-only cross-origin-embedder-policy cross-origin-opener-policy
    cross-origin-resource-policy expires permissions-policy pragma referrer-policy timing-allow-origin
    x-content-type-options x-frame-options
    """.split()
)
# What servers in front of the service obey, and what the service says itself.
_REFUSED_PREFIXES: Final = (
    "x-accel-",
    "x-event-position",
    "x-forwarded-",
    "x-lighttpd-",
    "x-litespeed-",
    "x-original-",
    "x-real-ip",
    "x-reproxy-",
    "x-request-id",
    "x-rewrite-",
    "x-sendfile",
    "x-varnish",
)
_TOKEN = re.compile(r"[A-Za-z0-9-]{1,64}")
_VALUE = re.compile(r"[\x20-\x7e]*")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How an artifact is shown. Paths of `templates`, `index` and `error_page` are relative to the root directory.

    `is_builtin` shows the service's own page in place of the index.
    """

    root: str = ""
    index: str = INDEX
    error_page: str | None = None
    templates: frozenset[str] = frozenset()
    is_builtin: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    metadata: JsonObject = msgspec.field(default_factory=dict)

    def page(self, path: str) -> str:
        """Give the page that an address of the site shows: that of a directory, with a slash at its end, is its index.

        Raises:
            InvalidPathError: It is no path.
        """
        return parse_path(f"{path}{self.index}" if not path or path.endswith("/") else path)

    def inside(self, path: str) -> str:
        """Give the path in the artifact of a path in the site."""
        return f"{self.root}/{path}" if self.root else path


def view_of(config: Mapping[str, Any], kind: str) -> View:
    """Read how an artifact of a type is shown.

    Raises:
        NotFoundError: It is not to be shown.
        InvalidStateError: It describes no site, and its type has no page of the service's own.
    """
    given = _given(config)
    if given == DISABLED:
        raise NotFoundError("View access is disabled for this artifact")
    if given is None:
        if kind not in BUILTIN_TYPES:
            raise InvalidStateError("This artifact type does not support view mode")
        return View(is_builtin=True)
    try:
        return _parse(given, config.get("root_directory"))
    except InvalidArgumentError as error:
        # It was stored before its shape was checked.
        raise InvalidStateError(error.detail) from None


def placed_view(config: Mapping[str, Any]) -> View:
    """Read where the pages of a site lie, before anybody is told whether it is one.

    What cannot be used is as if it were not there.
    """
    given = _given(config)
    try:
        return _parse(given, config.get("root_directory"))
    except InvalidArgumentError:
        return View()


def check_view(config: Mapping[str, Any]) -> None:
    """Check what a configuration says of a site.

    Raises:
        InvalidArgumentError: A part of it has another shape than it needs; the text names it.
    """
    for key in VIEW_KEYS:
        given = config.get(key)
        if given is not None and given != DISABLED:
            _parse(given, config.get("root_directory"), key)


def is_header_allowed(name: str) -> bool:
    """Tell whether a site may set a header.

    It may say how its pages are cached, shared and confined, and add names of its own that begin with `X-`; it sets no
    cookies, says nothing of the connection or the length, and gives no orders to servers in front.
    """
    lower = name.lower()
    if lower in _ALLOWED_HEADERS:
        return True
    return lower.startswith("x-") and not lower.startswith(_REFUSED_PREFIXES)


def _given(config: Mapping[str, Any]) -> Any:  # noqa: ANN401 - Whatever was stored.
    return next((config[key] for key in VIEW_KEYS if config.get(key) is not None), None)


def _parse(given: Any, root: Any, key: str = VIEW_KEYS[0]) -> View:  # noqa: ANN401 - Whatever the caller gave.
    if not isinstance(given, dict):
        raise InvalidArgumentError(f"config.{key} must be an object, or '{DISABLED}'.")
    for field in ("root_directory", "index", "error_page", "template_engine"):
        if not isinstance(given.get(field), str | None):
            raise InvalidArgumentError(f"config.{key}.{field} must be a text.")
    if given.get("template_engine") not in (None, "jinja2"):
        raise InvalidArgumentError(f"config.{key}.template_engine must be 'jinja2', there is no other.")
    is_builtin = given.get("use_builtin_template")
    if not isinstance(is_builtin, bool | None):
        raise InvalidArgumentError(f"config.{key}.use_builtin_template must be true or false.")
    templates = given.get("templates") or []
    if not isinstance(templates, list) or len(templates) > MAX_TEMPLATES:
        raise InvalidArgumentError(f"config.{key}.templates must be a list of at most {MAX_TEMPLATES} paths.")
    metadata = given.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise InvalidArgumentError(f"config.{key}.metadata must be an object.")
    directory = given.get("root_directory") or (root if isinstance(root, str) else None)
    error_page = given.get("error_page")
    try:
        return View(
            root=parse_directory(directory),
            index=_relative(given.get("index") or INDEX),
            error_page=None if error_page is None else _relative(error_page),
            templates=frozenset(map(_relative, templates)),
            is_builtin=is_builtin or False,
            headers=_headers(given.get("headers") or {}, key),
            metadata=metadata,
        )
    except InvalidPathError as error:
        raise InvalidArgumentError(f"config.{key}: {error.detail}") from None


def _relative(path: Any) -> str:  # noqa: ANN401 - Whatever the caller gave.
    if not isinstance(path, str):
        raise InvalidPathError("a path must be a text.")
    return parse_path(path.lstrip("/"))


def _headers(given: Any, key: str) -> tuple[tuple[str, str], ...]:  # noqa: ANN401 - Whatever the caller gave.
    if not isinstance(given, dict) or len(given) > MAX_HEADERS:
        raise InvalidArgumentError(f"config.{key}.headers must be an object of at most {MAX_HEADERS} headers.")
    found = []
    for name, value in given.items():
        if not _TOKEN.fullmatch(name) or not is_header_allowed(name):
            raise InvalidArgumentError(f"config.{key}.headers: a site cannot set the header {name[:64]!r}.")
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or len(text) > MAX_HEADER_TEXT or not _VALUE.fullmatch(text):
            raise InvalidArgumentError(
                f"config.{key}.headers: the value of {name!r} must be one line of ASCII, "
                f"of at most {MAX_HEADER_TEXT} characters."
            )
        if name.lower() == "x-content-type-options" and text != "nosniff":
            raise InvalidArgumentError(f"config.{key}.headers: {name!r} can only be 'nosniff'.")
        found.append((name.lower(), text.strip()))
    if len({name for name, _ in found}) != len(found):
        raise InvalidArgumentError(f"config.{key}.headers names a header twice.")
    return tuple(found)
