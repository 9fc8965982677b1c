"""Memory over a real socket, with the real SDK: what goes out, and what a later run is told."""

import json
from typing import Any

from engine import Engine, Memory, OpenAIModel, State, Workflow, events
from tests.models.server import ProtocolServer, Reply, completion, serving

DESK = Workflow(name="desk", instructions="Help.", memory=Memory())
DONE = completion({"content": "All done."})


def asks(name: str, **arguments: Any) -> Reply:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": "x", "type": "function", "function": function}
    return completion({"content": None, "tool_calls": [call]}, "tool_calls")


def engine(server: ProtocolServer) -> Engine:
    model = OpenAIModel("test-model", api_key="sk-test", base_url=server.url, timeout=5)
    return Engine(store="sqlite:///runs.db", workflows=[DESK], model=model)


async def test_a_later_run_of_the_same_customer_is_told_and_can_recall_and_forget() -> None:
    tea = asks("remember", fact="She likes green tea", kind="preference")
    with serving(tea, DONE) as server:
        async with engine(server) as waystation:
            run = await waystation.start("desk", "I like green tea", "r1", customer="chloe")
            (summary, fact) = await waystation.memory("chloe")
    assert (run.state, summary.kind, fact.text) == (State.Done, "summary", "She likes green tea")
    tools = {one["function"]["name"]: one["function"] for one in server.requests[0]["tools"]}
    assert list(tools) == ["remember", "recall", "forget"]
    assert all(one["strict"] for one in tools.values())
    assert server.requests[1]["messages"][-1]["content"] == f"Remembered as {fact.id}."

    recall, forget = asks("recall", query="green", limit=None), asks("forget", id=fact.id)
    with serving(recall, forget, DONE) as server:
        async with engine(server) as waystation:
            await waystation.start("desk", "Which tea?", "r2", customer="chloe")
            left = await waystation.memory("chloe")
    first, second, third = (one["messages"] for one in server.requests)
    assert [one["role"] for one in first] == ["system", "user", "user"]
    assert "preference: She likes green tea" in first[2]["content"]
    assert "Answered: All done." in first[2]["content"]
    found = [one["text"] for one in json.loads(second[-1]["content"])["notes"]]
    assert "She likes green tea" in found
    assert third[-1]["content"] == "Forgotten."
    assert {one.kind for one in left} == {"summary"}


async def test_another_customer_is_told_and_finds_nothing() -> None:
    with serving(asks("remember", fact="A secret of Chloe's"), DONE) as server:
        async with engine(server) as waystation:
            await waystation.start("desk", "Hello", "r1", customer="chloe")
            ids = [one.id for one in await waystation.memory()]
    guesses = [asks("forget", id=one) for one in ids]
    with serving(asks("recall", query="secret Chloe"), *guesses, DONE) as server:
        async with engine(server) as waystation:
            await waystation.start("desk", "Hello", "r2", customer="bob")
            journal = await waystation.journal("r2")
            assert len(await waystation.memory("chloe")) == 2
    told = json.dumps([one["messages"] for one in server.requests])
    assert "A secret of" not in told
    assert journal[0].event.model_dump()["known"] is None
    results = [one.event.content for one in journal if isinstance(one.event, events.ToolReturned)]
    assert results[1:] == [f"There is no note {one} of this customer." for one in ids]
