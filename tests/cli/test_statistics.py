"""`waystation stats`: many runs summed up."""

import asyncio
import gzip
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import BadInputError, Engine, Message, ModelReply, ModelRequest, State, Usage, Workflow
from engine.cli.figures import money, span
from tests.cli.desk import APPROVERS, begin, waystation
from tests.cli.test_deception import FORGED, HIDDEN
from tests.clock import Steered
from tests.runtime.test_engine import PAY, SQLITE, calls, engine
from tests.spec import NOON, look, pay

TOKENS = Usage(input_tokens=1000, cached_tokens=200, output_tokens=100)


class Priced:
    """A model that says its name, and what it took."""

    def __init__(self, model: str, *replies: Any) -> None:
        self._model, self._replies = model, iter(replies)

    async def complete(self, request: ModelRequest) -> ModelReply:
        assert request.tools
        message = Message.model_validate({"role": "assistant", **next(self._replies)})
        return ModelReply(message, usage=TOKENS, model=self._model)


async def run_of(model: str, run_id: str, workflow: str = "shop", **more: Any) -> None:
    """A run that looks something up, and has ended."""
    asks = calls(("look", {"order": "1"}))
    shop = Workflow(name=workflow, instructions="Help.", tools=(look, pay))
    replies = Priced(model, asks, {"content": "ok"})
    async with Engine(store=SQLITE, workflows=[shop], model=replies, **more) as made:
        assert (await made.start(workflow, "Hello", run_id)).state is State.Done


def shown() -> dict[str, list[str]]:
    """The columns of each line, by its first."""
    done = waystation("stats")
    assert done.exit_code == 0, done.output
    lines: Iterator[list[str]] = (re.split(r"\s{2,}", one) for one in done.stdout.splitlines())
    return {cells[0]: cells[1:] for cells in lines}


def test_of_no_run_there_is_nothing_and_it_is_said() -> None:
    empty = waystation("stats")
    assert (empty.stdout, empty.exit_code) == ("No runs.\n", 0)
    assert json.loads(waystation("stats", "--json").stdout)["runs"] == 0


@pytest.fixture
async def _two_runs() -> None:
    """One with a known price, and one without."""
    await run_of("gpt-5-mini", "r1")
    await run_of("nobody-s", "r2", "bank")


@pytest.mark.usefixtures("_two_runs")
def test_tokens_and_costs_are_shown_by_workflow_and_model() -> None:
    found = json.loads(waystation("stats", "--json").stdout)
    known = found["cost"]["known"]
    assert Decimal(known) > 0
    assert found["cost"]["unpriced"] == 1
    lines, both = shown(), money(Decimal(known))
    assert lines["2 runs: 2 Done"] == []
    assert lines[f"Tokens: 4000 in (800 cached), 400 out. Cost: {both} and unknown (1 run)."] == []
    assert lines["shop"] == ["1", "2", "2200", both]
    assert lines["bank"] == ["1", "2", "2200", "unknown (1 run)"]
    assert lines["gpt-5-mini"] == ["1", "2", "2200", both]
    assert lines["nobody-s"] == ["1", "2", "2200", "unknown (1 run)"]
    assert lines["look"] == ["2", "2", "0", "2", "0", "0", "0", "0"]
    assert lines["r1"][:2] == ["shop", "Done"]


@pytest.mark.usefixtures("_two_runs")
def test_only_one_workflow_or_only_what_began_since_is_summed_up() -> None:
    for words, runs in [
        (("--workflow", "bank"), 1),
        (("--workflow", "other"), 0),
        (("--since", "1h"), 2),
        (("--since", "2200-01-01"), 0),
    ]:
        assert json.loads(waystation("stats", "--json", *words).stdout)["runs"] == runs, words


def test_a_time_that_is_none_is_refused() -> None:
    refused = waystation("stats", "--since", "yesterday")
    assert refused.exit_code != 0
    assert "'yesterday' is no time" in refused.output


def test_what_waits_and_who_was_asked_is_counted() -> None:
    Path("approvers.toml").write_text(APPROVERS, encoding="utf-8")
    begin()
    assert waystation("deny", "r1", "--call", "call_1_1", "--by", "ann").exit_code == 0
    found = json.loads(waystation("stats", "--json").stdout)
    assert found["states"] == {"AwaitingApproval": 1}
    asked = {name: count for name, count in found["approvals"].items() if count}
    assert asked == {"asked": 2, "denied": 1, "open": 1}
    assert found["waits"]["count"] == found["waits_by_tool"]["pay"]["count"] == 1
    lines = shown()
    assert lines["Approvals: 2 asked, 1 denied, 1 open."] == []
    assert lines["pay"][0] == "1"
    assert lines["(all)"][0] == "1"


@pytest.mark.usefixtures("_two_runs")
def test_the_command_names_the_damaged_run_and_exits_1() -> None:
    database = apsw.Connection("runs.db")
    database.execute("UPDATE events SET digest = zeroblob(32) WHERE seq = 3 AND run = 1")
    database.close()
    done = waystation("stats", "--json")
    assert done.exit_code == 0  # standalone_mode is off: the code is what the function returned
    assert done.return_value == 1
    assert json.loads(done.stdout)["runs"] == 1
    assert "waystation: left out: run r1 is damaged at seq 3" in done.stderr


