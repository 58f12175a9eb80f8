"""The OpenAPI document at `/schema/openapi.json`, and a page at `/schema` that shows it and tries calls out.

The page is our own and loads nothing from elsewhere, so that it works without the internet and under a strict policy.
"""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from api.http.health import PUBLIC

_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'"

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
summary { cursor: pointer; padding: .4rem 0; }
summary b { display: inline-block; min-width: 4.5rem; }
code { font-size: .95em; }
table { border-collapse: collapse; margin: .5rem 0; }
td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; }
textarea { width: 100%; min-height: 5rem; font-family: monospace; box-sizing: border-box; }
pre { overflow: auto; max-height: 20rem; }
label input { width: 20rem; }
"""

_SCRIPT = """
"use strict";
const field = (name) => document.getElementById(name).value.trim();
for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = form.querySelector("pre");
    const workspace = encodeURIComponent(field("workspace") || "public");
    const headers = { "content-type": "application/json" };
    if (field("token")) headers.authorization = "Bearer " + field("token");
    try {
      const answer = await fetch(form.dataset.path.replace("{workspace}", workspace),
        { method: "POST", headers, body: form.querySelector("textarea").value, credentials: "omit" });
      output.textContent = answer.status + "\\n" + await answer.text();
    } catch (error) {
      output.textContent = String(error);
    }
  });
}
"""


def schema_handlers(document: Mapping[str, Any]) -> Sequence[HTTPRouteHandler]:
    """Make the handlers below `/schema`; the document may be filled in after this."""

    @get("/schema", opt={"operation": PUBLIC}, name="schema_page")
    async def schema_page() -> Response[bytes]:
        """Show the API as a page."""
        page = "".join(_page(document)).encode()
        return Response(page, media_type="text/html", headers={"content-security-policy": _POLICY})

    @get("/schema/openapi.json", opt={"operation": PUBLIC}, name="openapi_document")
    async def openapi_document() -> Response[bytes]:
        """Give the OpenAPI 3.1 document."""
        return Response(msgspec.json.encode(document), media_type="application/json")

    @get("/schema/page.css", opt={"operation": PUBLIC}, name="schema_style")
    async def schema_style() -> Response[bytes]:
        """Give the style of the page."""
        return Response(_STYLE.encode(), media_type="text/css")

    @get("/schema/page.js", opt={"operation": PUBLIC}, name="schema_script")
    async def schema_script() -> Response[bytes]:
        """Give the script of the page."""
        return Response(_SCRIPT.encode(), media_type="text/javascript")

    return [schema_page, openapi_document, schema_style, schema_script]


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    title = html.escape(document["info"]["title"])
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/schema/page.css"></head>'
    yield f"<body><h1>{title} {html.escape(document['info']['version'])}</h1>"
    yield f'<p>{html.escape(document["info"]["description"])} <a href="/schema/openapi.json">OpenAPI document</a></p>'
    yield '<p><label>Token <input id="token" type="password" autocomplete="off"></label> '
    yield '<label>Workspace <input id="workspace" placeholder="public"></label></p>'
    tags: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            tags.setdefault(operation["tags"][0], []).append((path, verb, operation))
    for tag, operations in tags.items():
        yield f"<h2>{html.escape(tag)}</h2>"
        for path, verb, operation in operations:
            yield from _operation(path, verb, operation)
    yield '<script src="/schema/page.js"></script></body></html>'


def _operation(path: str, verb: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details><summary><b>{verb.upper()}</b> <code>{html.escape(path)}</code> "
    yield f"{html.escape(operation['summary'])}</summary>"
    if "description" in operation:
        yield f"<p>{html.escape(operation['description'])}</p>"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    rows = [(item["name"], item["schema"], item["in"] == "path") for item in operation["parameters"]]
    if body is not None:
        needed = body.get("required", ())
        rows += [(name, schema, name in needed) for name, schema in body.get("properties", {}).items()]
    yield "<table><tr><th>argument</th><th>type</th><th>meaning</th></tr>"
    for name, schema, is_required in rows:
        yield f"<tr><td><code>{html.escape(name)}</code>{' *' if is_required else ''}</td>"
        yield f"<td>{html.escape(_type_text(schema))}</td>"
        yield f"<td>{html.escape(str(schema.get('description', '')))}</td></tr>"
    yield "</table>"
    if body is not None:
        yield f'<form data-path="{html.escape(path)}"><textarea spellcheck="false">{{}}</textarea>'
        yield "<button>Call</button><pre></pre></form>"
    yield "</details>"


def _type_text(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type_text(member) for member in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    text = str(schema.get("type", "any"))
    if "minimum" in schema or "maximum" in schema:
        text += f" {schema.get('minimum', '')}..{schema.get('maximum', '')}"
    return f"{text} of {_type_text(schema['items'])}" if "items" in schema else text
