"""The log file: whole lines, whoever else writes, tears or moves it."""

import multiprocessing
import os
from pathlib import Path

import apsw
import pytest

from engine.runtime.logfile import LogFile
from tests.runtime.test_engine import LOOK, OK, calls, engine, log_lines

LINE = b'{"a": 1}\n'


def test_a_half_written_line_is_ended_before_the_next() -> None:
    path = Path("log.jsonl")
    mine, other = LogFile(path), LogFile(path)
    mine.write(LINE)
    with path.open("ab") as torn:  # another process that died at it, while ours was open
        torn.write(b'{"half')
    mine.write(LINE)
    other.write(LINE)
    assert path.read_bytes() == LINE + b'{"half\n' + LINE + LINE
    for each in (mine, other):
        each.close()


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
def test_a_file_that_was_moved_away_is_begun_anew(how: str) -> None:
    path, old = Path("log.jsonl"), Path("old.jsonl")
    log = LogFile(path)
    log.write(LINE)
    if how == "deleted":
        path.unlink()
    else:
        path.rename(old)
    if how == "replaced":
        path.write_bytes(b"x\n")
    log.write(LINE)
    log.close()
    assert path.read_bytes() == (b"x\n" if how == "replaced" else b"") + LINE
    assert how == "deleted" or old.read_bytes() == LINE


def test_a_log_can_go_to_a_device() -> None:
    log = LogFile(Path(os.devnull))
    assert log.write(LINE) == len(LINE)
    log.close()


def _write_many(path: str, letter: str) -> None:
    log = LogFile(Path(path))
    for _ in range(200):
        log.write(letter.encode() * 5000 + b"\n")
    log.close()


def test_lines_of_several_processes_stay_whole() -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_many, args=("log.jsonl", x)) for x in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = Path("log.jsonl").read_bytes().splitlines()
    assert sorted(lines) == [b"a" * 5000] * 200 + [b"b" * 5000] * 200


async def test_a_run_goes_on_logging_where_the_log_was_rotated() -> None:
    async with engine(calls(LOOK), OK, log="log.jsonl") as waystation:
        await waystation.start("shop", "Hello", run_id="r1")
        Path("log.jsonl").rename("log.1.jsonl")  # noqa: ASYNC240 # nothing else runs
        await waystation.start("shop", "Hello", run_id="r2")
    assert {line["run_id"] for line in log_lines()} == {"r2"}
    assert [line["seq"] for line in log_lines()] == list(range(1, 7))


async def test_an_engine_that_finds_a_torn_log_writes_the_line_again(tmp_path: Path) -> None:
    async with engine(calls(LOOK), OK, log="log.jsonl") as waystation:
        await waystation.start("shop", "Hello", run_id="r1")
    path = tmp_path / "log.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]) + whole[-1][:40])
    rows = apsw.Connection("runs.db")  # as a crash in mid-line would leave it
    rows.execute("UPDATE runs SET logged = seq - 1")
    rows.close()
    async with engine(calls(LOOK), OK, log="log.jsonl") as again:
        await again.resume("r1")
    assert path.read_bytes().splitlines(keepends=True) == [
        *whole[:-1],
        whole[-1][:40] + b"\n",
        whole[-1],
    ]
