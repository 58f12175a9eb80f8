import asyncio

import pytest

from application.shared_work import SharedWork


async def test_those_who_ask_for_the_same_wait_for_one_work() -> None:
    work: SharedWork[str, int] = SharedWork()
    go, begun = asyncio.Event(), 0

    async def one() -> int:
        nonlocal begun
        begun += 1
        await go.wait()
        return begun

    joined = [asyncio.ensure_future(work.join("a", one)) for _ in range(3)]
    other = asyncio.ensure_future(work.join("b", one))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert work.is_under_way(lambda key: key == "a")
    assert not work.is_under_way(lambda key: key == "c")
    go.set()
    assert await asyncio.gather(*joined, other) == [2, 2, 2, 2]
    assert not work.is_under_way(lambda _: True)
    assert await work.join("a", one) == 3


async def test_work_goes_on_when_its_caller_is_gone() -> None:
    work: SharedWork[str, str] = SharedWork()
    go = asyncio.Event()

    async def one() -> str:
        await go.wait()
        return "done"

    caller = asyncio.ensure_future(work.join("a", one))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    again = asyncio.ensure_future(work.join("a", one))
    go.set()
    assert await again == "done"


async def test_an_error_goes_to_all_who_wait_and_work_can_begin_anew() -> None:
    work: SharedWork[str, str] = SharedWork()

    async def fail() -> str:
        await asyncio.sleep(0)
        raise LookupError

    outcomes = await asyncio.gather(*(work.join("a", fail) for _ in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LookupError, LookupError]
    assert not work.is_under_way(lambda _: True)
    with pytest.raises(LookupError):
        await work.join("a", fail)


async def test_closing_stops_what_is_under_way() -> None:
    work: SharedWork[str, str] = SharedWork()
    stopped = asyncio.Event()

    async def one() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    caller = asyncio.ensure_future(work.join("a", one))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await work.close()
    assert stopped.is_set()
    with pytest.raises(asyncio.CancelledError):
        await caller
