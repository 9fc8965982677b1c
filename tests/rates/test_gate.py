"""The queue before an endpoint, and what is counted there."""

import asyncio
from datetime import datetime, timedelta

import pytest

from engine.rates.gate import Entry, Gate
from engine.rates.limit import RateLimit
from engine.rates.meter import Meter
from tests.clock import Steered


def metered(**limit: int) -> Meter:
    meter = Meter()
    meter.narrow(RateLimit(**limit))
    return meter


async def entered(gate: Gate) -> Entry:
    entry = await gate.enter(1)
    assert isinstance(entry, Entry)
    return entry


async def settled() -> None:
    """Nothing, once whoever can go on has."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_after_a_pause_one_goes_alone_and_then_twice_as_many_each_time() -> None:
    clock = Steered()
    gate, inside = Gate(clock), list[Entry]()

    async def enter() -> None:
        inside.append(await entered(gate))

    gate.hold(clock.now() + timedelta(seconds=9))
    waiting = [asyncio.create_task(enter()) for _ in range(7)]
    await settled()
    clock.run(8)
    await settled()
    assert inside == []
    seen = []
    clock.run(2)
    await settled()
    while inside:
        seen.append(len(inside))
        for entry in inside.copy():
            inside.remove(entry)
            gate.settle(entry, 0)
            gate.leave()
        await settled()
    assert seen == [1, 2, 4]
    await asyncio.gather(*waiting)


async def test_a_reply_from_before_a_pause_does_not_end_the_caution() -> None:
    clock = Steered()
    gate = Gate(clock)
    before = await entered(gate)
    gate.hold(clock.now())
    gate.settle(before, 5)
    gate.leave()
    await gate.enter(1)
    second = asyncio.create_task(entered(gate))
    await settled()
    assert not second.done()
    gate.leave()
    assert (await second).waited


async def test_who_gives_up_waiting_lets_the_next_one_in() -> None:
    gate = Gate(Steered())
    gate.narrow(RateLimit(max_concurrent=1))
    await gate.enter(1)
    gone, next_one = (asyncio.create_task(entered(gate)) for _ in "ab")
    await settled()
    gone.cancel()
    gate.leave()
    await next_one
    assert gone.cancelled()


async def test_who_would_have_to_wait_long_is_sent_away_with_the_time() -> None:
    clock = Steered()
    gate = Gate(clock)
    gate.narrow(RateLimit(max_concurrent=1))
    await entered(gate)
    waiting = [asyncio.create_task(gate.enter(1)) for _ in "ab"]
    await settled()
    until = clock.now() + timedelta(seconds=600)
    gate.hold(until)
    for each in await asyncio.gather(*waiting, gate.enter(1)):
        assert isinstance(each, datetime)
        assert until <= each <= until + timedelta(seconds=1)


async def test_a_clock_that_is_set_back_keeps_nobody_out() -> None:
    clock = Steered()
    gate = Gate(clock)
    gate.hold(clock.now() + timedelta(seconds=20))
    clock.jump(-3600)
    assert not (await entered(gate)).waited


def test_threads_share_one_queue() -> None:
    gate, inside, most = Gate(Steered()), 0, 0
    gate.narrow(RateLimit(max_concurrent=1))

    async def ask() -> None:
        nonlocal inside, most
        await gate.enter(1)
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        gate.leave()

    async def ask_often() -> None:
        await asyncio.gather(*(ask() for _ in range(20)))

    async def from_two_threads() -> None:
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, ask_often()) for _ in "ab"))

    asyncio.run(from_two_threads())
    assert (inside, most) == (0, 1)


def test_requests_are_counted_in_any_sixty_seconds() -> None:
    meter = metered(requests_per_minute=3)
    assert [meter.spend(at, 0) for at in (0, 30, 59)] == [0, 0, 0]
    assert meter.spend(59.5, 0) == pytest.approx(0.5, abs=0.01)
    assert meter.spend(60.002, 0) == 0
    assert meter.spend(60.002, 0) == pytest.approx(30, abs=0.01)


def test_tokens_flow_back_evenly() -> None:
    meter = metered(tokens_per_minute=600)
    assert meter.spend(0, 600) == 0
    assert meter.spend(0, 10) == pytest.approx(1)
    assert meter.spend(1, 10) == 0


def test_what_a_reply_took_is_settled_with_the_next_request() -> None:
    more, less = metered(tokens_per_minute=600), metered(tokens_per_minute=600)
    for meter, took in ((more, 700), (less, 500)):
        assert meter.spend(0, 600) == 0
        meter.settle(600, took)
    assert more.spend(0, 10) == pytest.approx(11)
    assert less.spend(0, 10) == 0


def test_a_request_larger_than_a_minute_goes_and_the_next_ones_wait_longer() -> None:
    meter = metered(tokens_per_minute=600)
    assert meter.spend(0, 900) == 0
    assert meter.spend(0, 60) == pytest.approx(36)


@pytest.mark.parametrize("limit", [90_000, 2_000_000, 150_000_000])
def test_large_limits_are_kept_closely(limit: int) -> None:
    meter = metered(tokens_per_minute=limit)
    assert meter.spend(0, limit) == 0
    assert meter.spend(0, limit // 2) == pytest.approx(30, rel=0.01)


def test_a_limit_that_is_narrowed_knows_what_was_spent() -> None:
    meter = metered(requests_per_minute=5, tokens_per_minute=600)
    assert [meter.spend(0, 100) for _ in range(2)] == [0, 0]
    meter.narrow(RateLimit(requests_per_minute=2, tokens_per_minute=600))
    assert meter.spend(0, 100) == pytest.approx(60, abs=0.01)


@pytest.mark.parametrize("told", [10**12, 10**40])
def test_a_reply_that_told_of_more_tokens_than_there_are_keeps_nobody_waiting_for_ever(
    told: int,
) -> None:
    meter, now = metered(tokens_per_minute=1000), 0.0
    assert meter.spend(now, 10) == 0
    meter.settle(10, told)
    for _ in range(20):
        while wait := meter.spend(now, 10):
            now += wait
    assert now <= 15 * 60
