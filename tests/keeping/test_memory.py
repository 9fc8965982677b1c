"""What is remembered of a customer can be erased: no trace is left, and a row says that it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Memory, ScriptedModel, Workflow
from engine.keeping.forget import Forgetting
from engine.remembering import FactRow, MemoryChange
from engine.stores.memory import MemoryStore
from engine.stores.sqlite import SqliteStore
from tests.keeping.office import CANARY, CHLOE, DB, LOG, STORE, Later, traces
from tests.runtime.test_engine import OK, calls
from tests.stores.contract import addition

DESK = Workflow(name="desk", instructions="Help.", memory=Memory())
FACTS = [("remember", {"fact": f"{CANARY}{n} {word}"}) for n, word in enumerate(["tea", "dog"])]


def desk(days: float = 0, store: Any = STORE) -> Engine:
    model = ScriptedModel([calls(*FACTS, ("recall", {"query": CANARY})), OK])
    return Engine(store=store, workflows=[DESK], model=model, log=LOG, clock=Later(days))


async def forgotten(store: Any = STORE, **asked: Any) -> Forgetting:
    async with desk(200, store) as later:
        return await later.forget(*asked.pop("runs", ()), by="boss", **asked)


async def begun(store: Any = STORE) -> None:
    """A run about each of two customers, and a second one about the first."""
    async with desk(store=store) as waystation:
        for run_id, customer in (("r1", CHLOE), ("r2", CHLOE), ("r3", "bob")):
            await waystation.start("desk", "Hello", run_id, customer=customer)
        assert len(await waystation.memory()) == 9


async def test_forgetting_a_customer_leaves_no_trace_and_a_row_that_says_so() -> None:
    await begun()
    async with desk() as waystation:
        await waystation.forget("r3", by="ann")  # it says the word, too
        assert traces() == [str(DB), str(LOG)]
    done = await forgotten(customer=CHLOE, reason="she asked")
    assert (done.facts, done.left, done.traces) == (6, {}, False)
    assert set(done.erased) == {"r1", "r2"}
    assert traces() == []
    async with desk() as waystation:
        assert await waystation.memory() == []
        assert (await waystation.examine()).damaged == {}
        *_, last = await waystation.erasures()
        assert (last.by, last.facts, last.reason) == ("boss", 6, "she asked")
        run = await waystation.start("desk", "Hello", "new", customer=CHLOE)
        assert len(run.messages) == 2 + 1 + 3 + 1


@pytest.mark.parametrize("url", [STORE, "memory"])
async def test_another_customer_s_notes_stay(url: str) -> None:
    store: Any = MemoryStore() if url == "memory" else url
    await begun(store)
    assert (await forgotten(store, customer=CHLOE)).facts == 6
    async with desk(store=store) as waystation:
        left = await waystation.memory()
        assert {(one.scope, one.run_id) for one in left} == {("bob", "r3")}
        assert len(left) == 3
    assert (await forgotten(store, customer=CHLOE)).facts == 0
    async with desk(store=store) as waystation:
        assert len(await waystation.erasures()) == 1


async def test_what_is_remembered_goes_even_where_no_run_is_left() -> None:
    store = SqliteStore(Path(DB))
    rows = tuple(
        FactRow(CHLOE, f"id{n}", "fact", f"{CANARY} {n} " * 60, "gone", 3, n, "c", CHLOE)
        for n in range(200)
    )
    await store.append(replace(addition("x", 0), memory=MemoryChange(rows)))
    await store.close()
    assert traces() == [str(DB)]
    async with Engine(store=STORE) as later:
        done = await later.forget(customer=CHLOE, by=CHLOE, reason="she asked")
        assert done.facts == 200
        (row,) = await later.erasures()
        assert (row.by, row.facts) == ("[erased]", 200)
        assert traces() == []
    assert traces() == []


async def test_a_note_that_the_model_forgets_is_overwritten() -> None:
    await begun()
    async with desk() as waystation:
        ids = [one.id for one in await waystation.memory(CHLOE)]
    forget = calls(*(("forget", {"id": one}) for one in ids))
    model = ScriptedModel([forget, OK])
    quiet = replace(DESK, memory=Memory(summaries=False, known=0))
    async with Engine(store=STORE, workflows=[quiet], model=model) as waystation:
        await waystation.start("desk", "Forget it all", "r9", customer=CHLOE)
        assert await waystation.memory(CHLOE) == []
        assert await waystation.erasures() == []
