"""A small log of two runs, one ended and one that waits, and stores made from logs."""

from pathlib import Path

from engine import Engine, ScriptedModel, Workflow, tool
from engine.api.rebuilding import Rebuilt, rebuild
from engine.codec.chain import AuditKeys
from engine.logs.reading import Tally
from engine.ports import Entry, Store
from engine.stores.memory import MemoryStore
from tests.runtime.test_engine import calls

LOG = Path("runs.jsonl")
STORE = "sqlite:///runs.db"


@tool
def pay(order: str, amount: float = 5.0) -> str:
    """Pay for an order."""
    return f"paid {amount} for {order}"


def shop() -> Workflow:
    replies = [calls(("pay", {"order": "1"})), {"content": "Paid."}]
    return Workflow(name="shop", instructions="Help.", tools=[pay], model=ScriptedModel(replies))


async def write_log(keys: AuditKeys | None = None, log: Path = LOG) -> Path:
    """The log of the runs `done` and `parked`, whose store is at STORE."""
    for name in ("done", "parked"):
        async with Engine(store=STORE, workflows=[shop()], log=log, audit_key=keys) as engine:
            await engine.start("shop", "Pay for order 1", run_id=name)
            if name == "done":
                await engine.approve(name, by="ann")
    return log


async def rebuilt(
    *files: Path, store: Store | None = None, keys: AuditKeys | None = None
) -> tuple[dict[str, Rebuilt], Tally, Store]:
    """What became of each run of these logs, what was read, and the store that has them now."""
    tally, there = Tally(), store or MemoryStore()
    runs = {one.run_id: one async for one in rebuild(files, there, tally, keys)}
    return runs, tally, there


def lines_of(log: Path = LOG) -> list[bytes]:
    return log.read_bytes().splitlines(keepends=True)


def written(data: bytes, name: str = "part.jsonl") -> Path:
    """A log of these bytes."""
    file = Path(name)
    file.write_bytes(data)
    return file


async def journals(store: Store) -> dict[str, tuple[Entry, ...]]:
    return {
        head.run_id: tuple(await store.entries(head.run_id))
        for head in await store.heads(limit=100)
    }
