"""A small portfolio, as a site."""

from typing import Any

from tests.support.client import Client

INDEX = """<!DOCTYPE html>
<html>
<head><title>{{ MANIFEST.name }}</title><link rel="stylesheet" href="style.css"></head>
<body>
<h1>{{ MANIFEST.name }}</h1>
<p id="description">{{ MANIFEST.description }}</p>
<p id="base">{{ BASE_URL }}</p>
<p id="views">{{ VIEW_COUNT }}</p>
<p id="user">{% if USER %}{{ USER.id }}{% else %}nobody{% endif %}</p>
<p id="script">not run</p>
<script src="js/script.js"></script>
</body>
</html>
"""
FILES = {
    "index.html": INDEX,
    "static.html": "<!DOCTYPE html><title>{{ MANIFEST.name }}</title><h1>static</h1>",
    "style.css": "body { background-color: rgb(1, 2, 3); }",
    "js/script.js": "document.getElementById('script').textContent = 'run';",
    "docs/index.html": "<!DOCTYPE html><title>docs</title><p>docs</p>",
}
VIEW: dict[str, Any] = {
    "root_directory": "/",
    "templates": ["index.html"],
    "template_engine": "jinja2",
    "use_builtin_template": False,
    "headers": {"Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=3600"},
}
EVERYBODY = {"*": "r"}


def make_site(
    client: Client,
    alias: str,
    *,
    files: dict[str, str] | None = None,
    view: Any = VIEW,
    is_public: bool = True,
    key: str = "view_config",
    **changes: Any,
) -> str:
    """Make a committed site; gives its id. `files` are put beside the portfolio's, or over them."""
    config = {key: view, "permissions": EVERYBODY if is_public else {}, **changes}
    manifest = {"name": "Jane <b>Doe</b>", "description": "Builds & measures"}
    return client.dataset(
        alias,
        {path: text.encode() for path, text in {**FILES, **(files or {})}.items()},
        manifest=manifest,
        config=config,
    )
