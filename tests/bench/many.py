"""Many runs at once in one process, over a bare thread that commits the same rows in groups.

`python -m tests.bench.many [RUNS]`: transitions a second, log lines included, and how long a
commit takes.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from statistics import quantiles
from threading import Thread

from engine import Engine
from engine.ports import Append
from engine.stores.sqlite import SqliteStore
from tests.bench import plain
from tests.bench.measure import Outcome, Ratio, folder, interleaved, show, sync_seconds
from tests.bench.work import FLOW, appends, renamed, workflow

RUNS, TURNS, ROUNDS = 256, 10, 3


class Timed(SqliteStore):
    """A store that notes how long each commit took."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.took = list[float]()

    async def append(self, addition: Append) -> None:
        began = time.perf_counter()
        await super().append(addition)
        self.took.append(time.perf_counter() - began)


class Ours:
    """The engine with so many runs at once."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self.worst = list[float]()  # the 99th percentile of each round's commits, in seconds

    def __call__(self, where: Path) -> float:
        """Transitions a second."""
        return asyncio.run(self._driven(where))

    async def _driven(self, where: Path) -> float:
        store = Timed(where / "runs.db")
        log = where / "log.jsonl"
        async with Engine(store=store, workflows=[workflow(TURNS)], log=log) as engine:
            await engine.runs(limit=1)  # the log is open
            began = time.perf_counter()
            starts = (engine.start(FLOW, "Hello", f"r{n}") for n in range(self._runs))
            runs = await asyncio.gather(*starts)
            took = time.perf_counter() - began
        await store.close()
        self.worst.append(quantiles(store.took, n=100)[-1])
        return sum(run.seq for run in runs) / took


class Bare:
    """A thread that writes the rows that are handed to it, all that wait in one transaction."""

    def __init__(self, path: Path) -> None:
        self._connection = plain.opened(path)
        self._queue = SimpleQueue[tuple[Append, asyncio.Future[None]] | None]()
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._serve)
        self._thread.start()

    async def append(self, addition: Append) -> None:
        """Nothing, once it is durable."""
        told = self._loop.create_future()
        self._queue.put((addition, told))
        await told

    def close(self) -> None:
        """Nothing, once the thread has ended."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            waiting = [first, *self._others()]
            self._connection.execute("BEGIN IMMEDIATE")
            for one, _ in waiting:
                plain.write(self._connection, one)
            self._connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_tell, [told for _, told in waiting])

    def _others(self) -> Iterator[tuple[Append, asyncio.Future[None]]]:
        while not self._queue.empty():
            if (one := self._queue.get()) is not None:
                yield one


def _tell(waiting: Sequence[asyncio.Future[None]]) -> None:
    for one in waiting:
        one.set_result(None)


def _bare(additions: Sequence[Sequence[Append]], where: Path) -> float:
    return asyncio.run(bare(additions, where))


async def bare(additions: Sequence[Sequence[Append]], where: Path) -> float:
    """Transitions a second of a bare writer thread: each run waits for its own commits."""
    writer = Bare(where / "bare.db")

    async def run(one: Sequence[Append]) -> int:
        for addition in one:
            await writer.append(addition)
        return sum(len(addition.entries) for addition in one)

    began = time.perf_counter()
    entries = sum(await asyncio.gather(*map(run, additions)))
    took = time.perf_counter() - began
    writer.close()
    return entries / took


def measure(runs: int = RUNS) -> Outcome:
    """Both, in turn."""
    with folder() as where:
        pattern = asyncio.run(appends(where, TURNS))
    additions = [renamed(pattern, f"r{n}") for n in range(runs)]
    ours = Ours(runs)
    rates = interleaved(ROUNDS, {"ours": ours, "bare": partial(_bare, additions)})
    sync, worst = sync_seconds(), sorted(ours.worst)[len(ours.worst) // 2]
    row = {"runs": runs, "ours /s": rates["ours"], "bare /s": rates["bare"]}
    return Outcome(
        f"{runs} runs at once: transitions a second, with log",
        [{**row, "p99 of a commit, ms": worst * 1e3, "a sync, ms": sync * 1e3}],
        (
            Ratio("bare group commit over ours", rates["bare"] / rates["ours"], 2),
            Ratio("p99 of a commit over a sync", worst / sync, 6),
        ),
    )


if __name__ == "__main__":
    show(measure(*map(int, sys.argv[1:])))
