"""Under an audit key, who can write the store or the log can still forge nothing unnoticed."""

import re
from contextlib import closing

import apsw
import pytest

from engine import (
    Anchor,
    BadInputError,
    CorruptRunError,
    RefusedError,
    State,
    UnverifiedRunError,
)
from engine.codec.chain import PLAIN, AuditKeys, Place, cover, read_keys
from engine.journal.walk import require_chained
from engine.ports import Entry
from tests.logs.copies import LOG, lines_of, rebuilt, write_log, written
from tests.runtime.desk import Till
from tests.runtime.insider import (
    KEY,
    OTHER,
    cover_up,
    desk,
    forge_a_verdict,
    parked,
    rewrite,
    set_back,
    tamper,
)

GUESS = AuditKeys("k1", {"k1": b"a guess of the secret"})


@pytest.mark.parametrize("keys", [PLAIN, GUESS])
async def test_a_verdict_that_is_forged_into_the_store_is_refused_before_anything_runs(
    keys: AuditKeys,
) -> None:
    await parked()
    await rewrite(forge_a_verdict, keys)
    till = Till()
    async with desk(till) as engine:
        for act in (engine.resume("r1"), engine.approve("r1", by="ann"), engine.run("r1")):
            with pytest.raises((CorruptRunError, UnverifiedRunError)):
                await act
    assert till.paid == []


async def test_without_a_key_the_same_forgery_goes_through_which_is_why_there_is_one() -> None:
    await parked(None)
    await rewrite(forge_a_verdict, PLAIN)
    till = Till()
    async with desk(till, None) as engine:
        assert (await engine.resume("r1")).state is State.Done
    assert till.paid == [5]


