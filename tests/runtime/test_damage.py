"""A damaged run is found, refused by name with its first bad seq, and harms no other."""
# ruff: noqa: S608 # the statements are this file's own

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import CorruptRunError, Engine, RefusedError, State, StoreError
from engine.errors import RunTooNewError
from tests.runtime.test_engine import LOOK, OK, PAY, calls, engine

SEQS = range(1, 8)  # the journal of a run that has looked something up and asks to pay


def shop() -> Engine:
    return engine(calls(LOOK), calls(PAY), OK)


@pytest.fixture
async def _store() -> None:
    """Four runs: one that will be hurt, one that waits, one that has ended, one not taken up."""
    async with shop() as waystation:
        for run_id in ("hurt", "parked", "done"):
            run = await waystation.start("shop", "Hello", run_id)
            assert run.seq == SEQS[-1]
        await waystation.approve("done", by="ann")
        await waystation.submit("shop", "Hello", "left")


def do(sql: str) -> None:
    """Damage the store behind its back."""
    database = apsw.Connection("runs.db")
    if not sql.startswith(("UPDATE", "DELETE")):
        sql = flipped(database, *sql.split("/"))
    database.execute(sql.replace("$HURT", "run = (SELECT id FROM runs WHERE run_id = 'hurt')"))
    assert database.changes()
    database.close()


