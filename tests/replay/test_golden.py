"""What any version wrote loads for ever, and goes on; what a newer one wrote is left alone."""

import asyncio
import json
import random
import shutil
from collections.abc import Coroutine, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, get_args

import apsw
import pytest

from engine import Engine, Message, ModelReply, ModelRequest, State, Tool, Workflow, events, tool
from engine.core.run import Run
from engine.core.states import TRANSITIONS, ApprovalKind
from engine.errors import StoreTooNewError
from engine.stores.sqlite import MIGRATIONS, SqliteStore
from tests.clock import Steered
from tests.replay.bazaar import APPROVERS, Bell, bazaar
from tests.replay.diaries import diaries
from tests.replay.market import Market
from tests.replay.meters import PRICES, meters
from tests.replay.vault import vault
from tests.replay.write_golden import SEED, write
from tests.spec import look, pay
from workflows.refunds import refunds

JOURNALS = Path(__file__).parent / "journals"
VERSIONS = sorted(folder.name for folder in JOURNALS.iterdir() if folder.is_dir())
TODAY = len(MIGRATIONS)
SQLITE = "sqlite:///runs.db"
NEWEST = max(VERSIONS, key=lambda name: int(name.removeprefix("v")))
# What a new folder says of itself: the version of its store, and how many wait for a person.
STORES = {"v1": 1, "v2": 2, "v3": 2, "v4": 3, "v5": 4, "v6": 5}
PARKED = {"v1": 3, "v2": 3, "v3": 8, "v4": 11, "v5": 13, "v6": 13}

_T = TypeVar("_T")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """One of the versions, its store and its log copied to where the test works."""
    name = str(request.param)
    for file in (JOURNALS / name).iterdir():
        shutil.copy(file, Path.cwd())
    return name


class Ok:
    """A model that is content with everything."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        assert request.messages
        return ModelReply(Message(role="assistant", content="ok"))


def golden_engine(*, die: Tool | None = None, log: Path | None = None) -> Engine:
    @tool(name="die", approval="never")
    def dies(order: str) -> str:
        """Kill."""
        raise AssertionError(order)

    shop = Workflow(name="shop", instructions="Help.", tools=(look, pay), model=Ok())
    doubt = Workflow(name="doubt", instructions="Help.", tools=(die or dies,), model=Ok())
    offline = refunds(shop=Path("shop.db"), today=lambda: date(2026, 11, 21))
    clock = Steered()
    clock.jump(366 * 86_400)  # later than anything that was kept
    market = Market()
    fair = bazaar(market, Bell("bell"), Bell("horn"))
    workflows = [shop, doubt, offline, market.workflow(), fair, vault(market)]
    workflows += [*meters(market), *diaries(market)]
    more: dict[str, Any] = {"clock": clock, "log": log, "approvers": APPROVERS, "prices": PRICES}
    return Engine(store=SQLITE, workflows=workflows, **more)


async def patiently(engine: Engine, work: Coroutine[Any, Any, _T]) -> _T:
    """What it gives, however long it waits by the engine's clock."""
    clock: Any = engine._clock  # noqa: SLF001 # as it was given
    task = asyncio.create_task(work)
    while not task.done():
        if clock.is_waited_for():
            clock.run(1)
        await asyncio.sleep(0)
    return await task


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("runs.jsonl").read_text().splitlines()]


def store_bytes() -> bytes:
    return Path("runs.db").read_bytes()


def last_lines() -> dict[str, dict[str, Any]]:
    return {one["run_id"]: one for one in sorted(lines(), key=lambda one: int(one["seq"]))}


async def test_every_run_is_where_its_log_says(version: str) -> None:
    ended = last_lines()
    async with golden_engine() as waystation:
        listed = {run.id: run for run in await waystation.runs()}
        loaded = {run_id: await waystation.run(run_id) for run_id in ended}
        assert await waystation.damaged() == {}
    assert listed.keys() == ended.keys()
    for run_id, line in ended.items():
        run = loaded[run_id]
        assert (run.state, run.seq, run.workflow) == (line["dest"], line["seq"], line["workflow"])
        assert (listed[run_id].state, listed[run_id].seq) == (run.state, run.seq), version


async def test_store_and_log_have_one_chain(version: str) -> None:
    told = {(one["run_id"], one["seq"]): (one["trigger"], one["digest"]) for one in lines()}
    store = SqliteStore("runs.db")
    kept = {
        (run_id, entry.seq): (entry.kind, entry.digest.hex())
        for run_id in last_lines()
        for entry in await store.entries(run_id)
    }
    await store.close()
    assert len(told) > 50
    assert told == kept, version


async def test_the_store_is_brought_up_to_today_on_opening(version: str) -> None:
    database = apsw.Connection("runs.db")
    assert database.pragma("user_version") == STORES[version]
    rows = list(database.execute("SELECT run, seq, at, kind, data, digest FROM events"))
    database.close()
    await SqliteStore("runs.db").close()
    database = apsw.Connection("runs.db")
    assert database.pragma("user_version") == TODAY
    assert list(database.execute("SELECT run, seq, at, kind, data, digest FROM events")) == rows
    database.close()


async def test_a_store_of_a_newer_version_is_left_alone(version: str) -> None:
    database = apsw.Connection("runs.db")
    database.pragma("user_version", TODAY + 1)
    database.close()
    before = store_bytes()
    with pytest.raises(StoreTooNewError, match=f"version {TODAY + 1}.*knows up to {TODAY}"):
        SqliteStore("runs.db")
    assert store_bytes() == before, version


