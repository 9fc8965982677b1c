"""Logs that somebody made odd on purpose, and what is no log at all."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import apsw
import pytest

from engine import BadInputError
from engine.codec.chain import GENESIS, PLAIN, Place, chain
from engine.codec.events import encode_event
from engine.core.events import RunStarted
from engine.journal.lines import EVENT, Line, fields_of
from engine.logs import reading
from engine.ports import Entry
from engine.stores.sqlite import SqliteStore
from tests.logs.copies import LOG, STORE, journals, lines_of, rebuilt, write_log, written


async def test_a_seq_that_no_store_can_hold_damages_its_own_line_alone() -> None:
    lines = lines_of(await write_log())
    odd = [json.dumps({**json.loads(lines[0]), "seq": seq}).encode() for seq in (2**63, 2**70)]
    runs, tally, _ = await rebuilt(written(b"\n".join([*odd, b"".join(lines)])))
    assert sorted(name for name, one in runs.items() if one.fault is None) == ["parked"]
    assert len(tally.damaged) == len(odd)


@pytest.mark.parametrize("levels", [100, 253, 254, 255, 300, 5000])
async def test_data_of_any_depth_damages_its_own_line_alone(levels: int) -> None:
    lines = lines_of(await write_log())
    deep = b'"data":{"deep":' + b"[" * levels + b"]" * levels + b","
    runs, tally, _ = await rebuilt(written(b"".join([lines[0].replace(b'"data":{', deep), *lines])))
    assert {one.fault for one in runs.values()} == {None}
    assert len(tally.damaged) == 1


async def test_a_log_may_come_through_a_pipe() -> None:
    await write_log()
    os.mkfifo("pipe")
    writer = Thread(target=Path("pipe").write_bytes, args=(LOG.read_bytes(),))
    writer.start()
    runs, _, _ = await rebuilt(Path("pipe"))
    writer.join()
    assert {one.fault for one in runs.values()} == {None}


@pytest.mark.parametrize("name", ["/dev/zero", ".", "nothing", "x" * 300])
async def test_what_is_no_file_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadInputError, match="the log .* cannot be read"):
        await rebuilt(Path(name))


def test_a_disk_too_small_to_sort_on_is_said_in_words() -> None:
    line = lines_of(asyncio.run(write_log()))[0]
    log = written(line.replace(b'"data":{', b'"data":{"more":"' + b"x" * 50_000 + b'",') * 200)
    program = (
        "import resource, sys; from engine.cli import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20));"
        f"sys.argv = ['waystation', 'stats', '{log}']; main()"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the temporary file in which the logs are sorted failed" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_line_in_which_a_packed_log_breaks_off_is_known_for_its_run() -> None:
    log = await write_log()
    whole = gzip.compress(log.read_bytes(), compresslevel=0)
    cut = whole.index(b'"seq":3', whole.index(b'"run_id":"parked"')) + 40
    runs, tally, _ = await rebuilt(written(whole[:cut], "part.jsonl.gz"))
    assert "a line of it is damaged" in str(runs["parked"].fault)
    assert runs["done"].fault is None
    half, rest = (one.words for one in tally.damaged)
    assert half == "it is not whole"
    assert rest.startswith("nothing more of the file can be read: Compressed file ended before")


async def test_an_endless_line_is_one_damaged_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(await write_log())
    monkeypatch.setattr(reading, "_LONGEST", 5_000)
    longer = b'{"event":"transition","run_id":"done"' + b" " * 20_000
    runs, tally, _ = await rebuilt(written(b"".join([lines[0], longer, b"\n", *lines[1:], longer])))
    assert {one.fault for one in runs.values()} == {None}
    assert [one.where for one in tally.damaged] == [
        "part.jsonl:2",
        f"part.jsonl:{len(lines) + 2}",
    ]


async def test_two_who_rebuild_at_once_both_have_it() -> None:
    await write_log()
    one, other = SqliteStore("new.db"), SqliteStore("new.db")
    both = await asyncio.gather(rebuilt(LOG, store=one), rebuilt(LOG, store=other))
    assert {run.fault for runs, _, _ in both for run in runs.values()} == {None}
    await one.close()
    await other.close()


async def test_a_run_that_the_store_has_in_a_damaged_state_is_not_called_whole() -> None:
    await write_log()
    database = apsw.Connection(STORE.removeprefix("sqlite:///"))
    database.execute("UPDATE events SET data = '{}' WHERE seq = 2 AND run = 1")
    database.close()
    store = SqliteStore("runs.db")
    runs, _, _ = await rebuilt(LOG, store=store)
    assert "in the store already, and is damaged at seq 2" in str(runs["done"].fault)
    assert runs["parked"].fault is None
    await store.close()


@pytest.mark.parametrize("run_id", ["", "a\x1b[31m", "../up", "two\nlines", "x" * 101])
async def test_a_run_of_an_id_that_none_can_have_is_left_out(run_id: str) -> None:
    event = RunStarted(
        run_id=run_id, workflow="shop", instructions="", message="Hi", definition="", tools={}
    )
    data = encode_event(event)
    digest = chain(GENESIS, Place(run_id, 1, 0, event.kind), data)
    line = Line(run_id, "shop", None, "AwaitingModel", Entry(1, 0, event.kind, data, digest))
    told = json.dumps({"event": EVENT, **fields_of(line, PLAIN)}).encode()
    runs, _, store = await rebuilt(written(told + b"\n"))
    assert "is no run id" in str(runs[run_id].fault)
    assert await journals(store) == {}