def flipped(database: apsw.Connection, field: str, seq: str) -> str:
    """What sets one bit in the middle of a field to the other value."""
    found = f"SELECT CAST({field} AS BLOB) FROM events WHERE run = 1 AND seq = {seq}"
    value = bytearray(database.execute(found).get)
    value[len(value) // 2] ^= 1
    return f"UPDATE events SET {field} = x'{value.hex()}' WHERE run = 1 AND seq = {seq}"


def rows() -> list[Any]:
    database = apsw.Connection("runs.db")
    found = [*database.execute("SELECT * FROM runs ORDER BY id")]
    found += [*database.execute("SELECT * FROM events ORDER BY run, seq")]
    database.close()
    return [one for one in found if "hurt" in one or one[0] == 1]


def one_bit(field: str, seq: int) -> str:
    """The damage that `flipped` does."""
    return f"{field}/{seq}"


def damages() -> Iterator[tuple[str, str]]:
    """What is done to the run called hurt, and what must be said of it."""
    for seq in SEQS:
        yield one_bit("data", seq), f"at seq {seq}"
        yield one_bit("digest", seq), f"at seq {seq}"
        yield f"UPDATE events SET at = at + 1 WHERE seq = {seq} AND $HURT", f"at seq {seq}"
        gone = f"seq {seq} of 7 is missing" if seq == SEQS[-1] else f"seq {seq} is missing"
        yield f"DELETE FROM events WHERE seq = {seq} AND $HURT", gone
    for field in ("seq", "at"):
        yield f"UPDATE events SET {field} = 'x' WHERE seq = 3 AND $HURT", "damaged at seq"
    yield "UPDATE events SET kind = x'ff' WHERE seq = 3 AND $HURT", "seq 3"
    for seq in SEQS[:-1]:
        swap = f"UPDATE events SET seq = -seq WHERE seq IN ({seq}, {seq + 1}) AND $HURT; "
        swap += f"UPDATE events SET seq = {2 * seq + 1} + seq WHERE seq < 0"
        yield swap, f"at seq {seq}"
    checkpoint = "is damaged: its checkpoint disagrees with its journal"
    of_hurt = "WHERE run_id = 'hurt'"
    for old, new in (("AwaitingApproval", "Done"), ('"turns":2', '"turns":1'), ("5.0", "6.0")):
        text = f"CAST(replace(CAST(checkpoint AS TEXT), '{old}', '{new}') AS BLOB)"
        yield f"UPDATE runs SET checkpoint = {text} {of_hurt}", checkpoint
    other = "(SELECT checkpoint FROM runs WHERE run_id = 'parked')"
    yield f"UPDATE runs SET checkpoint = {other} {of_hurt}", checkpoint
    for broken in ("x''", "x'7b'", "'[]'", "NULL || 'x'", "x'ff00'", "17"):
        yield f"UPDATE runs SET checkpoint = coalesce({broken}, 'x') {of_hurt}", "a checkpoint"
    for column, value in (
        ("state", "'Done'"),
        ("state", "'Nonsense'"),
        ("workflow", "'other'"),
        ("ready_at", "0"),
        ("ready_at", "'soon'"),
    ):
        yield f"UPDATE runs SET {column} = {value} {of_hurt}", "disagrees"
    yield f"UPDATE runs SET ready_at = 9 {of_hurt}", "disagrees"
    yield f"UPDATE runs SET seq = 6 {of_hurt}", "goes on after seq 6"
    yield f"UPDATE runs SET seq = 8 {of_hurt}", "seq 8 of 8 is missing"
    yield f"UPDATE runs SET seq = 'many' {of_hurt}", "damaged"
    yield "UPDATE events SET data = 17 WHERE seq = 2 AND $HURT", "at seq 2"
    yield "UPDATE events SET digest = 'x' WHERE seq = 2 AND $HURT", "at seq 2"
    yield "UPDATE events SET at = 'noon' WHERE seq = 2 AND $HURT", "at seq 2"
    yield "UPDATE events SET kind = 'tool_failed' WHERE seq = 2 AND $HURT", "at seq 2"


DAMAGES = list(damages())


@pytest.mark.parametrize(("damage", "said"), DAMAGES)
@pytest.mark.usefixtures("_store")
async def test_a_damaged_run_is_refused_by_name_and_not_touched(damage: str, said: str) -> None:
    do(damage)
    before = rows()
    async with shop() as waystation:
        for touch in (
            waystation.run("hurt"),
            waystation.resume("hurt"),
            waystation.journal("hurt"),
            waystation.approve("hurt", by="ann"),
            waystation.deny("hurt", by="ann"),
            waystation.answer("hurt", by="ann", result="paid"),
            waystation.abort("hurt", by="ann"),
        ):
            with pytest.raises(CorruptRunError, match=f"^run hurt .*{re.escape(said)}"):
                await touch
        (found,) = (await waystation.damaged()).items()
        assert found[0] == "hurt"
        assert said in found[1]
    assert rows() == before


@pytest.mark.parametrize(("damage", "said"), DAMAGES[:: len(SEQS)] + DAMAGES[-17:])
@pytest.mark.usefixtures("_store")
async def test_the_other_runs_of_the_store_live_on(damage: str, said: str) -> None:
    do(damage)
    async with shop() as waystation:
        listed = {run.id: run.state for run in await waystation.runs()}
        assert listed.keys() - {"hurt"} == {"parked", "done", "left"}, said
        asked = {one.run_id for one in await waystation.pending()}
        assert asked - {"hurt"} == {"parked"}
        worker = waystation.worker()
        await worker.run(once=True)
        assert (await waystation.run("left")).state is State.AwaitingApproval
        assert (await waystation.resume("done")).state is State.Done
        assert (await waystation.approve("parked", by="ann")).state is State.Done
        with pytest.raises(RefusedError):
            await waystation.approve("parked", by="bob")
        assert (await waystation.start("shop", "Hello", "new")).seq == SEQS[-1]
        assert list(await waystation.damaged()) == ["hurt"]


@pytest.mark.usefixtures("_store")
async def test_a_run_that_is_ready_but_is_not_said_to_be_is_damaged() -> None:
    do("UPDATE runs SET ready_at = NULL WHERE run_id = 'left'")
    async with shop() as waystation:
        assert "disagrees" in (await waystation.damaged())["left"]


@pytest.mark.usefixtures("_store")
async def test_each_damaged_run_is_listed() -> None:
    do("DELETE FROM events WHERE seq = 2")
    do("UPDATE runs SET checkpoint = x'00' WHERE run_id = 'left'")
    async with shop() as waystation:
        damaged = await waystation.damaged()
        assert await waystation.runs() != []
    assert damaged.keys() == {"hurt", "parked", "done", "left"}
    assert all(f"run {run_id} is damaged" in words for run_id, words in damaged.items())


@pytest.mark.usefixtures("_store")
async def test_events_of_a_run_whose_row_is_gone_are_told_as_the_store_s_fault() -> None:
    do("DELETE FROM runs WHERE run_id = 'hurt'")
    async with shop() as waystation:
        assert "7 events belong to no run" in (await waystation.damaged())[""]


@pytest.mark.usefixtures("_store")
async def test_no_bit_of_a_checkpoint_is_another_unseen() -> None:
    database = apsw.Connection("runs.db")
    whole: bytes = database.execute("SELECT checkpoint FROM runs WHERE run_id = 'hurt'").get
    put = "UPDATE runs SET checkpoint = ? WHERE run_id = 'hurt'"
    refused = 0
    async with shop() as waystation:
        for place in range(len(whole)):
            changed = bytearray(whole)
            changed[place] ^= 1
            database.execute(put, (bytes(changed),))
            with pytest.raises((CorruptRunError, RunTooNewError), match="run hurt"):
                await waystation.run("hurt")
            refused += 1
        database.execute(put, (whole,))
        assert (await waystation.run("hurt")).seq == SEQS[-1]
    database.close()
    assert refused == len(whole) > 100


_PAGE, _PAGES = 2048, 22  # bytes


def sizes() -> list[int]:
    """Where the file may be cut off: between its pages, and within all but the last."""
    between = [page * _PAGE for page in range(1, _PAGES)]
    return [*between, *(size + 100 for size in between[:-1])]


@pytest.mark.parametrize("size", sizes())
@pytest.mark.usefixtures("_store")
async def test_a_truncated_store_is_refused_by_name_and_not_touched(size: int) -> None:
    path = Path("runs.db")
    whole = path.read_bytes()  # noqa: ASYNC240 # nothing else runs
    assert len(whole) == _PAGES * _PAGE
    path.write_bytes(whole[:size])  # noqa: ASYNC240 # as above
    for touch in ("run", "resume", "journal"):
        async with shop() as waystation:
            with pytest.raises(StoreError, match=r"runs\.db.*malformed"):
                await getattr(waystation, touch)("hurt")
    async with shop() as waystation:
        with pytest.raises(StoreError, match=r"runs\.db.*malformed"):
            await waystation.damaged()
    assert path.read_bytes() == whole[:size]  # noqa: ASYNC240 # as above


@pytest.mark.usefixtures("_store")
async def test_a_store_whose_last_page_is_torn_is_found_out() -> None:
    # SQLite reads what is missing of it as zeros, so only a look at the whole may find it.
    path = Path("runs.db")
    whole = path.read_bytes()  # noqa: ASYNC240 # nothing else runs
    path.write_bytes(whole[: len(whole) - _PAGE + 96])  # noqa: ASYNC240 # as above
    async with shop() as waystation:
        damaged = await waystation.damaged()
        for run_id in ("hurt", "parked", "done"):
            if run_id in damaged:
                with pytest.raises((CorruptRunError, StoreError), match=f"{run_id}|malformed"):
                    await waystation.run(run_id)
            else:
                assert (await waystation.run(run_id)).seq >= SEQS[-1]
    assert damaged


async def test_a_run_that_its_row_keeps_from_every_worker_is_found() -> None:
    async with shop() as waystation:
        await waystation.submit("shop", "Hello", "left")
    do("UPDATE runs SET ready_at = 253402300799000000 WHERE run_id = 'left'")  # the year 9999
    async with shop() as waystation:
        assert "disagrees" in (await waystation.damaged())["left"]
