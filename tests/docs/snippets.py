"""Finds the examples of a page.

A fenced block of Python or shell is an example that runs, in the order of the page. One that cannot run says why in its
info string: ```` ```bash no-run: starts a service that stays ````.
"""

import re
from pathlib import Path

import msgspec

LANGUAGES = frozenset({"python", "bash"})
OTHER_LANGUAGES = frozenset({"json", "text", "http", "mermaid"})
"""What a page may show without running it."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$", re.DOTALL | re.MULTILINE)


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """One fenced block. `line` is where its code begins in the page; `reason` says why it does not run."""

    language: str
    code: str
    line: int
    reason: str | None = None


class SnippetError(ValueError):
    """A block is written in a way that leaves open whether it runs."""


def find_snippets(page: Path) -> list[Snippet]:
    """Give the examples of a page in order, those that do not run too.

    Raises:
        SnippetError: A block has no language, an unknown one, or does not run without saying why.
    """
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        language, _, rest = match["info"].strip().partition(" ")
        if language in OTHER_LANGUAGES:
            continue
        marker, _, reason = rest.partition(":")
        if language not in LANGUAGES or (rest and (marker != "no-run" or not reason.strip())):
            raise SnippetError(f"{page}:{line}: write ```python, ```bash, or either with `no-run: why`")
        code = re.sub(f"^{match['indent']}", "", match["code"], flags=re.MULTILINE)
        found.append(Snippet(language=language, code=code, line=line, reason=reason.strip() or None))
    return found
