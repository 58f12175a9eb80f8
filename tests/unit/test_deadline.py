import asyncio

import pytest

from api.http.deadline import Deadline


async def test_a_wait_that_ends_in_time_is_left_alone() -> None:
    with Deadline(5):
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_wait_that_takes_too_long_times_out_and_the_task_goes_on() -> None:
    with pytest.raises(TimeoutError), Deadline(0.01):
        await asyncio.sleep(5)
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancellation_from_elsewhere_goes_on() -> None:
    async def wait() -> None:
        with Deadline(5):
            await asyncio.sleep(5)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_other_errors_go_on() -> None:
    with pytest.raises(ValueError, match="other"), Deadline(5):
        raise ValueError("other")
