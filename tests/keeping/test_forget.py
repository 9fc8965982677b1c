"""What was said in ended runs is erased wherever it is kept; what happened stays, and verifies."""

import gzip
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest

from engine import BadInputError, RefusedError, State, events
from engine.codec.chain import GENESIS, PLAIN, AuditKeys, Place, cover
from engine.core.erasing import ERASED
from engine.journal.lines import Line, raw_line
from engine.keeping.forget import Forgetting
from engine.stores.packing import unpack
from engine.stores.sqlite import SqliteStore
from tests.keeping.office import (
    CANARY,
    CHLOE,
    DAY,
    DB,
    KEYS,
    LOG,
    TO,
    ended,
    engine,
    in_store,
    log_lines,
    parked,
    traces,
)
from tests.logs.copies import journals, rebuilt


async def forgotten(
    *runs: str, keys: AuditKeys | None = None, **more: Any
) -> Forgetting:  # as it takes them
    async with engine(200, audit_key=keys) as later:
        return await later.forget(*runs, by="boss", **more)


async def archived(keys: AuditKeys | None = None) -> Path:
    async with engine(100, audit_key=keys) as later:
        return Path((await later.archive(ended_before=DAY, to=TO)).files[-1])


@pytest.mark.parametrize("keys", [None, KEYS])
async def test_no_trace_is_left_and_the_run_still_verifies(keys: AuditKeys | None) -> None:
    await ended("r1", CHLOE, audit_key=keys)
    assert traces() == [str(DB), str(LOG)]
    async with engine(audit_key=keys) as before:
        run, seen = await before.run("r1"), await before.journal("r1")
    done = await forgotten(customer=CHLOE, reason="she asked", keys=keys)
    assert (done.left, done.doubtful, done.traces) == ({}, [], False)
    assert done.erased.keys() == {"r1"}
    assert traces() == []
    async with engine(200, audit_key=keys) as later:
        assert (await later.examine()).damaged == {}
        left, journal = await later.run("r1"), await later.journal("r1")
    assert (left.state, left.seq, left.usage) == (State.Done, run.seq + 1, run.usage)
    assert [one.event.kind for one in journal[:-1]] == [one.event.kind for one in seen]
    assert [one.at for one in journal[:-1]] == [one.at for one in seen]
    assert journal[-1].event == events.DataErased(by="boss", reason="she asked")
    assert [(said.verdict, said.by) for said in left.verdicts] == [("granted", "ann")]
    assert (left.customer, left.answer) == (ERASED, ERASED)


@pytest.mark.parametrize("keys", [None, KEYS])
async def test_the_log_says_what_the_store_says_and_rebuilds_it(keys: AuditKeys | None) -> None:
    await ended("r1", audit_key=keys)
    await parked("r2", audit_key=keys)
    await forgotten("r1", keys=keys)
    store = SqliteStore(DB)
    runs, tally, copy = await rebuilt(LOG, keys=keys)
    assert ({one.fault for one in runs.values()}, tally.damaged) == ({None}, [])
    assert await journals(copy) == await journals(store)
    entries = await store.entries("r1")
    raw = [one for one in LOG.read_bytes().splitlines(keepends=True) if b'"r1"' in one]
    for entry, line, told in zip(entries, raw, log_lines()[: len(raw)], strict=False):
        one = Line("r1", "office", orjson.loads(line)["source"], told["dest"], entry)
        assert orjson.loads(raw_line(one, keys or PLAIN))["data"] == orjson.loads(line)["data"]
    assert len(raw) == len(entries)
    await store.close()


async def test_done_twice_it_changes_nothing_more() -> None:
    await ended("r1", CHLOE)
    await forgotten(customer=CHLOE)
    store = SqliteStore(DB)
    kept = await journals(store), LOG.read_bytes()
    done = await forgotten("r1")
    assert (done.erased, done.files, done.left) == ({"r1": 0}, {}, {})
    assert (await journals(store), LOG.read_bytes()) == kept
    await store.close()
    assert (await forgotten(customer=CHLOE)).erased == {}


async def test_active_and_unknown_runs_are_left_and_named_and_the_others_erased() -> None:
    await ended("r1", CHLOE)
    await parked("r2", CHLOE)
    await ended("r3")
    kept = await in_store("r2", "r3")
    done = await forgotten("nope", customer=CHLOE)
    assert set(done.erased) == {"r1"}
    assert "abort it first" in done.left["r2"]
    assert "no run 'nope'" in done.left["nope"]
    assert await in_store("r2", "r3") == kept
    async with engine() as waystation:
        await waystation.abort("r2", by="ann", reason=CANARY)
    done = await forgotten("r3", customer=CHLOE)
    assert (set(done.erased), done.left, traces()) == ({"r2", "r3"}, {}, [])


async def test_a_run_that_was_erased_hears_nothing_any_more() -> None:
    await ended("r1")
    await forgotten("r1")
    async with engine(200) as later:
        with pytest.raises(RefusedError, match="was erased"):
            await later.send("r1", "It is me again")


