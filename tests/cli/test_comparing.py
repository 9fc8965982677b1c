"""`waystation diff`: two runs side by side."""

import asyncio
import json
from typing import Any

from engine import tool
from tests.cli.desk import waystation
from tests.cli.test_deception import FORGED, HIDDEN
from tests.runtime.test_engine import OK, calls, engine


def a_run(run_id: str, *replies: Any, message: str = "Hello", deny: str | None = None) -> None:
    """A run of the shop, where what is asked is allowed, or refused with that reason."""

    async def play() -> None:
        async with engine(*replies, OK) as made:
            run = await made.start("shop", message, run_id, by="zoe")
            while run.approvals and deny is None:
                run = await made.approve(run_id, run.approvals[0].call_id, by="ann")
            while run.approvals:
                run = await made.deny(run_id, run.approvals[0].call_id, by="ann", reason=deny)

    asyncio.run(play())


def pays(amount: float) -> dict[str, Any]:
    return calls(("pay", {"order": "1", "amount": amount}))


def test_runs_that_did_the_same_are_alike_and_exit_0() -> None:
    for run_id in ("r1", "r2"):
        a_run(run_id, pays(5))
    done = waystation("diff", "r1", "r2")
    assert done.return_value == 0
    assert done.stdout.endswith("Both did the same.\n")
    assert ">" not in done.stdout
    assert json.loads(waystation("diff", "r1", "r2", "--json").stdout)["alike"] is True


def test_the_first_difference_is_marked_and_named_and_exits_1() -> None:
    a_run("r1", pays(5))
    a_run("r2", pays(6))
    done = waystation("diff", "r1", "r2")
    assert done.return_value == 1
    marked = [line for line in done.stdout.splitlines() if line.startswith(">>")]
    assert len(marked) == 1
    assert marked[0].count("call of pay") == 2
    assert "First difference: turn 1: the call of pay: amount is 5 in r1, 6 in r2\n" in done.stdout
    found = json.loads(waystation("diff", "r1", "r2", "--json").stdout)
    assert (found["alike"], found["first"]) == (False, 1)
    assert found["steps"][1]["other"]["arguments"] == {"order": "1", "amount": 6}


def test_the_totals_of_both_are_shown() -> None:
    a_run("r1", pays(5), pays(6))
    a_run("r2", pays(5), deny="no")
    rows = [line.split() for line in waystation("diff", "r1", "r2").stdout.splitlines()]
    for row in (["turns", "3", "2"], ["calls", "2", "1"], ["verdicts", "2", "1"]):
        assert row in rows
    assert ["cost", "unknown", "unknown"] in rows


def test_a_run_that_is_not_there_is_one_clear_line() -> None:
    a_run("r1", pays(5))
    done = waystation("diff", "r1", "r9")
    assert done.exit_code == 1
    assert "no run 'r9'" in str(done.exception)
    assert done.stdout == ""


def test_it_fits_the_terminal(monkeypatch: Any) -> None:
    a_run("r1", pays(5), message="x" * 500)
    a_run("r2", pays(6), message="y" * 500)
    for columns in ("50", "120"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = waystation("diff", "r1", "r2").stdout.splitlines()
        until = shown.index("")
        assert max(map(len, shown[:until])) == int(columns)


@tool(name="pay")
def forges(order: str) -> str:
    """Pay."""
    return f"{order} {FORGED}"


def test_forged_words_are_inert_on_both_sides() -> None:
    async def play(run_id: str, order: str) -> None:
        wish = {**calls(("pay", {"order": order}), (FORGED, {})), "content": FORGED}
        async with engine(wish, {"content": FORGED}, tools=[forges]) as made:
            await made.start("shop", FORGED, run_id, by=FORGED)
            await made.approve(run_id, by=FORGED)

    asyncio.run(play("r1", FORGED))
    asyncio.run(play("r2", "other"))
    done, machine = waystation("diff", "r1", "r2"), waystation("diff", "r1", "r2", "--json")
    assert not HIDDEN.search(done.stdout)
    assert done.stdout.count("First difference: ") == 1
    assert machine.stdout.isascii()
    assert json.loads(machine.stdout)["words"]
