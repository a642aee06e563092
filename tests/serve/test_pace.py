"""When ticks begin. Bounds are one-sided: a busy machine may make everything later, nothing sooner."""

import asyncio
import time

import pytest

from lapwing.serve.pace import APART_S, SHARE, Pace


async def test_a_tick_comes_by_itself() -> None:
    began = time.monotonic()
    pace = Pace(asyncio.Event(), 0.05)
    assert await asyncio.wait_for(pace.next(), 60) >= 0.0
    assert time.monotonic() - began >= 0.045


async def test_what_presses_does_not_wait_for_the_regular_tick() -> None:
    pressed = asyncio.Event()
    pace = Pace(pressed, 3_600.0)
    asyncio.get_running_loop().call_later(0.05, pressed.set)
    assert await asyncio.wait_for(pace.next(), 60) == 0.0  # else an hour


async def test_nothing_presses_when_it_was_taken() -> None:
    pressed = asyncio.Event()
    pace = Pace(pressed, 3_600.0)
    pressed.set()
    await pace.next()
    pressed.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pace.next(), 0.3)


async def test_pressing_ticks_leave_time_for_others() -> None:
    pressed = asyncio.Event()
    pressed.set()  # and nobody clears it: everything presses
    pace = Pace(pressed, 3_600.0)
    await pace.next()
    first = time.monotonic()
    await pace.next()
    assert time.monotonic() - first >= APART_S - 0.005
    first = time.monotonic()
    time.sleep(0.3)  # a tick that takes long
    await pace.next()
    assert time.monotonic() - first >= 0.3 / SHARE - 0.005


async def test_a_tick_that_is_late_says_so_and_the_next_has_its_time() -> None:
    pace = Pace(asyncio.Event(), 0.4)
    time.sleep(0.6)
    assert await pace.next() >= 0.15
    began = time.monotonic()
    await asyncio.wait_for(pace.next(), 60)
    assert time.monotonic() - began >= 0.35
