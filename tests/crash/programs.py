"""What a child process does with a folder: carry the run to its end, or only look."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from engine import Engine, Run
from engine.stores.sqlite import SqliteStore
from tests.crash import scenario
from tests.crash.files import Layer, Step
from tests.crash.points import Points
from tests.crash.scenario import (
    LYING,
    RUN,
    WORKFLOW,
    Clock,
    World,
    log_path,
    shop_path,
    store_path,
    told_path,
)
from tests.crash.shop import Effect, Shop
from tests.crash.wires import LooseStore, WiredModel, WiredStore, wire_log


@dataclass(frozen=True)
class Job:
    """One child's work. `kill` is where it dies.

    With `record`, a number of pages after which SQLite brings the log of its writes into
    the main file, the child records what is written. `loose` takes the store's syncs away,
    `lying` has a tool say of itself what is not so.
    """

    folder: str
    kill: Sequence[str | int] | None = None
    record: int = 0
    loose: bool = False
    lying: bool = False
    only_look: bool = False


class Child:
    """One process at work in a folder."""

    def __init__(self, job: Job) -> None:
        self._job, self._folder = job, Path(job.folder)
        self._points = Points(job.kill)
        self._steps: list[Step] = []
        self._report: dict[str, object] = {}

    async def run(self) -> None:
        """Nothing, once the folder has the report; or death."""
        if self._job.only_look:
            await self._look()
        else:
            await self._see_through()
        text = json.dumps(self._report)
        (self._folder / "report.json").write_text(text, encoding="utf-8")

    async def _see_through(self) -> None:
        if self._job.record:
            apsw.connection_hooks.append(self._checkpoint)
        layer = Layer(self._points, self._steps.append)
        wire_log(self._points)
        shop = Shop(shop_path(self._folder), self._points, self._happened)
        World.points, World.shop = self._points, shop
        World.told, World.clock = told_path(self._folder), Clock()
        World.tell = self._told
        kind = LooseStore if self._job.loose else WiredStore
        store = kind(str(store_path(self._folder)), self._points, self._acked)
        self._report["found"] = await _found(store, shop)
        async with self._engine(store) as engine:
            run = await scenario.see_through(engine, shop)
        await store.close()
        layer.unregister()
        self._report |= {"reached": list(self._points.reached)}
        if self._job.record:
            self._report["steps"] = [(*step[:3], step[3].hex()) for step in self._steps]
        self._report |= await self._examined(run, shop)

    def _engine(self, store: SqliteStore) -> Engine:
        return Engine(
            store=store,
            workflows=[LYING if self._job.lying else WORKFLOW],
            model=WiredModel(scenario.REPLIES, self._points),
            log=log_path(self._folder),
            clock=World.clock,
        )

    def _checkpoint(self, connection: apsw.Connection) -> None:
        connection.pragma("wal_autocheckpoint", self._job.record)

    def _acked(self, seq: int) -> None:
        self._steps.append(("", "acked", seq, b""))

    def _happened(self, effect: Effect) -> None:
        self._steps.append(("", "effect", 0, json.dumps(effect).encode()))

    def _told(self, approval_id: str) -> None:
        self._steps.append(("", "told", 0, approval_id.encode()))

    async def _examined(self, run: Run, shop: Shop) -> dict[str, object]:
        """All that is to be compared, read anew from what lies in the folder."""
        store = SqliteStore(store_path(self._folder))
        async with Engine(store=store) as engine:
            again = await engine.run(RUN)
            report = {
                "returned": run == again,
                "state": again.state,
                "answer": again.answer,
                "messages": [one.model_dump(mode="json") for one in again.messages],
            }
        report["faults"] = await store.faults()
        report["leases"] = [head.lease.owner for head in await store.leased()]
        report["owed"] = len(await store.owed(10))
        report["journal"] = await _entries(store)
        await store.close()
        report["effects"] = shop.effects()
        report["told"] = told_path(self._folder).read_text(encoding="utf-8").splitlines()
        report["books"] = _books(store_path(self._folder))
        return report

    async def _look(self) -> None:
        store = SqliteStore(store_path(self._folder))
        self._report["found"] = await _found(store, Shop(shop_path(self._folder), self._points))
        await store.close()


async def _found(store: SqliteStore, shop: Shop) -> dict[str, object]:
    """How things stand before anything is done."""
    head = await store.head(RUN)
    return {
        "head": head and (head.state, head.seq, head.logged, head.lease.epoch, head.tries),
        "driven": bool(head and head.lease.owner),
        "journal": [(one["trigger"], one["data"]) for one in await _entries(store)],
        "effects": shop.effects(),
    }


async def _entries(store: SqliteStore) -> list[dict[str, object]]:
    return [
        {
            "seq": entry.seq,
            "trigger": entry.kind,
            "data": json.loads(entry.data),
            "digest": entry.digest.hex(),
        }
        for entry in await store.entries(RUN)
    ]


def _books(path: Path) -> list[tuple[str, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return sorted(connection.execute("SELECT key, wanted FROM books"))
    finally:
        connection.close()
