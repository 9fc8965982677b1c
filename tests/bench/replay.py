"""How fast a log is replayed and verified, and a store rebuilt from it; in how much memory.

`python -m tests.bench.replay [EVENTS]` prints one line of JSON. The floor, measured in the
same run, is reading each line as JSON and digesting its data once.
"""

import asyncio
import hashlib
import json
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson

from engine.api.rebuilding import rebuild
from engine.codec.chain import GENESIS, PLAIN, Place, chain
from engine.core import events as ev
from engine.core.messages import FunctionCall, Message, ToolCall, Usage
from engine.journal.lines import Line, fields_of
from engine.logs.reading import Tally
from engine.logs.runs import logged_runs
from engine.runtime.draft import Draft
from engine.stores.sqlite import SqliteStore

TURNS = 25  # of four events each, and the start


def journal() -> list[Line]:
    """A run of 25 turns with a tool call and 500 bytes of result each."""
    draft, now = Draft(), datetime.now(UTC)
    start = {"run_id": "r", "workflow": "shop", "instructions": "Help." * 40, "message": "Hello"}
    draft.record((ev.RunStarted.model_validate({**start, "definition": "d", "tools": {}}),), now)
    for turn in range(1, TURNS + 1):
        call_id = f"call_{turn}_1"
        asked = FunctionCall(name="look", arguments=f'{{"order":"{turn}"}}')
        message = Message(role="assistant", tool_calls=(ToolCall(id=call_id, function=asked),))
        draft.record(
            (
                ev.ToolsRequested(message=message, usage=Usage(input_tokens=50), model="m"),
                ev.ToolStarted(
                    call_id=call_id, tool="look", arguments={"order": turn}, idempotency_key="k"
                ),
                ev.ToolReturned(call_id=call_id, content="result " * 70),
                ev.ToolsSettled(),
            ),
            now,
        )
    return draft.lines


def lines(events: int) -> Iterator[bytes]:
    """So many lines, of runs that differ in their ids only."""
    pattern = journal()
    for number in range(-(-events // len(pattern))):
        run_id, digest = f"r{number}", GENESIS
        for line in pattern:
            one = line.entry
            data = one.data.replace(b'"run_id":"r"', b'"run_id":"%s"' % run_id.encode())
            digest = chain(digest, Place(run_id, one.seq, one.at, one.kind), data)
            told = line._replace(run_id=run_id, entry=one._replace(data=data, digest=digest))
            yield orjson.dumps({**fields_of(told, PLAIN), "event": "transition"}) + b"\n"


def write(log: Path, events: int) -> int:
    """How many lines were written."""
    with log.open("wb") as file:
        return sum(bool(file.write(line)) for line in lines(events))


def floor(log: Path) -> float:
    """Seconds for the least that any reader has to do."""
    began = time.perf_counter()
    with log.open("rb") as file:
        for line in file:
            hashlib.sha256(orjson.dumps(orjson.loads(line)["data"])).digest()
    return time.perf_counter() - began


def replay(log: Path) -> tuple[int, float]:
    """How many events were replayed and verified, and the seconds that it took."""
    began = time.perf_counter()
    count = sum(sum(1 for _ in run.steps()) for run in logged_runs([log], Tally()))
    return count, time.perf_counter() - began


async def rebuilt(log: Path, folder: Path) -> float:
    """Seconds for a store from the log."""
    store = SqliteStore(folder / "runs.db")
    began = time.perf_counter()
    faults = [one.fault async for one in rebuild([log], store, Tally()) if one.fault]
    seconds = time.perf_counter() - began
    await store.close()
    if faults:
        raise AssertionError(faults[0])
    return seconds


def measure(events: int) -> dict[str, object]:
    """The rates in events per second, and the peak of memory in MiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "runs.jsonl"
        write(log, events)
        at_least = floor(log)
        count, seconds = replay(log)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        back = asyncio.run(rebuilt(log, folder))
    return {
        "events": count,
        "replay_per_second": round(count / seconds),
        "rebuild_per_second": round(count / back),
        "floor_per_second": round(count / at_least),
        "replay_over_floor": round(seconds / at_least, 1),
        "peak_mib_of_replay": round(peak),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)))  # noqa: T201 # its output
