"""Tools that run in processes of their own, where another process can find them."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from pydantic import BaseModel, SecretStr

from engine import NotExecuted, Tool, ToolContext, Workflow, tool
from engine.runtime.acting import require_person

SLEEP = "import time; time.sleep(600)"


class Receipt(BaseModel):
    number: int
    day: date


class BusyError(Exception):
    """The other side is busy."""


@tool(isolation="process", approval="never")
def receipt(day: date, pin: SecretStr, context: ToolContext) -> Receipt:
    """Give a receipt."""
    assert pin.get_secret_value() == "4711-0815"
    Path("told.txt").write_text(f"{os.getpid()} {context.call_id} {context.idempotency_key}")
    print("\x1b[31mnobody reads this")  # noqa: T201 # the point of it
    return Receipt(number=context.attempt, day=day)


@tool(isolation="process", approval="never")
async def later(word: str) -> str:
    """Say it, asynchronously."""
    return word


@tool(isolation="process", approval="never", idempotent=True, timeout=30)
def family(seconds: float) -> str:
    """Begin a child, one that leaves the group, and an orphan in a session of its own."""
    sleeper = (sys.executable, "-c", SLEEP)
    child = subprocess.Popen(sleeper)
    stray = subprocess.Popen(sleeper, start_new_session=True)
    begin = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True, "
    begin += "stdout=subprocess.DEVNULL).pid)"
    orphan = subprocess.run(
        (sys.executable, "-c", begin, *sleeper), stdout=subprocess.PIPE, check=True
    )
    pids = f"{os.getpid()} {child.pid} {stray.pid} {int(orphan.stdout)}"
    Path("family.tmp").write_text(pids)
    Path("family.tmp").rename("family.txt")
    time.sleep(seconds)
    return pids


@tool(isolation="process", approval="never")
def fail(how: str) -> object:
    """Fail in some way."""
    match how:
        case "value":
            raise ValueError("no such \x1b[31mthing")
        case "doubt":
            raise ConnectionResetError("peer")
        case "nothing":
            raise NotExecuted("the bank is closed")
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), 9)
            return None
        case "system":
            sys.exit("bye")
        case "bytes":
            return {"picture": b"\x89PNG"}
        case "busy":
            raise BusyError("later")
        case "huge":
            raise ValueError("x" * 10_000_000)
        case _:
            return "y" * 100_000_000


@tool(isolation="process", read_only=True)
async def sneak() -> str:
    """Mean to decide for a person."""
    require_person("decide for a person")
    return "decided"


def plain(word: str, day: date) -> str:
    """Be no tool by oneself."""
    return f"{word} {day:%d.%m.}"


def bare(**given: object) -> object:
    """Be given what an explicit schema lets through."""
    return given


TOOLS: tuple[Tool, ...] = (
    receipt,
    later,
    sneak,
    family,
    replace(family, name="unsure", idempotent=False, timeout=None),
    fail,
    tool(name="renamed", isolation="process", approval="never")(plain),
    Tool(
        name="explicit",
        description="",
        parameters={"type": "object", "properties": {"a": {"type": "integer"}}},
        function=bare,
        isolation="process",
        approval="never",
    ),
)
KENNEL = Workflow(name="kennel", instructions="Help.", tools=TOOLS)
