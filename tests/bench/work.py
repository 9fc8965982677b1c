"""The work that is measured: a turn is one call with 200 bytes of arguments and 1 KB of result."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine import Context, Engine, Limits, Message, ModelReply, ModelRequest, Run, Workflow, tool
from engine.codec.chain import GENESIS, Place, chain
from engine.core.messages import FunctionCall, ToolCall
from engine.ports import Append
from engine.stores.sqlite import SqliteStore

ARGUMENTS, RESULT = 200, 1024  # bytes
FLOW = "bench"

# Words as people write them: bytes that are all the same are no burden to any disk.
_README = Path(__file__).parents[2] / "README.md"
_PROSE = " ".join(re.findall(r"[A-Za-z]+[.,]?", _README.read_text(encoding="utf-8")))


def said(turn: int, size: int) -> str:
    """So many bytes of words, other ones for each turn."""
    begin = turn * RESULT % (len(_PROSE) - size)
    return f"{turn:012} {_PROSE[begin : begin + size]}"[:size]


@tool(read_only=True)
async def look(order: str) -> str:
    """Look an order up."""
    return said(int(order[:12]), RESULT)


def arguments(turn: int) -> str:
    """200 bytes of arguments, other ones for each turn."""
    return json.dumps({"order": said(turn, ARGUMENTS - len('{"order": ""}'))})


class Instant:
    """A model that returns at once: so many calls, one a turn, and then an answer."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    async def complete(self, request: ModelRequest) -> ModelReply:
        if request.turn > self._turns:
            return ModelReply(Message(role="assistant", content="Done."))
        function = FunctionCall(name="look", arguments=arguments(request.turn))
        call = ToolCall(id="x", function=function)
        return ModelReply(Message(role="assistant", tool_calls=(call,)), "tool_calls")


def workflow(turns: int) -> Workflow:
    """A workflow that so many turns are no limit of."""
    limits = Limits(max_turns=turns + 9, max_tool_calls=turns + 9, max_tokens=10**9)
    roomy = Context(max_tokens=10**9)
    return Workflow(
        name=FLOW,
        instructions="Help.",
        tools=[look],
        limits=limits,
        context=roomy,
        model=Instant(turns),
    )


class Kept(SqliteStore):
    """A store that remembers what was appended to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.appended = list[Append]()

    async def append(self, addition: Append) -> None:
        self.appended.append(addition)
        await super().append(addition)


async def run_once(folder: Path, turns: int, *, log: Path | None = None) -> Run:
    """A run of so many turns, in a store in that folder."""
    store = f"sqlite:///{folder}/runs.db"
    async with Engine(store=store, workflows=[workflow(turns)], log=log) as engine:
        return await engine.start(FLOW, "Hello", "r")


async def appends(folder: Path, turns: int) -> Sequence[Append]:
    """What such a run commits, one after the other."""
    store = Kept(folder / "kept.db")
    async with Engine(store=store, workflows=[workflow(turns)]) as engine:
        await engine.start(FLOW, "Hello", "r")
    await store.close()
    return store.appended


def renamed(additions: Sequence[Append], run_id: str) -> list[Append]:
    """The same of another run."""
    digest, renamed = GENESIS, list[Append]()
    for one in additions:
        entries = []
        for entry in one.entries:
            data = entry.data.replace(b'"run_id":"r"', b'"run_id":"%s"' % run_id.encode())
            digest = chain(digest, Place(run_id, entry.seq, entry.at, entry.kind), data)
            entries.append(entry._replace(data=data, digest=digest))
        checkpoint = one.head.checkpoint.replace(b'"id":"r"', b'"id":"%s"' % run_id.encode())
        head = replace(one.head, run_id=run_id, checkpoint=checkpoint)
        renamed.append(Append(one.expected, tuple(entries), head))
    return renamed


def payload(turns: int) -> int:
    """Bytes that were said in a run: arguments, results, and a few words."""
    return turns * (ARGUMENTS + RESULT) + len("Hello") + len("Help.") + len("Done.")
