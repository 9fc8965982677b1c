"""Real processes for the tests: started quickly, spoken to over a pipe, stopped and killed."""

import asyncio
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Lock
from typing import Any

PATIENCE = 60  # seconds until a process that says nothing is taken for hung

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "tests.races.drivers", "tests.limits.desk", "openai"])

Program = Callable[..., Coroutine[Any, Any, Any]]


def until_in_state(pid: int, letter: str) -> None:
    """Nothing, once the process is stopped (T), or dead and not yet waited for (Z)."""
    stat = Path(f"/proc/{pid}/stat")
    while (state := stat.read_text().rpartition(")")[2].split()[0]) != letter:
        assert state not in "ZX", "the process has ended"
        os.sched_yield()


class Wire:
    """A child's end of the pipe; also a store's or a tool's way to stop and ask."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection, self._saying, self._hearing = connection, Lock(), Lock()

    def say(self, word: object) -> None:
        """Nothing; the parent will hear it."""
        with self._saying:
            self._connection.send(word)

    def hear(self) -> Any:
        """What the parent says, once it does."""
        with self._hearing:
            return self._connection.recv()


@dataclass(frozen=True)
class Ended:
    """What a child's program gave at its end, or how it failed."""

    value: Any = None
    failure: str | None = None


class Child:
    """A process that runs `program(wire, *given)`."""

    def __init__(self, program: Program, *given: object) -> None:
        self._connection, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_run, args=(theirs, program, given), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def hear(self) -> Any:
        """The next word of the child; fails where it says none, or broke."""
        assert self._connection.poll(PATIENCE), "the child is silent"
        word = self._connection.recv()
        if isinstance(word, Ended) and word.failure:
            raise AssertionError(f"the child failed: {word.failure}")
        return word

    def wait_for(self, word: object) -> None:
        """Nothing, once the child says `word`; it may say other things before."""
        while (heard := self.hear()) != word:
            assert not isinstance(heard, Ended), f"it never said {word}, but ended: {heard}"

    def say(self, word: object) -> None:
        self._connection.send(word)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def until_stopped(self) -> None:
        """Nothing, once the process stands still, by a SIGSTOP."""
        try:
            until_in_state(self.pid, "T")
        except (OSError, AssertionError) as error:
            raise AssertionError(f"it did not stop, but said {self.hear()}") from error

    def result(self) -> Any:
        """What the program gave, once the process has exited by itself."""
        while not isinstance(word := self.hear(), Ended):
            pass
        assert self.exit_code() == 0
        return word.value

    def exit_code(self) -> int:
        """How the process ended, once it has."""
        self._process.join(PATIENCE)
        code = self._process.exitcode
        assert code is not None, "the child does not end"
        self._connection.close()
        return code

    def kill(self) -> None:
        """Nothing, once the process is dead, stopped or not."""
        self.signal(signal.SIGKILL)
        assert self.exit_code() == -signal.SIGKILL

    def put_away(self) -> None:
        """Nothing; leaves no process behind after a test that failed."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join(PATIENCE)
        self._connection.close()


class Children:
    """The processes of one test."""

    def __init__(self) -> None:
        self._all: list[Child] = []

    def start(self, program: Program, *given: object) -> Child:
        child = Child(program, *given)
        self._all.append(child)
        return child

    def together(self, number: int, program: Program, *given: object) -> list[Any]:
        """The results of so many processes that run `program(wire, barrier, place, *given)`."""
        barrier: Barrier = CONTEXT.Barrier(number)
        started = [self.start(program, barrier, place, *given) for place in range(number)]
        return [child.result() for child in started]

    def put_away(self) -> None:
        for child in self._all:
            child.put_away()


@contextmanager
def put_away_later() -> Iterator[Children]:
    """Processes that do not outlive their test."""
    children = Children()
    try:
        yield children
    finally:
        children.put_away()


def _run(connection: "Connection[Any, Any]", program: Program, given: tuple[object, ...]) -> None:
    try:
        ended = Ended(asyncio.run(program(Wire(connection), *given)))
    except BaseException:  # noqa: BLE001 # whatever it is, the test shall show it
        ended = Ended(failure=traceback.format_exc())
    connection.send(ended)
