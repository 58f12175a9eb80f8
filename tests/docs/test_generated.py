import re
from pathlib import Path

import pytest

from tests.docs.generated import GENERATORS, ROOT, pages, with_blocks


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: str(page.relative_to(ROOT)))
def test_generated_parts_are_what_the_code_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert with_blocks(text) == text, "run `make docs`"


def test_every_generator_is_used_once() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in pages())
    assert sorted(re.findall(r"<!-- ([a-z-]+):begin -->", text)) == sorted(GENERATORS)


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages()
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
