"""What must hold of a store whatever was done to the processes that drove it."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw

from engine import Engine, Run, State, events
from tests.races import shop
from tests.races.drivers import FILE, LOG

_PAID = ("tool_started", "tool_returned", "tools_settled")
PAYS = ("run_started", "tools_requested", *_PAID, "model_answered")


async def journals(engine: Engine, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The kinds of each run's events, in order."""
    return {name: tuple(one.event.kind for one in await engine.journal(name)) for name in names}


async def starts(engine: Engine, name: str) -> list[events.ToolStarted]:
    """The intents in a run's journal."""
    return [
        one.event for one in await engine.journal(name) if isinstance(one.event, events.ToolStarted)
    ]


async def all_done(engine: Engine, names: Sequence[str]) -> None:
    """Every run has ended well, is whole, and is leased to nobody; nothing happened twice."""
    runs = await engine.runs(limit=len(names) + 1)
    assert {run.id: run.state for run in runs} == dict.fromkeys(names, State.Done)
    assert await engine.damaged() == {}
    assert shop.twice(shop.effects()) == []
    assert leased() == []


def leased() -> list[str]:
    """The runs that somebody drives, by the store."""
    with closing(apsw.Connection(FILE)) as database:
        rows = database.execute("SELECT run_id FROM runs WHERE owner <> ''")
        return [str(run_id) for (run_id,) in rows]


def log_is_journal(journal: dict[str, tuple[str, ...]]) -> None:
    """The log has every event, in order within its run; a line may be there twice."""
    told: dict[str, dict[int, str]] = {name: {} for name in journal}
    for line in Path(LOG).read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        told[fields["run_id"]][fields["seq"]] = fields["trigger"]
    assert {name: tuple(dict(sorted(of.items())).values()) for name, of in told.items()} == journal


def in_doubt(run: Run) -> list[str]:
    """The calls that a person has to look into."""
    return [one.call_id for one in run.approvals if one.kind == "in_doubt"]


def count(words: str) -> None:
    """Nothing; what a test did is shown where its output is (pytest -rP)."""
    print(words)  # noqa: T201 # as it says


async def look_into_doubts(engine: Engine, name: str) -> int:
    """How many calls were in doubt; each is settled by what the shop has of it."""
    settled = 0
    while doubts := in_doubt(await engine.run(name)):
        happened = {one.call_id for one in shop.effects() if one.run_id == name}
        if doubts[0] in happened:
            await engine.answer(name, doubts[0], by="ann", result="it happened")
        else:
            await engine.approve(name, doubts[0], by="ann", retry=True)
        settled += 1
    return settled
