"""A store that is lost is made again from its logs, byte for byte; what is not whole is named."""

import asyncio
import gzip
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine import ApprovalPolicy, Engine, State
from engine.api.rebuilding import rebuild
from engine.codec.events import ticks
from engine.core.states import ENDED
from engine.runtime.clock import SystemClock
from engine.stores.sqlite import SqliteStore
from tests.logs.copies import LOG, STORE, journals, lines_of, pay, rebuilt, shop, write_log, written
from tests.rebuilding import compare, rebuild_and_compare

JOURNALS = Path(__file__).parent.parent / "replay" / "journals"
NEWLINE = b"\n"


@pytest.mark.parametrize("version", sorted(one.name for one in JOURNALS.iterdir()))
async def test_every_golden_log_makes_its_store_again(version: str) -> None:
    shutil.copy(JOURNALS / version / "runs.db", "runs.db")
    runs, tally, copy = await rebuilt(JOURNALS / version / "runs.jsonl")
    assert {one.fault for one in runs.values()} == {None}
    assert tally.damaged == []
    assert len(runs) >= 8
    store = SqliteStore("runs.db")
    for run_id in runs:
        await compare(store, copy, run_id)
    await store.close()


async def test_a_parked_run_is_approved_and_ends_in_the_rebuilt_store() -> None:
    await write_log()
    new = SqliteStore("new.db")
    await rebuilt(LOG, store=new)
    await new.close()
    async with Engine(store="sqlite:///new.db", workflows=[shop()]) as engine:
        (asked,) = await engine.pending()
        run = await engine.approve("parked", by="ann", digest=asked.digest)
        assert (run.state, run.answer) == (State.Done, "Paid.")


async def test_lines_may_be_mixed_repeated_rotated_packed_and_among_others() -> None:
    lines = lines_of(await write_log())
    _, _, whole = await rebuilt(LOG)
    random.Random(5).shuffle(lines)  # noqa: S311 # any order will do
    other = [b'{"event":"request","run_id":"x"}\n', b"GET / 200\n", b"\n", b"[1, 2]\n", b"{}\n"]
    one = written(b"".join(lines[:9] + other), "a.jsonl")
    two = written(gzip.compress(b"".join(lines[5:] + other[:2])), "b.jsonl.gz")
    runs, tally, again = await rebuilt(one, two)
    assert {one.fault for one in runs.values()} == {None}
    assert (tally.foreign, tally.damaged) == (6, [])
    assert await journals(again) == await journals(whole)


async def test_rebuilding_twice_changes_nothing_and_other_runs_are_left_alone() -> None:
    await write_log()
    store = SqliteStore("runs.db")
    before = await journals(store)
    runs, _, _ = await rebuilt(LOG, store=store)
    assert {one.fault for one in runs.values()} == {None}
    assert await journals(store) == before
    await store.close()


async def test_a_run_that_went_on_otherwise_in_the_store_is_left_out_and_named() -> None:
    await write_log()
    async with Engine(store="sqlite:///other.db", workflows=[shop()]) as engine:
        await engine.start("shop", "Another story", run_id="done")
    store = SqliteStore("other.db")
    before = await store.entries("done")
    runs, _, _ = await rebuilt(LOG, store=store)
    assert "in the store already, with another journal" in str(runs["done"].fault)
    assert runs["parked"].fault is None
    assert await store.entries("done") == before
    await store.close()


async def test_each_line_dropped_is_named_or_leaves_the_run_as_it_was_before_it() -> None:
    lines = lines_of(await write_log())
    whole = await journals((await rebuilt(LOG))[2])
    cut, named = 0, 0
    for place, line in enumerate(lines):
        dropped = json.loads(line)
        runs, _, store = await rebuilt(written(b"".join(lines[:place] + lines[place + 1 :])))
        run_id, seq = dropped["run_id"], dropped["seq"]
        if seq == len(whole[run_id]):
            cut += 1
            assert (await journals(store))[run_id] == whole[run_id][:-1]
        else:
            named += 1
            assert f"seq {seq} is missing" in str(runs[run_id].fault)
            assert run_id not in await journals(store)
    assert (cut, named) == (2, len(lines) - 2)


async def test_lines_doubled_or_swapped_are_harmless() -> None:
    lines = lines_of(await write_log())
    whole = await journals((await rebuilt(LOG))[2])
    for place in range(len(lines) - 1):
        swapped = [
            *lines[:place],
            lines[place + 1],
            lines[place],
            lines[place],
            *lines[place + 2 :],
        ]
        runs, tally, store = await rebuilt(written(b"".join(swapped)))
        assert {one.fault for one in runs.values()} | {*tally.damaged} == {None}
        assert await journals(store) == whole


