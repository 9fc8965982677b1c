"""How fast a log is replayed and verified, and a store rebuilt from it; in how much memory.

`python -m tests.bench.replay [EVENTS]`. The floor, measured in the same run, is reading each
line as JSON and digesting its data once.
"""

import asyncio
import hashlib
import resource
import sys
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
from tests.bench.measure import Outcome, Ratio, folder, show

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


def measure(events: int = 50_000) -> Outcome:
    """Events a second, and the peak of memory while replaying, in MiB."""
    with folder() as where:
        log = where / "runs.jsonl"
        write(log, events)
        at_least = floor(log)
        count, seconds = replay(log)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        back = asyncio.run(rebuilt(log, where))
    rates = {"replay": count / seconds, "rebuild": count / back, "floor": count / at_least}
    return Outcome(
        f"Events a second, of {count:,} (peak of memory: {peak} MiB)",
        [{"what": name, "events /s": round(rate)} for name, rate in rates.items()],
        (
            Ratio("50,000 events a second over replay", 50_000 / rates["replay"], 1),
            Ratio("20,000 events a second over rebuild", 20_000 / rates["rebuild"], 1),
        ),
    )


if __name__ == "__main__":
    show(measure(*map(int, sys.argv[1:])))
