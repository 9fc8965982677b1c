"""An office where customers say things that are to be forgotten one day."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine import Engine, ScriptedModel, Workflow, tool
from engine.codec.chain import AuditKeys
from engine.stores.sqlite import SqliteStore
from tests.clock import Jumping
from tests.runtime.test_engine import calls
from tests.unpacked import bytes_in

STORE, LOG, DB = "sqlite:///runs.db", Path("runs.jsonl"), Path("runs.db")
TO = Path("archives")
DAY = 86_400.0
CANARY = "Zanzibar"
CHLOE = f"chloe-{CANARY}"


@tool
def pay(order: str, note: str = "") -> str:
    """Pay for an order."""
    return f"paid {order} {note}"


@tool(read_only=True)
def look(order: str) -> str:
    """Look an order up; that fails."""
    raise ValueError(f"no order {order}")


def office() -> Workflow:
    order = {"order": f"{CANARY}1", "note": f"for {CANARY}"}
    replies = [
        calls(("look", order), ("pay", order)),
        {"content": f"Paid, dear {CANARY}."},
        {"content": "Yes."},
    ]
    return Workflow(
        name="office",
        instructions="Help.",
        tools=[pay, look],
        model=ScriptedModel(replies),
    )


class Later(Jumping):
    """So many days after the others."""

    def __init__(self, days: float = 0) -> None:
        super().__init__()
        self.time += timedelta(days=days)


def engine(days: float = 0, **more: Any) -> Engine:
    wired: dict[str, Any] = {"store": STORE, "log": LOG, **more}
    return Engine(workflows=[office()], clock=Later(days), **wired)


async def ended(run_id: str, customer: str | None = None, **more: Any) -> None:
    """A run that was allowed, and is Done."""
    await parked(run_id, customer, **more)
    async with engine(**more) as waystation:
        order = {"order": f"{CANARY}2"}
        await waystation.approve(
            run_id, by="ann", note=CANARY, arguments=order, remember={"order": {"eq": f"{CANARY}2"}}
        )


async def parked(run_id: str, customer: str | None = None, **more: Any) -> None:
    """A run that waits for a person."""
    async with engine(**more) as waystation:
        words = f"I am {CANARY}"
        await waystation.start("office", words, run_id, by=f"{CANARY}.", customer=customer)
        await waystation.send(run_id, f"Hurry, says {CANARY}", by=CANARY)


async def in_store(*runs: str) -> dict[str, int]:
    """How many events the store has of these."""
    store = SqliteStore(DB)
    try:
        return {run: len(found) for run in runs if (found := await store.entries(run))}
    finally:
        await store.close()


def traces(word: str = CANARY) -> list[str]:
    """The files that hold the word, unpacked, in any case."""
    import gzip

    found = []
    for file in sorted(one for one in Path().rglob("*") if one.is_file()):
        if file.parts[0] == ".rebuilt":
            continue  # what is shared by all tests looks there
        is_packed = file.read_bytes()[:2] == b"\x1f\x8b"
        data = gzip.decompress(file.read_bytes()) if is_packed else bytes_in(file)
        if word.casefold().encode() in data.lower():
            found.append(str(file))
    return found


def log_lines(file: Path = LOG) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


KEYS = AuditKeys("k1", {"k1": b"a secret of some length"})
