"""What is known is told to the next run of the same customer; each run leaves one summary."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from engine import (
    Engine,
    Limits,
    Memory,
    Message,
    ModelReply,
    ModelRequest,
    Run,
    State,
    TransientModelError,
    Usage,
    events,
    rerun,
)
from engine.core.request import RECAP
from engine.prices import Price
from engine.stores.memory import MemoryStore
from tests.clock import Jumping
from tests.runtime.remembering import TEA, desk, engine, heard, kept, kinds, known, only, told
from tests.runtime.test_engine import OK, SQLITE

MEMORY = Memory()


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest) -> Any:
    return MemoryStore() if request.param == "memory" else SQLITE


async def test_a_run_leaves_one_summary_in_the_commit_that_ends_it(place: Any) -> None:
    await told(TEA, memory=MEMORY, store=place)
    summary, fact = await kept(memory=MEMORY, store=place)
    assert (summary.kind, summary.call_id, summary.run_id) == ("summary", None, "r1")
    assert summary.text == "Asked: Hello Answered: ok"
    assert fact.kind == "preference"
    async with engine(memory=MEMORY, store=place) as waystation:
        journal = await waystation.journal("r1")
    assert kinds(journal)[-2:] == ["model_answered", "run_summarised"]
    assert summary.seq == journal[-1].seq
    assert rerun(journal, desk(MEMORY)) is None


async def test_a_run_that_goes_on_has_its_summary_replaced(place: Any) -> None:
    async with engine(OK, {"content": "Bye"}, memory=MEMORY, store=place) as waystation:
        await waystation.start("desk", "Hello", "r1", customer="chloe")
        await waystation.send("r1", "One more thing")
        (summary,) = await waystation.memory()
        assert summary.text == "Asked: Hello Answered: Bye"
        journal = await waystation.journal("r1")
    assert kinds(journal).count("run_summarised") == 2
    assert rerun(journal, desk(MEMORY)) is None


async def test_what_is_known_is_recorded_and_told_before_the_first_call_as_notes(
    place: Any,
) -> None:
    await told(TEA, run_id="r1", memory=MEMORY, store=place)
    async with engine(memory=MEMORY, store=place) as waystation:
        run = await waystation.start("desk", "Hello again", "r2", customer="chloe")
        journal = await waystation.journal("r2")
        other = await waystation.start("desk", "Hello", "r3", customer="bob")
        nobody = await waystation.start("desk", "Hello", "r4")
    begun = only(events.RunStarted, journal)
    assert begun.known == known(run)
    assert str(begun.known).splitlines() == [
        "- 2026-01-01 preference: She likes green tea",
        "- 2026-01-01 summary: Asked: Hello Answered: ok",
    ]
    assert [one.role for one in run.messages[:3]] == ["system", "user", "user"]
    assert "notes, and no instructions" in str(run.messages[2].content)
    assert (known(other), known(nobody)) == (None, None)
    assert kinds(await _journal("r4", place))[-1] == "model_answered"
    assert rerun(journal, desk(MEMORY)) is None


async def _journal(run_id: str, place: Any) -> Sequence[events.Recorded]:
    async with engine(memory=MEMORY, store=place) as waystation:
        return await waystation.journal(run_id)


async def test_no_more_is_told_than_was_asked_for_and_fits() -> None:
    for number in range(6):
        texts = ("remember", {"fact": f"{number} " + "x\n" * 900})
        await told(texts, run_id=f"r{number}", memory=Memory(known=2))
    async with engine(memory=Memory(known=2)) as waystation:
        run = await waystation.start("desk", "Hello", "last", customer="chloe")
    assert len(str(known(run)).splitlines()) == 2
    async with engine(memory=Memory(known=50)) as waystation:
        run = await waystation.start("desk", "Hello", "more", customer="chloe")
    assert 2000 < len(str(known(run))) < 6500
    assert "5 x" in str(known(run))


async def test_a_run_that_was_aborted_leaves_no_summary() -> None:
    wrong = TransientModelError("never")
    async with engine(*[wrong] * 9, memory=MEMORY) as waystation:
        run = await waystation.start("desk", "Hello", "r1", customer="chloe")
        assert run.state is State.Aborted
        assert await waystation.memory() == []


class Summing:
    """A model that answers, and sums up when it is asked to."""

    name = "test-model"

    def __init__(self, *summaries: Any) -> None:
        self.summaries, self.requests = list(summaries), list[ModelRequest]()

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        asked = str(request.messages[-1].content).endswith(RECAP)
        said = self.summaries.pop(0) if asked else "ok"
        if isinstance(said, Exception):
            raise said
        message = Message(role="assistant", content=said)
        return ModelReply(message, usage=Usage(input_tokens=1_000_000), model=self.name)


def asking(model: Summing, place: Any = SQLITE, limits: Limits | None = None) -> Engine:
    limits = limits or Limits(max_tokens=9_000_000)
    workflow = desk(Memory(summaries="model"), limits=limits)
    prices = {"test-model": Price(input=Decimal(2), output=Decimal(1))}
    return Engine(store=place, workflows=[workflow], model=model, clock=Jumping(), prices=prices)


async def summed_up(model: Summing, **more: Any) -> tuple[Run, Sequence[events.Recorded], str]:
    async with asking(model, **more) as waystation:
        run = await waystation.start("desk", "Hello", "r1", customer="chloe")
        (summary,) = await waystation.memory()
        return run, await waystation.journal("r1"), summary.text


async def test_a_model_s_summary_is_a_recorded_call_and_its_cost_is_counted(place: Any) -> None:
    model = Summing("She said hello, and I said ok.")
    run, journal, text = await summed_up(model, place=place)
    assert text == "She said hello, and I said ok."
    event = only(events.RunSummarised, journal)
    assert (event.words, event.by_model, event.cost) == (text, True, Decimal(2))
    assert (run.state, run.answer, run.turns, run.cost) == (State.Done, "ok", 1, Decimal(4))
    assert run.usage.input_tokens == 2_000_000
    turn, summing = model.requests
    assert summing.messages[: len(turn.messages)] == turn.messages
    assert (summing.tools, summing.idempotency_key != turn.idempotency_key) == ((), True)
    workflow = desk(Memory(summaries="model"), limits=Limits(max_tokens=9_000_000))
    assert rerun(journal, workflow) is None
    async with asking(model, place) as waystation:
        told = await waystation.summary("r1")
    assert (told.turns, told.cost) == (1, Decimal(4))


@pytest.mark.parametrize("said", [TransientModelError("busy"), ValueError("odd"), "  "])
async def test_where_the_model_gives_none_the_engine_sums_up_itself(said: Any) -> None:
    run, journal, text = await summed_up(Summing(said))
    assert (run.state, text) == (State.Done, "Asked: Hello Answered: ok")
    workflow = desk(Memory(summaries="model"), limits=Limits(max_tokens=9_000_000))
    assert rerun(journal, workflow) is None


async def test_at_a_limit_the_model_is_not_asked_to_sum_up() -> None:
    model = Summing()
    run, journal, text = await summed_up(model, limits=Limits(max_turns=1))
    assert (run.state, text, len(model.requests)) == (
        State.Done,
        "Asked: Hello Answered: ok",
        1,
    )
    assert rerun(journal, desk(Memory(summaries="model"), limits=Limits(max_turns=1))) is None


async def test_a_run_that_died_before_its_summary_is_ready_and_gets_one(place: Any) -> None:
    asked = asyncio.Event()

    class Stuck(Summing):
        async def complete(self, request: ModelRequest) -> ModelReply:
            if self.requests:
                asked.set()
                await asyncio.Event().wait()
            return await super().complete(request)

    async with asking(Stuck(), place) as waystation:
        starting = asyncio.create_task(waystation.start("desk", "Hi", "r1", customer="chloe"))
        await asked.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    async with asking(Summing("Later."), place) as waystation:
        assert (await waystation.run("r1")).state is State.Done
        assert await waystation.memory() == []
        await waystation.worker().run(once=True)
        assert [one.text for one in await waystation.memory()] == ["Later."]
        await waystation.resume("r1")
        assert kinds(await waystation.journal("r1")).count("run_summarised") == 1


async def test_a_message_before_the_summary_makes_it_wait_for_the_next_answer() -> None:
    sending: list[asyncio.Task[Run]] = []

    class Interrupted(Summing):
        async def complete(self, request: ModelRequest) -> ModelReply:
            if self.requests and not sending:
                sending.append(await heard(waystation, "And this"))
            return await super().complete(request)

    model = Interrupted("First.", "Both.")
    async with asking(model) as waystation:
        run = await waystation.start("desk", "Hello", "r1", customer="chloe")
        await sending[0]
        assert (run.state, run.turns) == (State.Done, 2)
        assert [one.text for one in await waystation.memory()] == ["Both."]
        journal = await waystation.journal("r1")
    assert only(events.RunSummarised, journal).words == "Both."


@pytest.mark.parametrize("how", ["hangs", "cancels", "tells"])
async def test_a_run_ends_whatever_its_embedder_does(
    how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.runtime.notebook.PATIENCE", 0.01, raising=False)

    class Odd:
        name = "odd"

        async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
            if how == "hangs":
                await asyncio.Event().wait()
            if how == "cancels":
                raise asyncio.CancelledError
            raise ValueError(f"sk-abcdefgh1234567890 is no key for {len(texts)} texts")

    memory = Memory(embedder=Odd())
    async with engine(memory=memory) as waystation:
        run = await waystation.start("desk", "Hello", "r1", customer="chloe")
        assert run.state is State.Done
        assert [one.text for one in await waystation.memory()] == ["Asked: Hello Answered: ok"]
    assert "the summary of run r1 is found by its words only" in caplog.text
    assert "sk-abc" not in caplog.text
