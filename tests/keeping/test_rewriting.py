"""A log is rewritten while other processes write to it, and no line of theirs is lost."""

import gzip
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from engine import EngineError
from engine.keeping.rewriting import marker_of, rewrite
from engine.runtime.logfile import LogFile

LOG = Path("runs.jsonl")
COUNT = 300


def line(run_id: str, seq: int) -> bytes:
    return b'{"schema":1,"run_id":"%s","seq":%d,"event":"transition"}\n' % (run_id.encode(), seq)


def left(run_id: str, seq: int) -> bytes:
    return line(run_id, seq).replace(b"}", b',"data":"[erased]"}')


def _write_many(run_id: str) -> None:
    log = LogFile(LOG)
    for seq in range(COUNT):
        while True:
            try:
                log.write(line(run_id, seq))
            except BlockingIOError:  # it is owed, as a store would have it
                continue
            break
    log.close()


def test_processes_that_write_meanwhile_lose_no_line_and_write_none_twice() -> None:
    LOG.write_bytes(line("r0", 0) * 50)
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_many, args=(name,)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    rewritings, files = 0, {LOG.stat().st_ino}
    while any(writer.is_alive() for writer in writers):
        before = line("r0", rewritings)
        after = line("r0", rewritings + 1)
        rewrite(LOG, {"r0": {rewritings: after}})
        rewritings += 1
        assert before != after
        files.add(LOG.stat().st_ino)
    for writer in writers:
        writer.join()
    told = [json.loads(one) for one in LOG.read_bytes().splitlines()]
    for name in ("a", "b"):
        assert [one["seq"] for one in told if one["run_id"] == name] == list(range(COUNT))
    assert [one["seq"] for one in told if one["run_id"] == "r0"] == [rewritings] * 50
    assert rewritings > 1
    assert len(files) > 1


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.jsonl.gz"])
def test_only_those_lines_are_changed_and_what_died_before_is_cleared(name: str) -> None:
    file, link = Path(name), Path("link")
    others = line("r2", 1) + b"GET / 200\n" + b'{"run_id":"r1","mine":1}\n'
    whole = line("r1", 1) + others + line("r1", 2)[:30]
    file.write_bytes(gzip.compress(whole) if name.endswith("gz") else whole)
    file.chmod(0o640)
    link.symlink_to(file)
    stale = Path(f".{name}.12345678.part")
    stale.write_bytes(whole)
    marker_of(file).hardlink_to(file)
    done = rewrite(link, {"r1": {1: left("r1", 1)}}, [left("r1", 3)])
    data = file.read_bytes()
    text = gzip.decompress(data) if name.endswith("gz") else data
    assert text == left("r1", 1) + others + b"\n" + left("r1", 3)
    assert (done.changed, done.doubtful) == (2, [])
    assert (file.stat().st_mode & 0o777, link.is_symlink()) == (0o640, True)
    assert not stale.exists()
    assert marker_of(file).samefile(file)
    assert len(list(Path().iterdir())) == 3
    assert rewrite(file, {"r1": {1: left("r1", 1), 3: left("r1", 3)}}).changed == 0


def test_a_line_that_lacks_its_begin_is_named_and_one_that_hangs_on_another_goes() -> None:
    headless, mine = line("r1", 1)[20:], line("r1", 2)
    foreign = b'GET /?"seq" 200\n{"seq":1,"digest":"0","mine":true}\n'
    LOG.write_bytes(headless + foreign + line("r2", 1)[:30] + mine + line("r2", 2))
    done = rewrite(LOG, {"r1": {2: left("r1", 2)}})
    assert (done.changed, done.doubtful) == (1, [1])
    assert LOG.read_bytes() == headless + foreign + line("r2", 2)


def test_a_file_that_cannot_be_rewritten_is_as_it_was() -> None:
    torn = gzip.compress(line("r1", 1) * 99)[:-20]
    LOG.write_bytes(torn)
    with pytest.raises(EngineError, match=r"jsonl was not rewritten, and is as it was"):
        rewrite(LOG, {"r1": {1: left("r1", 1)}})
    assert LOG.read_bytes() == torn
    assert os.listdir() == [LOG.name]  # noqa: PTH208 # the plain call will do
    assert rewrite(Path(os.devnull), {"r1": {}}).changed == 0
    assert rewrite(Path("gone"), {"r1": {}}).changed == 0
