"""The client for asyncio. What it shares with the one for threads is tested there."""

from __future__ import annotations

import asyncio

import pytest
from conftest import Fake, eventually, free_port

from weir_client import DeadlineError, RequestError, UnavailableError
from weir_client.aio import connect

PATIENT = 20.0


def test_3_requests_of_4_at_once_are_allowed(shop: str) -> None:
    # Made before there is a loop, as applications do.
    weir = connect(shop, timeout=PATIENT, on_failure="raise")

    async def ask() -> None:
        async with weir:
            await weir.ready(PATIENT)
            answers = await asyncio.gather(*(weir.check("shop", [{"user": "aio"}]) for _ in range(4)))
            assert sorted(a.allowed for a in answers) == [False, True, True, True]
            with pytest.raises(RequestError):
                await weir.check("", [{"user": "aio"}], on_failure="allow")
        with pytest.raises(UnavailableError):
            await weir.check("shop", [{"user": "aio"}])

    asyncio.run(ask())


def test_a_failure_is_allowed_denied_or_raised(silence: str) -> None:
    async def ask() -> None:
        async with connect(f"127.0.0.1:{free_port()}", timeout=PATIENT) as weir:
            assert (await weir.check("shop", [{"user": "x"}])).allowed
            assert not (await weir.check("shop", [{"user": "x"}], on_failure="deny")).allowed
            with pytest.raises(UnavailableError):
                await weir.check("shop", [{"user": "x"}], on_failure="raise")
        async with connect(silence, timeout=0.1, on_failure="raise") as mute:
            with pytest.raises(DeadlineError):
                await mute.check("shop", [{"user": "x"}])
            with pytest.raises(UnavailableError):
                await mute.ready(0.05)

    asyncio.run(ask())


def test_a_look_is_asked_3_times_and_a_charge_once(fake: Fake) -> None:
    fake.answer = "unavailable"

    async def ask() -> None:
        async with connect(fake.address, timeout=PATIENT, on_failure="raise") as weir:
            for hits, asked in ((0, 3), (1, 4)):
                with pytest.raises(UnavailableError, match="the store is away"):
                    await weir.check("shop", [{"user": "x"}], hits)
                assert len(fake.asked) == asked

    asyncio.run(ask())


def test_closing_ends_what_is_under_way_and_cancels_no_task(fake: Fake) -> None:
    fake.answer = "silence"

    async def ask() -> None:
        weir = connect(fake.address, timeout=PATIENT)
        task = asyncio.create_task(weir.check("shop", [{"user": "x"}]))
        await asyncio.to_thread(eventually, "the service to be asked", lambda: len(fake.asked) == 1)
        await weir.close()
        assert isinstance((await task).failure, UnavailableError)

    asyncio.run(ask())


def test_a_task_that_is_cancelled_hangs_up(fake: Fake) -> None:
    fake.answer = "silence"

    async def ask() -> None:
        async with connect(fake.address, timeout=60) as weir:
            task = asyncio.create_task(weir.check("shop", [{"user": "x"}]))
            await asyncio.to_thread(eventually, "the service to be asked", lambda: len(fake.asked) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(fake.gone.wait, PATIENT)

    asyncio.run(ask())