async def settle(engine: Engine, run: Run, verdict: str) -> Run:
    """The run, after every question was decided that way."""
    for _ in range(10):
        if not run.approvals:
            return run
        asked = run.approvals[0]
        if verdict == "deny":
            work = engine.deny(run.id, by="ann", reason="no", approval_id=asked.approval_id)
        elif asked.kind == "limit":
            work = engine.raise_limits(run.id, {asked.tool: Decimal(100)}, by="ann")
        elif asked.kind == "changed":
            work = engine.accept_changes(run.id, by="ann")
        elif asked.kind == "question":
            work = engine.answer(run.id, asked.call_id, by="ann", result="red")
        else:
            retry, by = asked.kind == "in_doubt", "bob" if asked.grants else "ann"
            lost = run.call(asked.call_id).lost
            anew = {"box": "7", "code": "open-sesame-92"} if lost else None
            work = engine.approve(run.id, asked.call_id, by=by, retry=retry, arguments=anew)
        run = await patiently(engine, work)
    raise AssertionError(f"{run.id} asks and asks")


@pytest.mark.parametrize("verdict", ["approve", "deny"])
async def test_what_waits_for_a_person_can_be_decided_and_ends(version: str, verdict: str) -> None:
    @tool(approval="never")
    def die(order: str) -> str:
        """Kill."""
        return f"died of {order}"

    async with golden_engine(die=die) as waystation:
        parked = {asked.run_id for asked in await waystation.pending()}
        assert len(parked) >= PARKED[version]
        for run_id in sorted(parked):
            run = await patiently(waystation, waystation.resume(run_id))
            run = await settle(waystation, run, verdict)
            stopped = verdict == "deny" and run.limit is not None
            ends = (State.Aborted, False) if stopped else (State.Done, True)
            assert (run.state, bool(run.answer)) == ends
        assert await waystation.pending() == []


async def test_what_was_in_flight_is_in_doubt(version: str) -> None:
    async with golden_engine() as waystation:
        run = await patiently(waystation, waystation.resume("in-flight"))
        assert [one.kind for one in run.approvals] == ["in_doubt"], version
        run = await settle(waystation, run, "deny")
        assert run.state is State.Done


async def test_whatever_is_left_can_be_driven_on(version: str) -> None:
    async with golden_engine(log=Path("runs.jsonl")) as waystation:
        for run in await waystation.runs():
            resumed = await patiently(waystation, waystation.resume(run.id))
            assert resumed.state in {State.Done, State.Aborted, State.AwaitingApproval}
        seqs = {run.id: run.seq for run in await waystation.runs()}
    assert {run_id: line["seq"] for run_id, line in last_lines().items()} == seqs, version


def newest() -> list[tuple[str, dict[str, Any]]]:
    told = (JOURNALS / NEWEST / "runs.jsonl").read_text().splitlines()
    return [(line["trigger"], line["data"]) for line in map(json.loads, told)]


def test_the_newest_journals_have_every_kind_of_event() -> None:
    keyed = {"chain_sealed"}  # in the journals under a key
    assert {kind for kind, _ in newest()} == known_kinds() - keyed
    assert sum(file.stat().st_size for file in (JOURNALS / NEWEST).iterdir()) < 500_000


def test_the_newest_journals_have_every_shape_of_what_people_say() -> None:
    told = newest()
    outcomes = {data["outcome"] for kind, data in told if kind == "approval_expired"}
    assert outcomes == {"denied", "aborted", "escalated"}
    asked = {data["approval_id"]: data for kind, data in told if kind == "approval_requested"}
    kinds = {name: data.get("approval_kind", "tool_call") for name, data in asked.items()}
    assert set(kinds.values()) == set(get_args(ApprovalKind))
    answered = [data["approval_id"] for kind, data in told if kind == "approval_answered"]
    assert "question" in {kinds[one] for one in answered}
    grants = [data for kind, data in told if kind == "approval_granted"]
    assert any(data.get("arguments") for data in grants)
    quorum = [
        one["by"] for one in grants if asked[one["approval_id"]].get("demand", {}).get("quorum")
    ]
    assert set(quorum) >= {"ann", "bob"}
    starts = [data for kind, data in told if kind == "tool_started"]
    rules = {data["rule_id"] for kind, data in told if kind == "sticky_rule_added"}
    assert {data.get("approval_id") for data in starts} & rules
    assert any(data.get("audit") for data in starts)


def test_a_folder_of_journals_is_a_store_and_a_log(version: str) -> None:
    # What SQLite keeps beside a store in use would be missed by whoever copies the store alone.
    kept = {file.name for file in (JOURNALS / version).iterdir()}
    assert kept == {"runs.db", "runs.jsonl"}


async def test_the_journals_of_today_are_written_the_same_each_time(tmp_path: Path) -> None:
    logs = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        random.seed(SEED)
        await write(folder)
        logs.append((folder / "runs.jsonl").read_bytes())
    assert logs[0] == logs[1]


def known_kinds() -> set[str]:
    """Those that the machine has a row for and the engine an event."""
    written = {name for name in vars(events) if not name.startswith("_")}
    models: Sequence[Any] = [getattr(events, name) for name in written]
    fields = [getattr(one, "model_fields", {}) for one in models]
    kinds = {one["kind"].default for one in fields if "kind" in one}
    return kinds & {row.trigger for row in TRANSITIONS}