@pytest.mark.usefixtures("_two_runs")
def test_an_unreadable_checkpoint_is_named_also_where_only_newer_runs_are_wanted() -> None:
    database = apsw.Connection("runs.db")
    database.execute("UPDATE runs SET checkpoint = x'00' WHERE run_id = 'r2'")
    database.close()
    done = waystation("stats", "--json", "--since", "1h")
    assert json.loads(done.stdout)["runs"] == 1
    assert "left out: run r2" in done.stderr


def test_logs_say_the_same_as_the_store() -> None:
    Path("approvers.toml").write_text(APPROVERS, encoding="utf-8")
    for run_id in ("r1", "r2"):
        begin(run_id, log="runs.jsonl")
    stored = waystation("stats", "--json").stdout
    assert json.loads(stored)["runs"] == 2
    lines = Path("runs.jsonl").read_text().splitlines(keepends=True)
    with gzip.open("old.jsonl.gz", "wt") as old:
        old.write("".join(lines[:9]))
    Path("new.jsonl").write_text('{"event": "another program"}\n' + "".join(reversed(lines)))
    Path("runs.db").unlink()
    told = waystation("stats", "--json", "old.jsonl.gz", "new.jsonl")
    assert told.stdout == stored
    assert (told.return_value, told.stderr) == (0, "Lines of other programs, passed over: 1.\n")
    assert (
        json.loads(waystation("stats", "--json", "--workflow", "x", "new.jsonl").stdout)["runs"]
        == 0
    )
    assert (
        json.loads(waystation("stats", "--json", "--since", "2200-01-01", "new.jsonl").stdout)[
            "runs"
        ]
        == 0
    )


def test_what_is_wrong_with_a_log_is_named_and_hides_no_other_run() -> None:
    Path("approvers.toml").write_text(APPROVERS, encoding="utf-8")
    for run_id in ("r1", "r2"):
        begin(run_id, log="runs.jsonl")
    lines = Path("runs.jsonl").read_text().splitlines(keepends=True)
    gap = next(place for place, line in enumerate(lines) if '"r1"' in line) + 2
    Path("gap.jsonl").write_text("".join(lines[:gap] + lines[gap + 1 :]) + lines[0][:-20])
    told = waystation("stats", "gap.jsonl")
    assert told.return_value == 1
    assert told.stdout.startswith("1 run: 1 AwaitingApproval\n")
    assert "waystation: left out: run r1 is damaged at seq 3" in told.stderr
    assert f"waystation: left out: gap.jsonl:{len(lines)}: " in told.stderr


def test_a_log_that_is_not_there_is_one_clear_line() -> None:
    missing = waystation("stats", "nowhere.jsonl")
    assert missing.exit_code == 1
    assert "nowhere.jsonl" in str(missing.exception)
    assert isinstance(missing.exception, BadInputError)


async def _forged_run() -> None:
    asks = calls((FORGED, {}))
    shop = Workflow(name="shop", instructions="Help.", tools=(look,))
    model = Priced(FORGED, asks, {"content": "ok"})
    async with Engine(store=SQLITE, workflows=[shop], model=model) as made:
        await made.start("shop", "Hello", "r1")
        summary = await made.summary("r1")
    assert [one.tool for one in summary.tools] == [FORGED]


def test_a_forged_tool_and_model_are_shown_inert() -> None:
    asyncio.run(_forged_run())
    plain, machine = waystation("stats").stdout, waystation("stats", "--json").stdout
    assert not HIDDEN.search(plain)
    assert r"\u202eann" in plain
    assert machine.isascii()
    assert json.loads(machine)["runs"] == 1


async def test_a_summary_is_had_from_the_engine() -> None:
    clock = Steered()
    async with engine(calls(PAY), {"content": "ok"}, clock=clock) as made:
        await made.start("shop", "Hello", "r1")
        clock.jump(3600)
        await made.deny("r1", by="ann")
        summary = await made.summary("r1")
    assert (summary.elapsed, summary.waited, summary.approvals.denied) == (3600.0, 3600.0, 1)


async def test_since_without_a_time_zone_is_refused() -> None:
    async with engine() as made:
        with pytest.raises(BadInputError, match="no time zone"):
            await made.statistics(since=NOON.replace(tzinfo=None))


def test_small_sums_are_not_shown_as_nothing_and_long_times_in_hours() -> None:
    sums = [None, Decimal(0), Decimal("0.0000001"), Decimal("0.00045"), Decimal("12.346")]
    assert [money(one) for one in sums] == [
        "unknown",
        "0 USD",
        "< 0.000001 USD",
        "0.000450 USD",
        "12.35 USD",
    ]
    assert [span(one) for one in (None, 0.0123, 59.0, 3725.4, 90_061.0)] == [
        "-",
        "0.012 s",
        "59.000 s",
        "1:02:05",
        "1 day, 1:01:01",
    ]
