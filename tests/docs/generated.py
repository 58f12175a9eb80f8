"""The parts of the documentation that come from the code, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

`python -m tests.docs.generated --write` writes them anew; without `--write` it names the pages that are out of date.
"""

import enum
import importlib
import inspect
import pkgutil
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"<!-- (?P<name>[a-z-]+):begin -->\n(?P<text>.*?)<!-- (?P=name):end -->", re.DOTALL)


def pages() -> Iterator[Path]:
    """Give the pages for users, in a fixed order."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def with_blocks(page: str) -> str:
    """Give a page with all its generated blocks as they must be."""

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- {name}:begin -->\n{GENERATORS[name]()}<!-- {name}:end -->"

    return _BLOCK.sub(replaced, page)


def configuration() -> str:
    """Write the table of settings."""
    from application.settings import configuration_table

    return configuration_table()


def levels() -> str:
    """Write the table of levels against operations."""
    from domain.permissions.levels import OPERATIONS_OF, Operation

    names = list(OPERATIONS_OF)
    rows = [
        [f"`{operation.value}`", *("x" if operation in OPERATIONS_OF[name] else "" for name in names)]
        for operation in Operation
    ]
    return _table(["operation", *(f"`{name}`" for name in names)], rows)


def errors() -> str:
    """Write the table of error codes; the root of the errors is never raised itself."""
    from api.http.problems import status_of
    from domain.errors import ArtifactManagerError

    for package in ("domain", "application", "projections", "adapters"):
        _import_all(package)
    # Made without arguments of its own, because only the kind of an error decides its status.
    rows = [
        [f"`{kind.code}`", str(status_of(kind.__new__(kind))), f"`{kind.type_name}`", _summary(kind)]
        for kind in _subclasses(ArtifactManagerError)
        if kind is not ArtifactManagerError
    ]
    return _table(["code", "status", "type in `detail`", "meaning"], sorted(rows, key=lambda row: (row[1], row[0])))


def events() -> str:
    """Write one table of all event types."""
    from domain.events import registered_types

    _import_all("domain")
    rows = []
    for wire_name, kind in sorted(registered_types().items()):
        # The tests that run in this process register events of their own.
        if not kind.__module__.startswith("domain."):
            continue
        fields = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(kind))
        rows.append([f"`{wire_name}`", str(kind.schema_version), _summary(kind), fields])
    return _table(["type", "version", "meaning", "fields"], rows)


def methods() -> str:
    """Write a section for each method of the artifact manager."""
    from application.artifact_methods import METHODS

    return "\n".join(_method(method) for method in METHODS.values())


def workspace_methods() -> str:
    """Write a section for each method of the workspace service."""
    from application.workspace_methods import METHODS

    return "\n".join(_method(method) for method in METHODS.values())


def _method(method: Any) -> str:
    fields = msgspec.structs.fields(method.parameters)
    hints = typing.get_type_hints(method.parameters, include_extras=True)
    optional = [field.name if field.required else f"{field.name}={_default(field)}" for field in fields]
    kind = "Changes state." if method.changes_state else "Reads."
    asks = f" Needs `{method.operation.value}`." if method.operation is not None else ""
    lines = [f"### `{method.name}({', '.join(optional)})`", "", f"{_summary(method.parameters)} {kind}{asks}", ""]
    if fields:
        rows = [[f"`{field.name}`", _type_text(hints[field.name]), _meaning(hints[field.name])] for field in fields]
        lines.append(_table(["argument", "type", "meaning"], rows))
    return "\n".join(lines)


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return "null" if value is None else msgspec.json.encode(value).decode()


def _meaning(hint: Any) -> str:
    metas = [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    words = [meta.description for meta in metas if meta.description]
    for meta in metas:
        if meta.ge is not None and meta.le is not None:
            words.append(f"{meta.ge} to {meta.le}.")
        elif meta.ge is not None:
            words.append(f"At least {meta.ge}.")
    return " ".join(words)


def _type_text(hint: Any) -> str:
    """Say a type in JSON's words."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is typing.Annotated:
        return _type_text(arguments[0])
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(dict.fromkeys(_type_text(argument) for argument in arguments))
    if origin is typing.Literal:
        return " or ".join(f"`{msgspec.json.encode(argument).decode()}`" for argument in arguments)
    if isinstance(hint, typing.NewType):
        return _type_text(hint.__supertype__)
    named = {str: "text", int: "integer", float: "number", bool: "boolean", type(None): "null", Any: "any"}
    if hint in named:
        return named[hint]
    kind = origin or hint
    if isinstance(kind, type):
        if issubclass(kind, enum.Enum):
            return " or ".join(f"`{msgspec.json.encode(member.value).decode()}`" for member in kind)
        if issubclass(kind, (list, tuple)) or kind is Sequence:
            inner = [argument for argument in arguments if argument is not Ellipsis]
            return f"list of {_type_text(inner[0])}" if inner else "list"
    return "object"


def _import_all(package: str) -> None:
    """Import all modules of a package, so that everything that registers itself has done so."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)


def _subclasses(root: Any) -> list[Any]:
    found = [root]
    for kind in root.__subclasses__():
        found.extend(_subclasses(kind))
    return [kind for kind in found if "code" in vars(kind)]


def _summary(thing: object) -> str:
    """Give the first paragraph of a docstring."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


GENERATORS: dict[str, Callable[[], str]] = {
    "configuration": configuration,
    "errors": errors,
    "events": events,
    "levels": levels,
    "methods": methods,
    "workspace-methods": workspace_methods,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or name those that are out of date."""
    stale = [page for page in pages() if with_blocks(page.read_text(encoding="utf-8")) != page.read_text("utf-8")]
    for page in stale:
        if "--write" in arguments:
            page.write_text(with_blocks(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(page.relative_to(ROOT))
    return 1 if stale and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