@pytest.mark.parametrize("keys", [None, KEYS])
async def test_a_run_that_only_an_archive_has_is_forgotten_there(keys: AuditKeys | None) -> None:
    await ended("r1", CHLOE, audit_key=keys)
    await ended("r2", audit_key=keys)
    file = await archived(keys)
    kept = [one for one in gzip.decompress(file.read_bytes()).splitlines() if b'"r2"' in one]
    done = await forgotten(customer=CHLOE, keys=keys)
    assert (set(done.erased), done.left) == ({"r1"}, {})
    assert traces(CHLOE) == []
    left = gzip.decompress(file.read_bytes()).splitlines()
    assert [one for one in left if b'"r2"' in one] == kept
    store = SqliteStore(DB)
    row = await store.archived("r1")
    _, _, copy = await rebuilt(file, keys=keys)
    newest = (await copy.entries("r1"))[-1]
    assert row is not None
    assert (row.seq, row.digest, newest.kind) == (newest.seq, newest.digest, "data_erased")
    runs, _, again = await rebuilt(LOG, keys=keys)
    assert runs["r1"].fault is None
    assert await again.entries("r1") == await copy.entries("r1")
    async with engine(200, audit_key=keys) as later:
        assert (await later.examine()).damaged == {}
    await forgotten("r1", "r2", keys=keys)
    assert traces() == []
    assert await store.archived("r1") == row
    await rebuilt(file, store=store, keys=keys)
    assert set(await in_store("r1", "r2")) == {"r1", "r2"}
    await store.close()


OTHERS = b'{"run_id":"r1","x":1}\n'  # another program's line, which is its own business
OLD, PACKED = Path("old.jsonl"), Path("older.jsonl.gz")


def rotate() -> None:
    """Two older logs, each with something in it that is broken."""
    lines = LOG.read_bytes().splitlines(keepends=True)
    refused = b'{"schema":1,"run_id":"r1","data":{"note":"%s"},"event":"refused"}\n'
    OLD.write_bytes(OTHERS + lines[0] + refused % CANARY.encode() + lines[1][:300])
    PACKED.write_bytes(gzip.compress(lines[2] + b'{"schema":1,"ru\n' + lines[3]))


async def test_rotated_logs_are_rewritten_too_and_broken_lines_go_or_are_named() -> None:
    await ended("r1")
    rotate()
    with pytest.raises(BadInputError, match="the log gone is not there"):
        await forgotten("r1", logs=["gone"])
    done = await forgotten("r1", logs=[OLD, PACKED])
    assert (done.files[str(OLD)], done.files[str(PACKED)]) == (3, 2)
    assert done.doubtful == [f"{PACKED}:2"]
    assert traces() == []
    assert str(OLD) in traces(OTHERS.decode().strip())
    runs, _, _ = await rebuilt(LOG)
    assert runs["r1"].fault is None


async def test_what_broke_off_after_the_store_is_finished_by_the_customer_s_key() -> None:
    await ended("r1", CHLOE)
    log = LOG.read_bytes()
    await forgotten(customer=CHLOE)
    LOG.write_bytes(log)  # as it is where the process died before it came to the log
    done = await forgotten(customer=CHLOE)
    assert (done.erased, traces()) == ({"r1": 0}, [])


async def test_an_old_log_that_was_not_erased_brings_nothing_back_beside_a_newer_one() -> None:
    await ended("r1")
    shutil.copy(LOG, OLD)
    await forgotten("r1")
    store = SqliteStore(DB)
    runs, _, copy = await rebuilt(OLD, LOG)
    assert runs["r1"].fault is None
    assert list(await copy.entries("r1")) == list(await store.entries("r1"))
    await store.close()


async def test_what_a_late_tool_says_is_erased_by_asking_again() -> None:
    await ended("r1")
    await forgotten("r1")
    store = SqliteStore(DB)
    rules = [one.kind for one in await store.entries("r1")].count("sticky_rule_added")
    assert rules == 1
    async with engine(200) as later:
        (rule,) = (await later.run("r1")).rules
        await later.revoke("r1", rule.id, by="ann")
    assert (await forgotten("r1")).erased == {"r1": 0}
    await store.close()


FORGED = {"message": "What she never said", "run_id": "r1", "workflow": "office"}


@pytest.mark.parametrize("key", ["k1", ""])
async def test_without_the_key_nobody_passes_other_data_off_as_erased(key: str) -> None:
    await ended("r1", audit_key=KEYS)
    with closing(apsw.Connection(str(DB))) as store:
        select = "SELECT at, kind, CAST(data AS BLOB), digest FROM events WHERE seq = 1"
        ((at, kind, stored, digest),) = store.execute(select)
        data = orjson.dumps({**orjson.loads(unpack(stored)), **FORGED}, option=orjson.OPT_SORT_KEYS)
        guess = AuditKeys("k1", {"k1": b"a guess of the secret"}) if key else PLAIN
        forged = cover((GENESIS, digest), Place("r1", 1, at, kind), data, guess, key)
        update = "UPDATE events SET data = ?, cover = ?, key = ? WHERE seq = 1"
        store.execute(update, (data, forged, key or None))
    async with engine(200, audit_key=KEYS) as later:
        assert "damaged at seq" in (await later.examine()).damaged["r1"]
        done = await later.forget("r1", by="boss")
    assert "damaged at seq" in done.left["r1"]


async def test_a_forged_line_of_a_log_is_not_made_good_by_an_erasure() -> None:
    await ended("r1", audit_key=KEYS)
    lines = LOG.read_bytes().splitlines(keepends=True)
    LOG.write_bytes(lines[0].replace(b"I am", b"I was") + b"".join(lines[1:]))
    await forgotten("r1", keys=KEYS)
    store = SqliteStore(DB)
    runs, _, copy = await rebuilt(LOG, keys=KEYS)
    assert runs["r1"].fault is None
    assert await copy.entries("r1") == tuple(await store.entries("r1"))
    await store.close()


@pytest.mark.parametrize(
    ("runs", "more", "words"),
    [
        ((), {}, "say which runs"),
        (("r1",), {"reason": "\udcff"}, "no text"),
        ((), {"customer": ""}, "say which runs"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    runs: tuple[str, ...], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        await forgotten(*runs, **more)
