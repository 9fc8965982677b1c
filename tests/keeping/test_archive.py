"""Ended runs are moved into archives, whole, and only there; what is not well is left and named."""

import gzip
import json
import os
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from engine import BadInputError, Engine, EngineError, State
from engine.codec.chain import AuditKeys
from engine.errors import ArchivedRunError, ConflictError, RunExistsError
from engine.keeping.rewriting import marker_of
from engine.ports import Archived
from engine.stores.sqlite import SqliteStore
from tests.keeping.office import (
    DAY,
    DB,
    KEYS,
    LOG,
    STORE,
    TO,
    ended,
    engine,
    in_store,
    log_lines,
    office,
    parked,
)
from tests.logs.copies import journals, rebuilt


async def filed(days: float = 100, keys: AuditKeys | None = None) -> Path:
    """The archive that was made so many days later."""
    async with engine(days, audit_key=keys) as later:
        done = await later.archive(ended_before=90 * DAY, to=TO)
    assert done.left == {}
    (file,) = done.files
    return Path(file)


@pytest.mark.parametrize("keys", [None, KEYS])
async def test_ended_runs_are_only_in_the_archive_and_can_be_had_again(
    keys: AuditKeys | None,
) -> None:
    await ended("r1", audit_key=keys)
    await parked("r2", audit_key=keys)
    await ended("r3", audit_key=keys)
    store = SqliteStore(DB)
    before = await journals(store)
    file = await filed(keys=keys)
    assert await in_store("r1", "r2", "r3") == {"r2": len(before["r2"])}
    assert [one.name for one in TO.iterdir()] == [file.name]  # nothing else runs
    runs, tally, copy = await rebuilt(file, keys=keys)
    assert ({one.fault for one in runs.values()}, tally.damaged) == ({None}, [])
    assert await journals(copy) == {name: before[name] for name in ("r1", "r3")}
    row = await store.archived("r1")
    assert row is not None
    assert (row.seq, row.digest) == (len(before["r1"]), before["r1"][-1].digest)
    assert row.place == str(file.absolute())
    await rebuilt(file, store=store, keys=keys)  # and into the same store
    assert await journals(store) == before
    assert await store.archived("r1") is None
    await store.close()


async def test_the_lines_are_the_very_ones_that_the_log_has() -> None:
    await ended("r1")
    file = await filed()
    assert gzip.decompress(file.read_bytes()) == LOG.read_bytes()


async def test_what_ended_lately_or_not_at_all_stays() -> None:
    await ended("r1")
    await parked("r2")
    async with engine(89) as later:
        done = await later.archive(ended_before=90 * DAY, to=TO)
        assert (done.runs, done.files, done.left) == (0, [], {})
        with pytest.raises(BadInputError, match="still to come"):
            await later.archive(ended_before=-1, to=TO)
        with pytest.raises(BadInputError, match="before all time"):
            await later.archive(ended_before=1e15, to=TO)
    assert list(TO.iterdir()) == []
    assert set(await in_store("r1", "r2")) == {"r1", "r2"}


async def test_a_run_that_is_archived_says_where_it_is_and_keeps_its_id() -> None:
    await ended("r1")
    file = await filed()
    async with engine(100) as later:
        for act in (later.run("r1"), later.journal("r1"), later.resume("r1")):
            with pytest.raises(ArchivedRunError, match=rf"archived in .*{file.name}; put it back"):
                await act
        with pytest.raises(RunExistsError, match="its id is not used again"):
            await later.start("office", "Hello", "r1")
        assert (await later.examine()).archived == 1


async def test_lines_that_the_log_is_owed_are_written_first() -> None:
    await ended("r1")
    whole = LOG.read_bytes()
    LOG.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))
    with closing(apsw.Connection(str(DB))) as rows:
        rows.execute("UPDATE runs SET logged = seq - 2")
    await filed()
    assert LOG.read_bytes() == whole


async def test_what_cannot_be_read_is_left_and_named_and_the_others_go() -> None:
    await ended("r1")
    await ended("r2")
    await ended("r3")
    with closing(apsw.Connection(str(DB))) as rows:
        rows.execute("UPDATE events SET data = '{}' WHERE run = 1 AND seq = 3")
        rows.execute("UPDATE runs SET checkpoint = 'x' WHERE id = 2")
    async with engine(100) as later:
        done = await later.archive(ended_before=DAY, to=TO)
    assert done.runs == 1
    assert "damaged at seq 3" in done.left["r1"]
    assert "cannot be read" in done.left["r2"]
    assert set(await in_store("r1", "r2", "r3")) == {"r1", "r2"}