async def test_a_log_cut_off_at_every_byte_of_its_last_lines_is_named_or_earlier() -> None:
    log = b"".join(lines_of(await write_log()))
    whole = await journals((await rebuilt(LOG))[2])
    ends = [place for place, letter in enumerate(log) if letter == ord("\n")]
    named, earlier = 0, 0
    for end in range(ends[-4] + 1, len(log)):
        runs, tally, store = await rebuilt(written(log[:end]))
        kept = await journals(store)
        assert all(entries == whole[run][: len(entries)] for run, entries in kept.items())
        if end in {ends[-4] + 1, *(one + 1 for one in ends), *ends}:
            earlier += 1
            assert {one.fault for one in runs.values()} | {*tally.damaged} == {None}
        else:
            named += 1
            (bad,) = tally.damaged
            assert bad.where == f"part.jsonl:{log[:end].count(NEWLINE) + 1}"
            assert bad.run_id in {None, "parked"}
            assert bad.run_id is None or "parked" not in kept
    assert named > 500
    assert earlier == 6


def test_each_byte_flipped_of_the_last_lines_is_found_and_named_or_harmless() -> None:
    asyncio.run(write_log())
    log = LOG.read_bytes()
    whole = asyncio.run(all_of(LOG))
    begin = [place for place, letter in enumerate(log) if letter == ord("\n")][-4] + 1
    found, harmless = 0, 0
    for place in range(begin, len(log)):
        runs, tally, store = asyncio.run(
            rebuilt(written(log[:place] + bytes([log[place] ^ 1]) + log[place + 1 :]))
        )
        kept = asyncio.run(journals(store))
        assert all(kept[run] == whole[run][: len(kept[run])] for run in kept), place
        assert kept.keys() <= whole.keys(), place
        if kept == whole:
            harmless += 1  # such as the T of a time, which may be small
        else:
            found += 1
            assert tally.damaged or any(one.fault for one in runs.values()), place
    assert found > 500
    assert harmless < found / 20


async def all_of(log: Path) -> dict[str, tuple[object, ...]]:
    return dict(await journals((await rebuilt(log))[2]))


async def test_two_stories_of_one_seq_are_both_left_out() -> None:
    await write_log()
    other = Path("other.jsonl")
    shutil.copy("runs.db", "other.db")
    async with Engine(store=STORE, workflows=[shop()], log=LOG) as engine:
        await engine.deny("parked", by="bob")
    async with Engine(store="sqlite:///other.db", workflows=[shop()], log=other) as engine:
        await engine.approve("parked", by="ann")
    runs, _, store = await rebuilt(LOG, other)
    assert "two stories" in str(runs["parked"].fault)
    assert set(await journals(store)) == {"done"}


async def test_what_is_packed_badly_gives_what_can_be_read_and_says_so() -> None:
    packed = gzip.compress(b"".join(lines_of(await write_log())))
    _, tally, _ = await rebuilt(written(packed[: len(packed) // 2], "half.jsonl.gz"))
    assert any("nothing more of the file" in bad.words for bad in tally.damaged)


async def test_the_fixture_that_all_tests_share_notices_a_log_that_lacks_something(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await write_log()
    store = SqliteStore("runs.db")
    assert await rebuild_and_compare(store, tmp_path / "one") == 2
    ended = [head for head in await store.heads(limit=9) if head.state in ENDED]
    assert len(ended) == 1
    with monkeypatch.context() as planted:
        planted.setattr(
            "engine.journal.lines.masked", lambda line, _: line.entry._replace(data=b'{"v":2}')
        )
        with pytest.raises(AssertionError):
            await rebuild_and_compare(store, tmp_path / "other")
    await store.close()


async def test_a_run_that_waits_with_a_deadline_waits_for_a_person() -> None:
    dated = replace(pay, approval=ApprovalPolicy(expires_in=3600, remind_every=60))
    workflow = replace(shop(), tools=[dated])
    async with Engine(store=STORE, workflows=[workflow], log=LOG) as engine:
        await engine.start("shop", "Pay for order 1", run_id="r1")
    store = SqliteStore("runs.db")
    health = await store.health(ticks(SystemClock().now()))
    await store.close()
    assert (health.ready, health.waiting) == (0, 1)
    (one,) = [one async for one in rebuild([str(LOG)], "memory://")]
    assert (one.ready, one.fault) == (False, None)
