"""Templates of sites: what they may use, and that none of them can stop the service, whatever it does."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.templates import processes
from adapters.templates.processes import TemplateProcesses
from domain.errors import TemplateFailedError, UnavailableError

VARIABLES = {"MANIFEST": {"name": "<b>Jane</b>", "tags": ["a", "b"]}, "USER": None}


@pytest.fixture
async def renderer() -> AsyncIterator[TemplateProcesses]:
    renderer = TemplateProcesses(cpu_seconds=1)
    yield renderer
    await renderer.close()


async def test_variables_are_escaped(renderer: TemplateProcesses) -> None:
    page = await renderer.render("<h1>{{ MANIFEST.name }}</h1>", VARIABLES, "me")
    assert page == b"<h1>&lt;b&gt;Jane&lt;/b&gt;</h1>"


async def test_statements_filters_and_values_that_are_not_there_work(renderer: TemplateProcesses) -> None:
    source = (
        "{% for tag in MANIFEST.tags %}{{ loop.index }}{{ tag | upper }}{% endfor %}"
        "{% if USER %}known{% else %}nobody{% endif %}{{ MANIFEST.missing }}"
        "{{ MANIFEST.tags | tojson(indent=2) }}{{ lipsum(n=1, html=false) | length > 10 }}\n"
    )
    page = (await renderer.render(source, VARIABLES, "me")).decode()
    assert page.startswith("1A2Bnobody[\n")
    assert page.endswith("True\n")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ MANIFEST.__class__.__init__.__globals__ }}",
        "{{ lipsum.__globals__['os'].environ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self._TemplateReference__context.environment.loader }}",
        "{{ ''['__class__'].mro() }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ ('' | attr('__class__')).mro() }}",
        "{{ MANIFEST.update({'name': 'x'}) }}",
        "{{ MANIFEST.tags.append('c') }}",
    ],
)
async def test_nothing_behind_the_values_can_be_reached(renderer: TemplateProcesses, source: str) -> None:
    with pytest.raises(TemplateFailedError, match=r"unsafe|undefined"):
        await renderer.render(source, VARIABLES, "me")


@pytest.mark.parametrize(
    "source",
    [
        "{% include 'other.html' %}",
        "{% extends '/etc/passwd' %}",
        "{% import '../x' as y %}",
    ],
)
async def test_no_other_file_can_be_loaded(renderer: TemplateProcesses, source: str) -> None:
    with pytest.raises(TemplateFailedError, match="no loader"):
        await renderer.render(source, VARIABLES, "me")


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 10**10 }}",
        "{{ 9**(9**9) }}",
        "{{ 'x' | center(10**10) }}",
        "{{ '%10000000000d' % 1 }}",
        "{% set n = namespace(l='ab') %}{% for i in range(60) %}{% set n.l = n.l ~ n.l %}{% endfor %}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{%for a in range(9999)%}{%for b in range(9999)%}{%for c in range(9999)%}{%endfor%}{%endfor%}{%endfor%}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for i in range(90000) %}{% for j in range(90000) %}{{ MANIFEST.name }}{% endfor %}{% endfor %}",
        "{" + "{ (" * 5000,
        "{{ " + "-" * 20_000 + "1 }}",
    ],
    ids=lambda source: source[:24],
)
async def test_what_would_never_end_ends_and_the_next_page_is_made(renderer: TemplateProcesses, source: str) -> None:
    with pytest.raises(TemplateFailedError):
        await renderer.render(source, VARIABLES, "me")
    assert await renderer.render("{{ 1 + 1 }}", VARIABLES, "me") == b"2"


async def test_the_output_is_bounded(renderer: TemplateProcesses) -> None:
    piece = "x" * 1000
    source = f"{{% for i in range(99999) %}}{piece}{{% endfor %}}"
    with pytest.raises(TemplateFailedError, match=f"larger than {processes.OUTPUT_BYTES} bytes"):
        await renderer.render(source, VARIABLES, "me")


async def test_a_mistake_is_told_with_its_line_and_no_traceback(renderer: TemplateProcesses) -> None:
    with pytest.raises(
        TemplateFailedError, match=r"^Template rendering failed: line 2: Expected an expression"
    ) as caught:
        await renderer.render("\n{% if %}{% endif", VARIABLES, "me")
    assert "File " not in caught.value.detail
    with pytest.raises(TemplateFailedError, match="line 3: division by zero"):
        await renderer.render("a\nb\n{{ 1 / 0 }}", VARIABLES, "me")


async def test_no_template_changes_what_the_next_one_finds(renderer: TemplateProcesses) -> None:
    source = "{{ joiner }}{% set range = 3 %}{{ range }}"
    first = await renderer.render(source, VARIABLES, "me")
    assert first.endswith(b"3")
    assert await renderer.render("{{ range(3) | list }}", VARIABLES, "me") == b"[0, 1, 2]"


async def test_a_process_that_was_killed_is_replaced(renderer: TemplateProcesses) -> None:
    assert await renderer.render("1", {}, "me") == b"1"
    for process in renderer._started:  # noqa: SLF001 - As the kernel would, short of memory.
        process._running.kill()  # noqa: SLF001 - As above.
        process._running.wait()  # noqa: SLF001 - As above.
    for _ in range(processes.PROCESSES):
        with pytest.raises(TemplateFailedError):
            await renderer.render("1", {}, "me")
        if await renderer.render("2", {}, "me") == b"2":
            break
    assert await renderer.render("3", {}, "me") == b"3"


async def test_one_owner_does_not_make_all_the_others_wait(renderer: TemplateProcesses) -> None:
    slow = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    asked = [asyncio.ensure_future(renderer.render(slow, {}, "slow")) for _ in range(processes.MAX_OF_ONE_OWNER)]
    # Each of them has been taken in when the next step of the loop comes.
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await renderer.render("1", {}, "slow")
    assert await renderer.render("1", {}, "other") == b"1"
    for one in asked:
        with pytest.raises(TemplateFailedError):
            await one
    assert await renderer.render("1", {}, "slow") == b"1"


async def test_templates_that_wait_are_bounded(renderer: TemplateProcesses) -> None:
    asked = [asyncio.ensure_future(renderer.render("1", {}, str(number))) for number in range(processes.MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await renderer.render("1", {}, "one more")
    assert await asyncio.gather(*asked) == [b"1"] * processes.MAX_WAITING
