"""Archiving and forgetting in processes that die at named points.

`python -m tests.keeping.killed` reads jobs, one a line: a folder, a work, and the point and
time of its death, if any. Each is done by a child of its own; how that ended is printed.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine import Memory, Run, UnknownRunError
from engine.keeping.archive import Archiving
from engine.keeping.forget import Forgetting
from engine.runtime.logfile import LogFile
from engine.runtime.notebook import Notebook
from engine.stores.sqlite import SqliteStore
from tests.crash.points import Points
from tests.keeping.office import CHLOE, DAY, TO, engine
from tests.runtime.remembering import TEA
from tests.runtime.remembering import engine as desk
from tests.runtime.test_engine import calls


async def archive() -> Archiving:
    async with engine(100) as later:
        return await later.archive(ended_before=DAY, to=TO)


async def forget() -> Forgetting:
    async with engine(200) as later:
        return await later.forget(customer=CHLOE, by="boss")


async def remember() -> Run:
    """A run that remembers two facts, begun or gone on with."""
    asked = calls(TEA, ("remember", {"fact": "She has a dog"}))
    async with desk(asked, memory=Memory()) as waystation:
        try:
            return await waystation.resume("r1")
        except UnknownRunError:
            return await waystation.start("desk", "Hello", "r1", customer=CHLOE)


WORKS: dict[str, Callable[[], Any]] = {"archive": archive, "forget": forget, "remember": remember}


def plant(points: Points) -> None:
    """Each step that a work takes in the file system, and in the store, reaches a point."""
    for name in ("link", "fsync", "unlink", "replace"):
        setattr(os, name, _around(points, f"files.{name}", getattr(os, name)))
    LogFile.write = _around(points, "log.write", LogFile.write)  # type: ignore[method-assign] # planted
    for name in ("archive", "rearchive", "append", "tidy", "mark_logged"):
        planted = _around_async(points, f"store.{name}", getattr(SqliteStore, name))
        setattr(SqliteStore, name, planted)
    Notebook.remember = _around_async(points, "note", Notebook.remember)  # type: ignore[method-assign] # planted


def _around(points: Points, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
    def planted(*given: Any, **named: Any) -> Any:
        points.reach(f"{name}.before")
        done = act(*given, **named)
        points.reach(f"{name}.after")
        return done

    return planted


def _around_async(points: Points, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
    async def planted(*given: Any, **named: Any) -> Any:
        points.reach(f"{name}.before")
        done = await act(*given, **named)
        points.reach(f"{name}.after")
        return done

    return planted


def _do(folder: str, work: str, kill: list[Any] | None) -> None:
    """The child's part; it leaves a report of the points that it reached."""
    os.chdir(folder)
    points = Points(kill)
    plant(points)
    asyncio.run(WORKS[work]())
    Path("reached.json").write_text(json.dumps(points.reached), encoding="utf-8")


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                _do(**json.loads(line))
            except BaseException as error:  # noqa: BLE001 # whatever it is, it is told
                sys.stderr.write(f"{error!r}\n")
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
