"""Live: calls of one turn that wait and run side by side, and messages that come meanwhile."""

import asyncio
from typing import Any

from engine import Message, ModelReply, ModelRequest, State, ToolContext, events, tool
from tests.runtime.desk import desk, journal, kinds
from tests.runtime.test_engine import calls


class Gate:
    """Something that stops who comes by, until it is opened."""

    def __init__(self) -> None:
        self.reached, self._opened = asyncio.Event(), asyncio.Event()

    async def pass_through(self) -> None:
        self.reached.set()
        await self._opened.wait()

    def open(self) -> None:
        self._opened.set()


async def test_a_call_is_decided_elsewhere_while_another_of_its_turn_is_in_flight() -> None:
    gate, ran = Gate(), list[str]()

    @tool
    async def pay(order: str, context: ToolContext) -> str:
        """Pay, which takes a while for order 1."""
        ran.append(f"pay {order}")
        if order == "1":
            await gate.pass_through()
        return f"paid {order} as {context.call_id}"

    @tool(read_only=True)
    def look(order: str) -> str:
        """Look."""
        ran.append(f"look {order}")
        return "seen"

    turn = calls(("pay", {"order": "1"}), ("look", {"order": "9"}), ("pay", {"order": "2"}))
    tools = [pay, look]
    async with desk(turn, tools=tools) as here, desk(turn, tools=tools) as there:
        parked = await here.start("shop", "Hello", run_id="r1")
        assert ran == ["look 9"], "what needs nobody ran at once"
        assert [one.call_id for one in parked.approvals] == ["call_1_1", "call_1_3"]
        driving = asyncio.create_task(here.approve("r1", "call_1_1", by="ann"))
        await gate.reached.wait()
        (waiting,) = await there.pending()
        assert (waiting.call_id, waiting.run_id) == ("call_1_3", "r1")
        run = await there.approve("r1", "call_1_3", by="bob", digest=waiting.digest)
        assert (run.state, run.approvals) == (State.AwaitingApproval, ())
        assert ran == ["look 9", "pay 1"], "it is left to who drives the run"
        gate.open()
        run = await driving
        assert (run.state, ran) == (State.Done, ["look 9", "pay 1", "pay 2"])
        assert [message.content for message in run.messages if message.role == "tool"] == [
            "paid 1 as call_1_1",
            "seen",
            "paid 2 as call_1_3",
        ]
        assert await there.damaged() == {}
        started = [one for one in await journal(there) if isinstance(one, events.ToolStarted)]
    assert [(one.call_id, one.approval_id) for one in started] == [
        ("call_1_2", None),
        ("call_1_1", "r1.1"),
        ("call_1_3", "r1.2"),
    ]


async def test_a_call_is_denied_elsewhere_while_another_of_its_turn_is_in_flight() -> None:
    gate, ran = Gate(), list[str]()

    @tool(approval="never")
    async def slow() -> str:
        """Take a while."""
        await gate.pass_through()
        return "at last"

    @tool
    def pay() -> str:
        """Pay."""
        ran.append("pay")
        return "paid"

    turn, tools = calls(("slow", {}), ("pay", {})), [slow, pay]
    async with desk(turn, tools=tools) as here, desk(turn, tools=tools) as there:
        driving = asyncio.create_task(here.start("shop", "Hello", run_id="r1"))
        await gate.reached.wait()
        assert [one.tool for one in await there.pending()] == ["pay"]
        await there.deny("r1", by="ann", reason="no")
        gate.open()
        run = await driving
    assert (run.state, ran) == (State.Done, [])
    assert [message.content for message in run.messages if message.role == "tool"] == [
        "at last",
        "Denied by a person: no",
    ]


class Slow:
    """A model that takes a while over its first reply, and keeps what it was asked each time."""

    def __init__(self, gate: Gate, *replies: dict[str, Any]) -> None:
        self.asked: list[list[str]] = []
        self._gate, self._replies = gate, replies

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.asked.append([one.content or "" for one in request.messages if one.role == "user"])
        place = len(self.asked) - 1
        if place == 0:
            await self._gate.pass_through()
        return ModelReply(Message.model_validate({"role": "assistant", **self._replies[place]}))


async def test_an_answer_that_a_message_overtook_is_not_the_last_word() -> None:
    gate = Gate()
    model = Slow(gate, {"content": "Bye."}, {"content": "Here it is."})
    async with desk(tools=[], model=model) as here, desk(tools=[]) as there:
        driving = asyncio.create_task(here.start("shop", "Hello", run_id="r1"))
        await gate.reached.wait()
        told = await there.send("r1", "And my receipt?")
        assert told.unread == 1
        gate.open()
        run = await driving
        assert await kinds(there) == [
            "run_started",
            "message_received",
            "answer_superseded",
            "model_answered",
        ]
        assert await there.damaged() == {}
    assert model.asked == [["Hello"], ["Hello", "And my receipt?"]]
    assert (run.state, run.answer, run.unread) == (State.Done, "Here it is.", 0)
    assert [message.content for message in run.messages[1:]] == [
        "Hello",
        "Bye.",
        "And my receipt?",
        "Here it is.",
    ]


async def test_calls_that_a_message_overtook_are_asked_about_with_a_word_of_it() -> None:
    gate, ran = Gate(), list[str]()

    @tool
    def pay() -> str:
        """Pay."""
        ran.append("pay")
        return "paid"

    model = Slow(gate, calls(("pay", {})), {"content": "Stopped."})
    async with desk(tools=[pay], model=model) as here, desk(tools=[pay]) as there:
        driving = asyncio.create_task(here.start("shop", "Pay", run_id="r1"))
        await gate.reached.wait()
        await there.send("r1", "Do not pay!")
        gate.open()
        assert (await driving).state is State.AwaitingApproval
        (waiting,) = await there.pending()
        assert (waiting.tool, waiting.unread, ran) == ("pay", 1, [])
        run = await here.deny("r1", by="ann")
    assert (run.state, run.answer, ran) == (State.Done, "Stopped.", [])
    assert model.asked == [["Pay"], ["Pay", "Do not pay!"]]
