"""What a model is sent over a long life: within its budget, whatever becomes of the run."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine import (
    Context,
    Engine,
    Limits,
    Message,
    ModelReply,
    ModelRequest,
    State,
    Usage,
    Workflow,
    drop_old_results,
    events,
    keep_last,
    logged_runs,
    rerun,
    rerun_live,
    summarise,
    tool,
)
from engine.core.sent import context_of
from engine.core.sizes import tokens_in
from tests.runtime.test_engine import SQLITE, calls
from tests.unpacked import bytes_in

KILOBYTE = 1_024
CANARY = "the customer lives in Zanzibar"


@tool(read_only=True)
def fetch(key: str) -> str:
    """Fetch a kilobyte."""
    return key + "x" * (KILOBYTE - len(key))


def shop(*strategies: Any, most: int = 4_000) -> Workflow:
    limits = Limits(max_turns=300, max_tool_calls=300, max_tokens=10**9)
    context = Context(max_tokens=most, strategies=strategies)
    return Workflow(
        name="shop", instructions="Help.", tools=[fetch], limits=limits, context=context
    )


class Reader:
    """A model that calls the tool so many times; it counts, and keeps, what it is sent."""

    def __init__(self, turns: int) -> None:
        self.turns, self.sent = turns, list[ModelRequest]()

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.sent.append(request)
        usage = Usage(input_tokens=tokens_in(request.messages), output_tokens=20)
        return ModelReply(self._message(request), usage=usage, model="reader")

    def _message(self, request: ModelRequest) -> Message:
        if request.purpose == "summary":
            return Message(role="assistant", content=f"Up to turn {request.turn}: {CANARY}.")
        if request.turn > self.turns:
            return Message(role="assistant", content="Done.")
        asked = calls(("fetch", {"key": f"key {request.turn}"}))
        return Message.model_validate({"role": "assistant", **asked})


def engine(workflow: Workflow, model: Any, store: str = SQLITE, **more: Any) -> Engine:
    return Engine(store=store, workflows=[workflow], model=model, **more)


@pytest.mark.parametrize(
    "strategies", [(drop_old_results, keep_last(10)), (keep_last(4),), (summarise,)]
)
async def test_two_hundred_turns_stay_within_the_budget_and_grow_by_what_was_said(
    strategies: tuple[Any, ...],
) -> None:
    workflow, model, turns = shop(*strategies), Reader(200), 200
    async with engine(workflow, model) as waystation:
        run = await waystation.start("shop", "Hello", "r1")
        journal = await waystation.journal("r1")
    assert (run.state, run.turns) == (State.Done, turns + 1)
    assert max(tokens_in(one.messages) for one in model.sent) <= 4_000
    assert all(one.messages[:2] == run.messages[:2] for one in model.sent if one.purpose == "turn")
    assert len(run.messages) == 2 + 2 * turns + 1, "the journal keeps everything"
    size, empty = Path("runs.db").stat().st_size, 128 * KILOBYTE  # noqa: ASYNC240 # nothing else runs
    assert size - empty <= 2.5 * turns * KILOBYTE
    assert rerun(journal, workflow) is None
    assert await rerun_live(journal, workflow, Reader(200)) is None


async def test_a_live_model_of_today_is_sent_what_the_recorded_one_was() -> None:
    workflow, model, today = shop(summarise), Reader(20), Reader(20)
    async with engine(workflow, model, "memory://") as waystation:
        run = await waystation.start("shop", "Hello")
        journal = await waystation.journal(run.id)
    assert await rerun_live(journal, workflow, today) is None
    assert [one.messages for one in today.sent] == [
        one.messages for one in model.sent if one.purpose == "turn"
    ]


class Interrupted(Reader):
    """Where it is first asked for a summary, the customer writes before it is given."""

    def __init__(self, turns: int) -> None:
        super().__init__(turns)
        self.engine: Engine | None = None

    async def complete(self, request: ModelRequest) -> ModelReply:
        first = not any(one.purpose == "summary" for one in self.sent)
        if request.purpose == "summary" and first and self.engine:
            async with engine(shop(summarise), Reader(0)) as other:
                await other.send("r1", "One more thing")
        return await super().complete(request)


async def test_what_comes_while_it_is_summed_up_is_sent_with_the_next_request() -> None:
    model = Interrupted(14)
    async with engine(shop(summarise), model) as waystation:
        model.engine = waystation
        run = await waystation.start("shop", "Hello", "r1")
        assert run.state is State.Done
    place = next(n for n, one in enumerate(model.sent) if one.purpose == "summary")
    assert model.sent[place + 1].messages[-1].content == "One more thing"


def compacted_at(journal: tuple[events.Recorded, ...]) -> int:
    """The seq of the first compaction."""
    return next(one.seq for one in journal if isinstance(one.event, events.ContextCompacted))


async def test_a_fork_is_sent_what_the_old_run_was() -> None:
    workflow, model = shop(summarise), Reader(14)
    async with engine(workflow, model, "memory://") as waystation:
        await waystation.start("shop", "Hello", "r1")
        at = compacted_at(await waystation.journal("r1"))
        after = await waystation.fork("r1", at=at, new_id="after", detach=True)
        before = await waystation.fork("r1", at=at - 1, new_id="before", detach=True)
        assert (before.compacted, before.summary) == (None, None)
        assert CANARY in (after.summary or "")
        model.sent.clear()
        for run in (after, before):
            await waystation.resume(run.id)
    turn = after.turns + 1
    first, summary, second, *_ = [one for one in model.sent if one.turn == turn]
    assert first.messages == second.messages == context_of(after)
    assert summary.purpose == "summary"


async def test_a_summary_is_erased_with_what_it_sums_up() -> None:
    async with engine(shop(summarise), Reader(14), log="log.jsonl") as waystation:
        await waystation.start("shop", "Hello", "r1")
        assert CANARY in ((await waystation.run("r1")).summary or "")
        await waystation.forget("r1", by="boss")
        run = await waystation.run("r1")
        assert (run.summary, run.erased) == ("[erased]", True)
    kept = b"".join(bytes_in(file) for file in Path().glob("*.[dj]*"))  # noqa: ASYNC240 # as above
    assert b"Zanzibar" not in kept


async def test_a_secret_in_a_summary_is_masked_in_the_log_and_what_is_told() -> None:
    class Teller(Reader):
        def _message(self, request: ModelRequest) -> Message:
            if request.purpose == "summary":
                told = json.dumps({"pass_phrase": "blue-horse-42"})
                return Message(role="assistant", content=told)
            return super()._message(request)

    workflow = Workflow(
        name="shop",
        instructions="Help.",
        tools=[fetch],
        limits=Limits(max_turns=40),
        context=Context(max_tokens=4_000, strategies=[summarise]),
        redact=["pass_phrase"],
    )
    async with engine(workflow, Teller(14), log="log.jsonl") as waystation:
        await waystation.start("shop", "Hello", "r1")
        assert "blue-horse-42" in str(context_of(await waystation.run("r1")))
        following = await waystation.masked.upcoming("r1")
    assert "***" in str(following.sent[2])
    assert "blue-horse-42" not in str(following.sent)
    assert b"blue-horse-42" not in Path("log.jsonl").read_bytes()  # noqa: ASYNC240 # as above
    (logged,) = logged_runs(["log.jsonl"])
    assert rerun(logged.journal(), workflow) is None, "also by what the masked log says"
