"""What the model is sent next, as the command shows it."""

import asyncio
import json
from typing import Any

import pytest

from engine import (
    Context,
    Engine,
    Limits,
    Message,
    ModelReply,
    ModelRequest,
    Workflow,
    drop_old_results,
    summarise,
    tool,
)
from tests.cli.spoken import Spoken, run
from tests.runtime.test_engine import SQLITE, calls


@tool(read_only=True)
def fetch(key: str) -> str:
    """Fetch a long text, with what no terminal should obey, and a secret."""
    return json.dumps({"door_code": "open-sesame-92", "text": f"{key}\x1b[2J" + "x" * 900})


class Reader:
    """A model that calls the tool eight times, and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.sent.append(request)
        if request.purpose == "summary" or request.turn > 8:
            return ModelReply(Message(role="assistant", content="Well."))
        asked = calls(("fetch", {"key": f"key {request.turn}"}))
        return ModelReply(Message.model_validate({"role": "assistant", **asked}))


def shop(*strategies: Any) -> Workflow:
    return Workflow(
        name="shop",
        instructions="Help.",
        tools=[fetch],
        limits=Limits(max_repeats=20),
        context=Context(max_tokens=1_500, strategies=strategies),
        redact=["door_code"],
    )


DROPS, SUMS = [shop(drop_old_results)], [shop(summarise)]


def engine(workflows: list[Workflow], model: Reader) -> Engine:
    return Engine(store=SQLITE, workflows=workflows, model=model)


def begin(workflows: list[Workflow]) -> None:
    """A run, and a fork of it that is to ask the model for the sixth turn."""

    async def start() -> None:
        async with engine(workflows, Reader()) as waystation:
            await waystation.start("shop", "Hello", "r1")
            journal = await waystation.journal("r1")
            settled = [one.seq for one in journal if one.event.kind == "tools_settled"]
            await waystation.fork("r1", at=settled[4], new_id="r2", detach=True)

    asyncio.run(start())


def resumed(workflows: list[Workflow]) -> ModelRequest:
    """What the model is really sent first, once the fork goes on."""
    model = Reader()

    async def resume() -> None:
        async with engine(workflows, model) as waystation:
            await waystation.resume("r2")

    asyncio.run(resume())
    return model.sent[0]


def waystation(name: str, *words: str) -> Spoken:
    return run(*words, "--store", SQLITE, "--app", f"tests.cli.test_context:{name}")


@pytest.mark.parametrize("name", ["DROPS", "SUMS"])
def test_show_context_prints_exactly_what_the_model_is_sent_next(name: str) -> None:
    workflows = {"DROPS": DROPS, "SUMS": SUMS}[name]
    begin(workflows)
    told = json.loads(waystation(name, "show", "r2", "--context", "--json").stdout)
    assert (told["run_id"], told["asked"], told["state"]) == ("r2", True, "AwaitingModel")
    request = resumed(workflows)
    expected = [one.model_dump(mode="json", exclude_defaults=True) for one in request.messages]
    plain = json.dumps(expected)
    assert "open-sesame-92" in plain, "the model is sent it"
    assert "open-sesame-92" not in json.dumps(told)
    assert told["tools"] == [one.name for one in request.tools]
    assert [one["role"] for one in told["messages"]] == [one["role"] for one in expected]
    for shown, sent in zip(told["messages"], expected, strict=True):
        if "open-sesame-92" not in json.dumps(sent):
            assert shown == sent


def test_show_context_is_safe_for_a_terminal_and_says_what_is_left_out() -> None:
    begin(DROPS)
    shown = waystation("DROPS", "show", "r2", "--context")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Run r2: the model is sent next:\n    system: Help.\n")
    assert "characters, was left out to save room]" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "open-sesame-92" not in shown.stdout
    assert shown.stdout.endswith("  tools: fetch\n")


def test_show_context_of_a_run_that_is_done_shows_what_is_sent_so_far() -> None:
    begin(DROPS)
    shown = waystation("DROPS", "show", "r1", "--context")
    assert shown.stdout.startswith(
        "Run r1 is Done, and the model is not asked now; so far it is sent:\n"
    )
    assert shown.stdout.splitlines()[-2:] == ["    assistant: Well.", "  tools: fetch"]


def test_show_context_needs_a_run_that_there_is() -> None:
    shown = waystation("DROPS", "show", "nobody", "--context")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr.count("\n") <= 2


def test_replay_at_shows_the_same_messages() -> None:
    begin(DROPS)
    told = json.loads(waystation("DROPS", "show", "r2", "--context", "--json").stdout)
    seq = json.loads(waystation("DROPS", "show", "r2", "--json").stdout)["seq"]
    moment = waystation("DROPS", "replay", "r2", "--at", str(seq), "--json")
    assert json.loads(moment.stdout)["next"]["messages"] == told["messages"]


def test_a_compaction_is_one_line_of_what_happened() -> None:
    begin(DROPS)
    lines = [
        line
        for line in waystation("DROPS", "replay", "r1").stdout.splitlines()
        if "context_compacted" in line
    ]
    assert lines
    assert "drop_old_results: " in lines[0]
    assert lines[0].endswith(" tokens")