async def test_a_run_that_a_message_wakes_meanwhile_stays_and_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await ended("r1")
    await ended("r2")
    archive = SqliteStore.archive

    async def woken(store: SqliteStore, row: object) -> None:
        if getattr(row, "run_id", "") == "r1":
            async with engine(log=None) as other:
                await other.send("r1", "One thing more")
        await archive(store, row)  # type: ignore[arg-type] # handed on

    with monkeypatch.context() as planted:
        planted.setattr(SqliteStore, "archive", woken)
        async with engine(100) as later:
            done = await later.archive(ended_before=DAY, to=TO)
    assert done.runs == 1
    assert "moved it on" in done.left["r1"]
    async with engine(100) as later:
        run = await later.run("r1")
        assert (run.state, run.answer) == (State.Done, "Yes.")
        assert (await later.examine()).damaged == {}
    assert set((await rebuilt(Path(done.files[0])))[0]) == {"r2"}


async def test_a_file_from_which_every_run_was_woken_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await ended("r1")

    async def woken(_: SqliteStore, row: Archived) -> None:
        raise ConflictError(f"{row.run_id} has moved on")

    with monkeypatch.context() as planted:
        planted.setattr(SqliteStore, "archive", woken)
        async with engine(100) as later:
            done = await later.archive(ended_before=DAY, to=TO)
    assert (done.files, done.left) == ([], {"r1": "r1 has moved on"})
    assert list(TO.iterdir()) == []  # nothing else runs


async def test_what_another_store_has_left_broken_off_in_the_folder_is_left_alone() -> None:
    await ended("r1")
    file = await filed()
    marker = marker_of(file)
    marker.hardlink_to(file)  # as if it had died there
    async with engine(100, store="sqlite:///other.db", log=None) as other:
        assert (await other.archive(ended_before=DAY, to=TO)).files == []
    assert marker.samefile(file)
    async with engine(100) as again:
        assert (await again.archive(ended_before=DAY, to=TO)).files == [str(file)]
    assert not marker.exists()
    assert set((await rebuilt(file))[0]) == {"r1"}


async def test_an_archive_that_does_not_read_back_removes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await ended("r1")
    with monkeypatch.context() as planted:
        planted.setattr("engine.keeping.archive.raw_line", lambda *_: b'{"schema":1,"run_id"')
        async with engine(100) as later:
            with pytest.raises(EngineError, match="nothing was removed"):
                await later.archive(ended_before=DAY, to=TO)
    assert (set(await in_store("r1")), list(TO.iterdir())) == ({"r1"}, [])


async def test_two_archives_of_one_second_have_two_names() -> None:
    await ended("r1")
    one = await filed()
    kept = one.read_bytes()
    await ended("r2")
    other = await filed()
    assert (other.name, one.read_bytes()) == (one.name.replace("Z.", "Z-2."), kept)


async def test_a_folder_that_cannot_be_written_is_named() -> None:
    await ended("r1")
    TO.write_text("a file")
    async with engine(100) as later:
        with pytest.raises(EngineError, match="no run is lost"):
            await later.archive(ended_before=DAY, to=TO)
    assert set(await in_store("r1")) == {"r1"}


async def test_what_becomes_of_an_archive_is_found() -> None:
    await ended("r1")
    await ended("r2")
    async with engine() as now:
        anchors = [one async for one in now.anchors()]
    file = await filed()
    whole = file.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)

    async def found() -> dict[str, str]:
        async with engine(100) as later:
            return (await later.examine(anchors)).damaged

    assert await found() == {}
    file.write_bytes(gzip.compress(b"".join(lines[:-1])))
    assert list(await found()) == ["r1"]
    file.write_bytes(gzip.compress(b"".join(one for one in lines if b'"r1"' not in one)))
    assert list(await found()) == ["r1"]
    changed = json.loads(lines[0])
    changed["data"]["message"] = "Another"
    file.write_bytes(gzip.compress(json.dumps(changed).encode() + b"\n" + b"".join(lines[1:])))
    assert "damaged at seq 1" in (await found())["r2"]
    file.unlink()
    assert {words[-13:] for words in (await found()).values()} == {"which is gone"}
    file.write_bytes(whole)
    assert await found() == {}


async def test_another_run_cannot_be_put_in_the_place_of_an_archived_one() -> None:
    await ended("r1")
    other = Engine(store="sqlite:///other.db", workflows=[office()], log="other.jsonl")
    async with other as elsewhere:
        await elsewhere.start("office", "Hello", "r1")
    await filed()
    store = SqliteStore(DB)
    runs, _, _ = await rebuilt(Path("other.jsonl"), store=store)
    assert "was archived in" in str(runs["r1"].fault)
    assert await store.archived("r1") is not None
    with pytest.raises(ConflictError):
        await store.archive(await store.archived("r1"))  # type: ignore[arg-type] # it is there
    await store.close()


async def test_archiving_is_no_tool_s_business_and_the_default_log_is_left_alone() -> None:
    await ended("r1")
    before = log_lines()
    file = await filed()
    assert log_lines() == before
    assert os.stat(file).st_nlink == 1  # noqa: PTH116 # the plain call will do
    assert STORE.endswith("runs.db")
