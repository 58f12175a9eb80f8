"""JSON Schemas of parameters, from the structs that also validate them."""

import inspect
from functools import cache
from typing import Any

import msgspec

from application.methods import Command


def first_paragraph(described: object) -> str:
    """Give the first paragraph of a docstring as one line."""
    text = inspect.getdoc(described) or ""
    return " ".join(text.split("\n\n", 1)[0].split())


@cache
def parameters_schema(parameters: type[Command]) -> dict[str, Any]:
    """Give the JSON Schema of a method's parameters as one object; structs inside it lie under its own `$defs`."""
    schemas, components = msgspec.json.schema_components([parameters], ref_template="#/$defs/{name}")
    schema = components.pop(parameters.__name__) if "$ref" in schemas[0] else schemas[0]
    found = {**schema, "description": first_paragraph(parameters)}
    found.pop("title", None)
    if components:
        # A reference starts at the document that holds it, so a schema with an id is a document of its own.
        found |= {"$id": f"parameters/{parameters.__name__}", "$defs": components}
    return found
