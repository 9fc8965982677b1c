"""Child processes, two at a time, and the test's side of talking to them."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.crash.programs import Job

AT_ONCE = 2
ROOT = Path(__file__).parents[2]
LINE = 2**20

Report = dict[str, Any]
_T = TypeVar("_T")


class Hand:
    """One server of children; it works on one job at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def hire(cls) -> Self:
        """A server that is ready."""
        process = await create_subprocess_exec(
            sys.executable, "-m", "tests.crash.server", cwd=ROOT, stdin=PIPE, stdout=PIPE
        )
        hand = cls(process)
        assert await hand._line() == "ready"
        return hand

    async def do(self, job: Job) -> int:
        """How the child that did the job ended: 0, its exit code, or minus its signal."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
        return int(await self._line())

    async def report(self, job: Job) -> Report:
        """What the child found, which must have come to its end."""
        status = await self.do(job)
        trouble = Path(job.folder) / "trouble.txt"
        assert status == 0, trouble.read_text() if trouble.exists() else f"it ended with {status}"
        report: Report = json.loads((Path(job.folder) / "report.json").read_bytes())
        return report

    async def kill(self, job: Job) -> None:
        """Nothing, once the child was killed where the job says."""
        status = await self.do(job)
        trouble = Path(job.folder) / "trouble.txt"
        why = trouble.read_text() if trouble.exists() else f"it ended with {status}"
        assert status == -signal.SIGKILL, f"{job.kill} did not kill: {why}"

    async def leave(self) -> None:
        """Nothing, once the server is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _line(self) -> str:
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        assert line, "the server of children has died"
        return line.strip()


class Crew:
    """As many hands as may work at once."""

    def __init__(self, hands: list[Hand]) -> None:
        self.hands = hands

    async def each(self, work: Iterable[_T], act: Callable[[Hand, _T], Awaitable[object]]) -> None:
        """Nothing, once every piece of work is done; the first failure stops all."""
        left = iter(work)

        async def busy(hand: Hand) -> None:
            for piece in left:
                await act(hand, piece)

        async with asyncio.TaskGroup() as group:
            for hand in self.hands:
                group.create_task(busy(hand))


def fresh(folder: Path) -> str:
    """A new folder for a job."""
    folder.mkdir()
    return str(folder)


@asynccontextmanager
async def crew() -> AsyncIterator[Crew]:
    """Hands, hired and let go."""
    hands = await asyncio.gather(*(Hand.hire() for _ in range(AT_ONCE)))
    try:
        yield Crew(list(hands))
    finally:
        await asyncio.gather(*(hand.leave() for hand in hands))
