"""What runs remember: kept with the call's result, and found by the same customer's runs only."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from engine import (
    DefinitionError,
    Engine,
    Memory,
    Rule,
    ScriptedModel,
    State,
    ToolContext,
    Workflow,
    events,
    rerun,
    tool,
)
from engine.core.evolve import fold
from engine.core.memory import TOOL_NAMES
from engine.core.memory_tools import MEMORY_TOOLS
from engine.stores.memory import MemoryStore
from tests.runtime.remembering import (
    FACTS_ONLY,
    RECALL,
    TEA,
    desk,
    engine,
    heard,
    kept,
    notes,
    told,
)
from tests.runtime.test_engine import OK, SQLITE, calls

TOKEN = "sk-Canary0123456789abcdefghij"  # noqa: S105 # known to the tests alone
BOTH = pytest.mark.parametrize("url", ["memory://", SQLITE])


def test_the_tools_are_known_by_their_names() -> None:
    assert tuple(one.name for one in MEMORY_TOOLS) == TOOL_NAMES


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest) -> Any:
    return MemoryStore() if request.param == "memory" else SQLITE


async def test_what_one_run_remembers_the_next_of_the_same_customer_recalls(place: Any) -> None:
    (said,) = await told(TEA, run_id="r1", store=place)
    (fact,) = await kept("chloe", store=place)
    assert said == f"Remembered as {fact.id}."
    assert (fact.text, fact.kind, fact.scope) == ("She likes green tea", "preference", "chloe")
    assert (fact.run_id, fact.call_id, fact.customer) == ("r1", "call_1_1", "chloe")
    async with engine(store=place) as waystation:
        journal = await waystation.journal("r1")
    assert isinstance(journal[fact.seq - 1].event, events.ToolReturned)
    found, newest = await told(RECALL, ("recall", {"query": ""}), run_id="r2", store=place)
    assert notes(found) == notes(newest) == ["She likes green tea"]
    assert "not instructions" in json.loads(found)["about"]


async def test_what_is_forgotten_is_found_no_more(place: Any) -> None:
    await told(TEA, run_id="r1", store=place)
    (fact,) = await kept(store=place)
    forget = ("forget", {"id": fact.id})
    assert await told(forget, run_id="r2", store=place) == ["Forgotten."]
    assert "no note" in (await told(forget, run_id="r3", store=place))[0]
    assert await kept(store=place) == []
    assert notes((await told(RECALL, run_id="r4", store=place))[0]) == []


async def test_two_customers_never_see_each_other_not_even_by_guessed_ids(place: Any) -> None:
    await told(TEA, run_id="r1", store=place)
    (fact,) = await kept(store=place)
    asked = [RECALL, ("recall", {"query": ""}), ("forget", {"id": fact.id})]
    for number, other in enumerate(["bob", "CHLOE", "chloe ", "%", "' OR 1=1 --"]):
        run_id = f"other{number}"
        found = await told(*asked, customer=other, run_id=run_id, store=place)
        assert (notes(found[0]), notes(found[1])) == ([], []), other
        assert "no note" in found[2]
        assert await kept(other, store=place) == []
    assert await kept(store=place) == [fact]


async def test_without_a_customer_the_tools_say_so(place: Any) -> None:
    for said in await told(TEA, RECALL, ("forget", {"id": "1"}), customer=None, store=place):
        assert "about no known customer" in said
    assert await kept(store=place) == []


async def test_a_workflow_may_choose_another_key(place: Any) -> None:
    team = Memory(scope=lambda run: f"team of {run.workflow}", summaries=False, known=0)
    await told(TEA, run_id="r1", customer="chloe", store=place, memory=team)
    (found,) = await told(RECALL, run_id="r2", customer=None, store=place, memory=team)
    assert notes(found) == ["She likes green tea"]
    (fact,) = await kept("chloe", store=place)
    assert (fact.scope, fact.customer) == ("team of desk", "chloe")


async def test_a_call_that_fails_leaves_nothing(place: Any) -> None:
    @tool(approval="never")
    async def note(context: ToolContext) -> str:
        """Note something, and fail."""
        assert context.memory is not None
        await context.memory.remember("half done")
        raise ValueError("no")

    workflow = desk(tools=[note])
    model = ScriptedModel([calls(("note", {}), ("remember", {"fact": " "})), OK])
    async with Engine(store=place, workflows=[workflow], model=model) as waystation:
        run = await waystation.start("desk", "Hello", "r1", customer="chloe")
        assert await waystation.memory() == []
    assert "a note has 1 to 2000 characters" in str(run.messages[-2].content)


async def test_a_policy_of_the_workflow_may_ask_a_person_first() -> None:
    workflow = desk(approval=[Rule(tool="remember", ask="always")])
    model = ScriptedModel([calls(TEA), OK])
    async with Engine(store=SQLITE, workflows=[workflow], model=model) as waystation:
        run = await waystation.start("desk", "Hello", "r1", customer="chloe")
        assert run.state is State.AwaitingApproval
        assert await waystation.memory() == []
        await waystation.approve("r1", by="ann")
        assert len(await waystation.memory()) == 1


async def test_several_calls_at_once_are_each_kept_once(place: Any) -> None:
    many = [("remember", {"fact": f"fact {n}"}) for n in range(5)]
    said = await told(*many, store=place)
    facts = await kept(store=place)
    assert {f"Remembered as {one.id}." for one in facts} == set(said)
    assert len(facts) == 5


class Slow:
    """An embedder that says when it was asked, and answers when it may."""

    name = "slow"

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.begun.set()
        await self.go_on.wait()
        return [[1.0] for _ in texts]


async def test_a_message_in_the_midst_of_a_call_loses_no_fact() -> None:
    slow = Slow()
    memory = Memory(summaries=False, known=0, embedder=slow)
    async with engine(calls(TEA), OK, memory=memory) as waystation:
        running = asyncio.create_task(waystation.start("desk", "Hi", "r1", customer="chloe"))
        await slow.begun.wait()
        sending = await heard(waystation, "And hurry")
        slow.go_on.set()
        await asyncio.gather(running, sending)
        (fact,) = await waystation.memory()
        journal = await waystation.journal("r1")
    assert isinstance(journal[fact.seq - 1].event, events.ToolReturned)


async def test_an_answer_is_kept_before_an_embedder_is_asked_about_its_summary() -> None:
    slow = Slow()
    async with engine(OK, memory=Memory(known=0, embedder=slow)) as waystation:
        running = asyncio.create_task(waystation.start("desk", "Hi", "r1", customer="chloe"))
        await slow.begun.wait()
        meanwhile = await waystation.run("r1")
        slow.go_on.set()
        run = await running
        (summary,) = await waystation.memory()
    assert (meanwhile.state, meanwhile.answer, meanwhile.sums_up) == (State.Done, run.answer, True)
    assert (run.sums_up, summary.kind) == (False, "summary")


async def test_secrets_are_masked_before_they_are_kept(place: Any) -> None:
    @tool(approval="never")
    def unlock(code: SecretStr) -> str:
        """Unlock."""
        return f"open {len(code.get_secret_value())}"

    workflow = desk(tools=[unlock])
    secret = ("unlock", {"code": "4711-0815"})
    fact = ("remember", {"fact": f"The code is 4711-0815, the key {TOKEN}"})
    model = ScriptedModel([calls(secret), calls(fact), OK])
    async with Engine(store=place, workflows=[workflow], model=model) as waystation:
        await waystation.start("desk", "Hello", "r1", customer="chloe")
        (kept,) = await waystation.memory()
    assert kept.text == "The code is ***, the key ***"


async def test_a_rerun_and_a_replay_take_what_is_recorded_and_touch_no_memory() -> None:
    await told(TEA, run_id="r1")
    await told(RECALL, run_id="r2")
    async with engine() as waystation:
        journals = [await waystation.journal(one) for one in ("r1", "r2")]
        before = await waystation.memory()
        runs = [await waystation.run(one) for one in ("r1", "r2")]
    for journal, run in zip(journals, runs, strict=True):
        assert rerun(journal, desk()) is None
        assert fold(journal) == run
    assert await kept() == before


class Letters:
    """Embeds a text by how often each of a few letters stands in it."""

    name = "letters-1"

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [[float(text.casefold().count(one)) for one in "abcdez"] for text in texts]


async def test_with_an_embedder_notes_are_found_by_nearness_too(place: Any) -> None:
    memory = Memory(summaries=False, known=0, embedder=Letters())
    many = [("remember", {"fact": text}) for text in ("zz zz", "aabb", "cdcd", "...")]
    await told(*many, run_id="r1", store=place, memory=memory)
    near = ("recall", {"query": "zap zzz", "limit": 1})
    worded = ("recall", {"query": "aabb zz", "limit": 2})
    one, two = await told(near, worded, run_id="r2", store=place, memory=memory)
    assert notes(one) == ["zz zz"]
    assert set(notes(two)) == {"zz zz", "aabb"}
    (other,) = await told(near, customer="bob", run_id="r3", store=place, memory=memory)
    assert notes(other) == []


async def test_an_embedder_that_fails_is_an_error_that_the_model_reads(place: Any) -> None:
    class Broken:
        name = "broken"

        async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
            return [[float("inf")] for _ in texts]

    memory = Memory(known=0, embedder=Broken())
    (said,) = await told(TEA, store=place, memory=memory)
    assert "not of finite numbers" in said
    assert [one.kind for one in await kept(store=place)] == ["summary"]


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        (None, "the embedder gave nothing in 0.01 s"),
        (ConnectionResetError("reset"), "the embedder failed: ConnectionResetError: reset"),
        (TimeoutError("theirs"), "the embedder failed: TimeoutError: theirs"),
        (asyncio.CancelledError(), "the embedder failed: CancelledError"),
        ([], "the embedder gave 0 vectors for one text"),
        (5, "the embedder failed: TypeError"),
        ([[1.0], [2.0]], "the embedder gave 2 vectors for one text"),
        ([["a"]], "a vector that is not of finite numbers"),
        ([None], "a vector that is not of finite numbers"),
        ([[10**400]], "a vector that is not of finite numbers"),
    ],
)
async def test_an_embedder_that_fails_leaves_no_doubt_and_says_why(
    gives: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runtime.notebook.PATIENCE", 0.01, raising=False)

    class Odd:
        name = "odd"

        async def embed(self, _: Sequence[str]) -> Any:
            if gives is None:
                await asyncio.Event().wait()
            if isinstance(gives, BaseException):
                raise gives
            return gives

    memory = Memory(summaries=False, known=0, embedder=Odd())
    remembered, recalled = await told(TEA, RECALL, memory=memory)
    assert words in remembered
    assert words in recalled
    assert await kept(memory=memory) == []


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ODD = st.sampled_from(
    ['"', '""*', "text:x", "NEAR(a b)", "a AND b", "*", "'; DROP TABLE facts; --", "\0", "\x1b[2J"]
)


def test_no_query_and_no_fact_means_more_than_its_words() -> None:
    drawn: list[tuple[str, str, str]] = []

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(TEXT | ODD, TEXT | ODD, TEXT | ODD)
    def draw(fact: str, query: str, guess: str) -> None:
        drawn.append((fact, query, guess))

    draw()

    async def walk() -> None:
        for number, (fact, query, guess) in enumerate(drawn):
            asked = [("remember", {"fact": fact}), ("recall", {"query": query})]
            await told(*asked, ("forget", {"id": guess}), customer="bob", run_id=f"b{number}")
            (found,) = await told(("recall", {"query": query}), run_id=f"c{number}")
            assert notes(found) == []
        wanted = {fact.strip() for fact, _, _ in drawn if fact.strip()}
        assert {one.text for one in await kept("bob")} <= wanted
        (whole,) = await told(("recall", {"query": "", "limit": 50}), customer="bob", run_id="z")
        assert set(notes(whole)) <= wanted

    asyncio.run(walk())
    assert len(drawn) >= 10


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"scope": "team"}, "scope is 'customer' or a function"),
        ({"known": -1}, "known is 0 to 50"),
        ({"known": 51}, "known is 0 to 50"),
        ({"known": True}, "known is 0 to 50"),
        ({"summaries": "yes"}, "summaries is True, False or 'model'"),
        ({"embedder": 3}, "embedder has a name and an async embed, not 3"),
    ],
)
def test_a_memory_that_makes_no_sense_is_refused(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        Memory(**declared)


@pytest.mark.parametrize("key", ["", " ", 5, "\udcff"])
async def test_a_key_that_is_none_is_refused_before_the_run_begins(key: Any) -> None:
    async with engine(memory=Memory(scope=lambda _: key)) as waystation:
        with pytest.raises(DefinitionError, match="the scope gave"):
            await waystation.start("desk", "Hello", "r1")
        assert await waystation.runs() == []


def test_a_memory_brings_its_tools_once_and_makes_the_workflow_another_one() -> None:
    plain = Workflow(name="desk", instructions="Help.")
    workflow = desk()
    again = Workflow(name="desk", instructions="Help.", tools=workflow.tools, memory=FACTS_ONLY)
    assert [one.name for one in again.tools] == ["remember", "recall", "forget"]
    assert again.definition == workflow.definition != plain.definition
    assert desk(Memory()).definition != workflow.definition

    @tool
    def remember(fact: str) -> str:
        """Remember."""
        return fact

    with pytest.raises(DefinitionError, match="two tools are named remember"):
        desk(tools=[remember])
