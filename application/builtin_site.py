"""The page that is shown where an artifact asks for one and has none of its own."""

from typing import Final

BUILTIN_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ MANIFEST.name or artifact.alias }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
.quiet { color: #666; }
dt { font-weight: 600; }
dd { margin: 0 0 .6rem; }
pre { background: #f4f4f4; padding: 1rem; overflow: auto; }
</style>
</head>
<body>
<h1>{{ MANIFEST.name or artifact.alias }}</h1>
<p class="quiet">{{ artifact.id }}{% if artifact.type %} &middot; {{ artifact.type }}{% endif %}</p>
{% if MANIFEST.description %}<p>{{ MANIFEST.description }}</p>{% endif %}
<dl>
{% if MANIFEST.tags is iterable and MANIFEST.tags is not string %}
<dt>Tags</dt><dd>{{ MANIFEST.tags | join(", ") }}</dd>
{% endif %}
{% if MANIFEST.license %}<dt>License</dt><dd>{{ MANIFEST.license }}</dd>{% endif %}
{% if artifact.versions %}<dt>Version</dt><dd>{{ artifact.versions[-1].version }}</dd>{% endif %}
{% if artifact.config.child_count is defined %}
<dt>Artifacts in it</dt><dd>{{ artifact.config.child_count }}</dd>
{% endif %}
<dt>Files</dt><dd>{{ artifact.file_count }}</dd>
<dt>Views</dt><dd>{{ VIEW_COUNT }}</dd>
</dl>
<details><summary>Manifest</summary><pre>{{ MANIFEST | tojson(indent=2) }}</pre></details>
</body>
</html>
"""
"""A template; it gets the same variables as those of sites."""
