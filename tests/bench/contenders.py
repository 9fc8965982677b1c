"""The same work done by others: one run of so many turns, durable at each step.

`python -m tests.bench.contenders NAME TURNS FOLDER` prints what it took, in a process of its
own: milliseconds of wall time and CPU a turn, and bytes on disk.
"""

import asyncio
import json
import operator
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypedDict

from tests.bench import plain
from tests.bench.work import RESULT, appends, arguments, run_once, said

Run = Callable[[], object]


def waystation(turns: int, where: Path) -> Run:
    """This engine."""
    return lambda: asyncio.run(run_once(where, turns))


def sqlite(turns: int, where: Path) -> Run:
    """Plain SQLite: the bytes that this engine writes, in as many commits."""
    additions = asyncio.run(appends(where, turns))
    (where / "kept.db").unlink()
    return lambda: plain.seconds(where, additions)


class _State(TypedDict):
    messages: Annotated[list[dict[str, Any]], operator.add]
    turn: int


def langgraph(turns: int, where: Path) -> Run:
    """LangGraph with its SQLite saver, synchronous."""
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    def model(state: _State) -> dict[str, object]:
        turn = state["turn"] + 1
        if turn > turns:
            return {"messages": [{"role": "assistant", "content": "Done."}], "turn": turn}
        call = {"id": f"call_{turn}", "name": "look", "arguments": arguments(turn)}
        return {"messages": [{"role": "assistant", "tool_calls": [call]}], "turn": turn}

    def tools(state: _State) -> dict[str, object]:
        return {"messages": [{"role": "tool", "content": said(state["turn"], RESULT)}]}

    graph = StateGraph(_State)
    graph.add_node("model", model)
    graph.add_node("tools", tools)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", lambda state: END if state["turn"] > turns else "tools")
    graph.add_edge("tools", "model")
    connection = sqlite3.connect(where / "langgraph.db", check_same_thread=False)
    app = graph.compile(checkpointer=SqliteSaver(connection))
    begin: Any = {"messages": [{"role": "user", "content": "Hello"}], "turn": 0}
    config: Any = {"configurable": {"thread_id": "r"}, "recursion_limit": 10 * turns}
    return lambda: app.invoke(begin, config, durability="sync")


def dbos(turns: int, where: Path) -> Run:
    """DBOS with SQLite."""
    from dbos import DBOS

    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{where}/dbos.db"})

    step: Any = DBOS.step
    model, look = step()(arguments), step()(_looked_up)

    def work() -> str:
        for turn in range(1, turns + 1):
            look(model(turn))
        return "Done."

    agent: Run = DBOS.workflow()(work)
    DBOS.launch()
    return agent


CONTENDERS = {"waystation": waystation, "sqlite": sqlite, "langgraph": langgraph, "dbos": dbos}


def _looked_up(words: str) -> str:
    return said(int(json.loads(words)["order"][:12]), RESULT)


def main(name: str, turns: int, where: Path) -> dict[str, float]:
    """What it took."""
    act = CONTENDERS[name](turns, where)
    began, cpu = time.perf_counter(), time.process_time()
    act()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    size = sum(path.stat().st_size for path in where.iterdir())
    return {"ms": took / turns * 1e3, "cpu_ms": used / turns * 1e3, "bytes": size}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))) + "\n")
    sys.stdout.flush()
