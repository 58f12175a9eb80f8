"""Runs every example of the documentation, page by page, against a real server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from tests.docs.generated import ROOT, pages
from tests.docs.snippets import Snippet, SnippetError, find_snippets
from tests.support.server import Server
from tests.support.tools import need

BLOCK_SECONDS = 60
PAGES = [page for page in pages() if any(snippet.reason is None for snippet in find_snippets(page))]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("documentation") / "data") as running:
        yield running


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_of_a_page_run_in_order(
    page: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippets = [snippet for snippet in find_snippets(page) if snippet.reason is None]
    if any(snippet.language == "bash" for snippet in snippets):
        need("bash")
        need("curl")
    # What a reader has after `make serve`: the command on PATH, the data directory below the current one, a token.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(server.data_dir)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SERVER_URL", server.url)
    monkeypatch.setenv("TOKEN", server.token("alice"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ExitStack() as at_the_end:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        at_the_end.callback(close_clients, namespace)
        for snippet in snippets:
            if snippet.language == "python":
                run_python(page, snippet, namespace)
            else:
                for name, value in run_bash(page, snippet, tmp_path).items():
                    monkeypatch.setenv(name, value)


def close_clients(namespace: dict[str, Any]) -> None:
    """Close what a page left open: a reader's program ends after it, this one goes on."""
    for value in namespace.values():
        if isinstance(value, httpx.Client | requests.Session):
            value.close()


def run_python(page: Path, snippet: Snippet, namespace: dict[str, Any]) -> None:
    # Empty lines in front give tracebacks the line numbers of the page.
    code = "\n" * (snippet.line - 1) + snippet.code
    exec(compile(code, str(page), "exec"), namespace)  # noqa: S102 - Running the documentation is what this is for.


def run_bash(page: Path, snippet: Snippet, folder: Path) -> dict[str, str]:
    """Run a block, and give the environment that it leaves: what it exports is there for the blocks after it."""
    left = folder / ".environment"
    script = f"{snippet.code}\nenv -0 > '{left}'\n"
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=BLOCK_SECONDS)
    assert done.returncode == 0, f"{page}:{snippet.line}\n{done.stdout}\n{done.stderr}"
    return dict(entry.split("=", 1) for entry in left.read_text().split("\0") if "=" in entry)


def test_a_failing_bash_block_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:7"):
        run_bash(Path("page.md"), Snippet(language="bash", code="false\ntrue\n", line=7), tmp_path)


def test_a_failing_python_block_fails_at_its_line_of_the_page() -> None:
    with pytest.raises(AssertionError) as raised:
        run_python(Path("page.md"), Snippet(language="python", code="x = 1\nassert x == 2\n", line=7), {})
    assert raised.traceback[-1].lineno + 1 == 8


def test_blocks_of_a_page_share_their_names() -> None:
    namespace: dict[str, Any] = {}
    run_python(Path("page.md"), Snippet(language="python", code="x = 1\n", line=1), namespace)
    run_python(Path("page.md"), Snippet(language="python", code="assert x == 1\n", line=4), namespace)


def test_exports_of_a_bash_block_are_given_back(tmp_path: Path) -> None:
    block = Snippet(language="bash", code="export NAME='two words'\nOTHER=1\n", line=1)
    left = run_bash(Path("page.md"), block, tmp_path)
    assert left["NAME"] == "two words"
    assert "OTHER" not in left


def test_a_block_that_does_not_run_must_say_why(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for text in ("```bash no-run\nls\n```\n", "```\nls\n```\n", "```python skip: later\n1\n```\n"):
        page.write_text(text)
        with pytest.raises(SnippetError, match=r"page\.md:2"):
            find_snippets(page)


def test_blocks_are_found_with_their_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# T\n\n```json\n{}\n```\n\n- a\n\n  ```python\n  x = 1\n  ```\n\n```bash no-run: stays\nls\n```\n")
    assert find_snippets(page) == [
        Snippet(language="python", code="x = 1\n", line=10),
        Snippet(language="bash", code="ls\n", line=14, reason="stays"),
    ]