CHANGES = {
    "an event dropped": "DELETE FROM events WHERE seq = 1",
    "its data changed": "UPDATE events SET data = replace(data, '5', '9') WHERE seq = 2",
    "its time changed": "UPDATE events SET at = at + 1 WHERE seq = 2",
    "its key's name changed": "UPDATE events SET key = 'k2' WHERE seq = 2",
    "its key taken away": "UPDATE events SET key = NULL WHERE seq = 2",
    "its digest changed": "UPDATE events SET digest = zeroblob(32) WHERE seq = 3",
    "data passed off as what is left": (
        "UPDATE events SET data = replace(data, '5', '9'), cover = zeroblob(32) WHERE seq = 2"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_whatever_an_insider_changes_is_found_and_named(change: str) -> None:
    await parked()
    async with desk(Till()) as engine:
        assert (await engine.examine()).keyed == {"k1": 1}
    await tamper(change)
    async with desk(Till()) as engine:
        found = await engine.examine()
        words = {**found.damaged, **found.unverified}["r1"]
        assert re.search(r"run r1 (is damaged )?at seq [123]", words)
        with pytest.raises((CorruptRunError, UnverifiedRunError), match="seq [123]"):
            await engine.resume("r1")


@pytest.mark.parametrize("sealed", [False, True])
async def test_no_plain_cover_stands_in_for_what_is_under_a_key_or_was_sealed(
    sealed: bool,  # a case of the test
) -> None:
    await parked(None if sealed else KEY)
    async with desk(Till()) as engine:
        if sealed:
            await engine.seal("r1", by="ann")
    await cover_up(2, b"5", b"9")
    till = Till()
    async with desk(till) as engine:
        expected = "masked before it is under no" if sealed else "what stands before it is not"
        assert expected in (await engine.examine()).damaged["r1"]
        with pytest.raises(CorruptRunError):
            await engine.approve("r1", by="ann")
    assert till.paid == []


async def test_what_was_masked_without_a_key_cannot_be_sealed() -> None:
    await parked(None)
    await cover_up(2, b"Pay", b"Pay")
    async with desk(Till()) as engine:
        with pytest.raises(RefusedError, match="was masked without an audit key"):
            await engine.seal("r1", by="ann")
    async with desk(Till(), None) as engine:
        assert (await engine.approve("r1", by="ann")).state is State.Done


async def test_a_masked_event_cannot_be_put_behind_another_past() -> None:
    keys, before, other = read_keys(KEY), b"1" * 32, b"2" * 32
    place, data = Place("r1", 7, 0, "tools_settled"), b"{}"
    masked = cover((before, b"3" * 32), place, data, keys, "k1")
    entry = Entry(7, 0, "tools_settled", data, b"3" * 32, "k1", masked)
    assert require_chained(before, "r1", entry, keys) == "k1"
    with pytest.raises(CorruptRunError, match="is not what was left"):
        require_chained(other, "r1", entry, keys)


async def test_an_end_that_is_cut_off_and_a_run_that_is_gone_are_found_by_anchors() -> None:
    await parked()
    async with desk(Till()) as engine:
        anchors = [one async for one in engine.anchors()]
        assert [(one.run_id, one.seq) for one in anchors] == [("r1", 3)]
        assert (await engine.examine(anchors)).damaged == {}
    await tamper("DELETE FROM events WHERE seq = 3")
    async with desk(Till()) as engine:
        assert (await engine.examine()).damaged == {}  # it is a run as it once was
        (words,) = (await engine.examine(anchors)).damaged.values()
        assert words == "run r1 ends at seq 2, though it was anchored at seq 3: its end was cut off"
    with closing(apsw.Connection("runs.db")) as store:
        store.execute("DELETE FROM events; DELETE FROM runs")
    async with desk(Till()) as engine:
        (words,) = (await engine.examine(anchors)).damaged.values()
        assert words == "run r1 is gone; it was anchored at seq 3"


async def test_a_row_that_is_set_back_before_events_that_are_there_is_found() -> None:
    await parked()
    async with desk(Till()) as engine:
        await engine.approve("r1", by="ann")
        anchors = [one async for one in engine.anchors()]
    await set_back(3)
    till = Till()
    async with desk(till) as engine:
        found = await engine.examine(anchors)
        assert "goes on after seq 3, at which its row ends" in found.damaged["r1"]
        with pytest.raises(CorruptRunError):
            await engine.resume("r1")
    assert till.paid == []


async def test_no_run_is_kept_from_sight_by_its_place_in_the_store() -> None:
    await parked()
    with closing(apsw.Connection("runs.db")) as store:
        highest = 2**63 - 1
        store.execute(f"UPDATE events SET run = {highest}")  # noqa: S608 # a number
        store.execute(f"UPDATE runs SET id = {highest}")  # noqa: S608 # a number
    async with desk(Till()) as engine:
        assert [run.id for run in await engine.runs()] == ["r1"]
        assert (await engine.examine()).keyed == {"k1": 1}


async def test_anchors_hold_while_a_run_goes_on_and_not_of_another_story() -> None:
    await parked()
    async with desk(Till()) as engine:
        anchors = [one async for one in engine.anchors()]
        await engine.approve("r1", by="ann")
        assert (await engine.examine(anchors)).damaged == {}
        other = anchors[0].model_copy(update={"digest": "0" * 64})
        assert "not the event that was anchored" in (await engine.examine([other])).damaged["r1"]


async def test_a_run_of_before_the_key_is_refused_until_somebody_vouches_for_it() -> None:
    await parked(None)
    till = Till()
    async with desk(till) as engine:
        with pytest.raises(UnverifiedRunError, match="waystation seal r1"):
            await engine.approve("r1", by="ann")
        assert await engine.seal("r1", by="ann")
        assert not await engine.seal("r1", by="bob")
        assert (await engine.approve("r1", by="ann")).state is State.Done
        assert (await engine.examine()).keyed == {"k1": 1}
    assert till.paid == [5]


async def test_a_sealed_run_cannot_be_stripped_of_its_key() -> None:
    await parked(None)
    async with desk(Till()) as engine:
        await engine.seal("r1", by="ann")
    await rewrite(lambda rows: forge_a_verdict(rows[:-1]), PLAIN)
    async with desk(Till()) as engine:
        with pytest.raises(UnverifiedRunError, match="without an audit key"):
            await engine.resume("r1")


async def test_who_has_no_key_can_neither_read_nor_continue_a_keyed_run() -> None:
    await parked()
    till = Till()
    for key in (None, OTHER):
        async with desk(till, key) as engine:
            with pytest.raises(UnverifiedRunError, match="the audit key 'k1', which is missing"):
                await engine.approve("r1", by="ann")
    assert till.paid == []


async def test_keys_are_changed_by_putting_a_new_one_in_front() -> None:
    await parked()
    till = Till()
    async with desk(till, f"# since November\n{OTHER}\n{KEY}") as engine:
        await engine.approve("r1", by="ann")
        assert (await engine.examine()).keyed == {"k2": 1}
    assert till.paid == [5]


async def test_a_keyed_log_is_rebuilt_with_the_key_and_left_out_without() -> None:
    keys = read_keys(KEY)
    await write_log(keys)
    runs, _, _ = await rebuilt(LOG, keys=keys)
    assert {one.fault for one in runs.values()} == {None}
    runs, _, _ = await rebuilt(LOG)
    assert all("'k1', which is missing" in str(one.fault) for one in runs.values())
    forged = b"".join(lines_of()).replace(b"Paid.", b"Void.")
    runs, _, _ = await rebuilt(written(forged), keys=keys)
    assert "does not follow" in str(runs["done"].fault)


@pytest.mark.parametrize(
    "text", ["", "no colon in it", "k1:short", ":a secret of some length", f"{KEY}\n{KEY}"]
)
def test_what_is_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(BadInputError, match="audit key") as refused:
        read_keys(text)
    assert "secret of some" not in str(refused.value)
    assert "secret of some" not in repr(read_keys(KEY))


def test_an_anchor_is_one_line_of_json() -> None:
    line = '{"run_id":"r1","seq":3,"digest":"00","at":"2026-01-01T00:00:00Z"}'
    assert Anchor.model_validate_json(line).model_dump_json() == line
