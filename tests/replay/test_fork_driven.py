"""Forks that are driven on: what was done before is never done again, unless a person says so."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import (
    ApprovalPolicy,
    BadInputError,
    Engine,
    Message,
    ModelReply,
    ModelRequest,
    RefusedError,
    State,
    Tool,
    ToolContext,
    UnknownRunError,
    UnverifiedRunError,
    Workflow,
    ask_person,
    events,
    tool,
)
from engine.core.canonical import idempotency_key
from engine.core.run import Run
from engine.errors import RunExistsError
from engine.ports import Entry
from engine.stores.memory import MemoryStore
from tests.runtime.test_engine import SQLITE, calls


class Told:
    """A model that gives these replies by turn, in whichever run, and keeps what it was sent."""

    def __init__(self, *replies: dict[str, Any]) -> None:
        self.replies, self.sent = replies, list[ModelRequest]()

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.sent.append(request)
        given = self.replies[request.turn - 1] if request.turn <= len(self.replies) else {}
        return ModelReply(Message.model_validate({"role": "assistant", "content": "ok", **given}))


class Till:
    """A tool that pays, and what it paid under which keys."""

    def __init__(self, **hints: Any) -> None:
        self.keys: list[str] = []
        self.paid: list[float] = []
        self.looked_up = 0
        if hints.pop("looked_up", False):
            hints["reconcile"] = self.look_up

        @tool(**{"approval": "never", **hints})
        def pay(amount: float, context: ToolContext) -> str:
            """Pay."""
            self.keys.append(context.idempotency_key)
            self.paid.append(amount)
            return f"paid {amount}"

        self.tool = pay

    def look_up(self, *_: object) -> None:
        self.looked_up += 1


PAY = calls(("pay", {"amount": 5}))


def engine(*tools: Tool, model: Told | None = None, store: Any = SQLITE, **more: Any) -> Engine:
    workflow = Workflow(name="shop", instructions="Help.", tools=tools, model=model or Told(PAY))
    return Engine(store=store, workflows=[workflow], log="log.jsonl", **more)


def log_bytes() -> bytes:
    return Path("log.jsonl").read_bytes()


async def seq_of(waystation: Engine, kind: str, run_id: str = "r1") -> int:
    """Where the first event of that kind stands."""
    return next(one.seq for one in await waystation.journal(run_id) if one.event.kind == kind)


async def stored(waystation: Engine, run_id: str = "r1") -> tuple[Sequence[Entry], Run]:
    return await waystation.entries(run_id), await waystation.run(run_id)


@pytest.mark.parametrize(
    ("hints", "again"),
    [
        ({}, False),
        ({"idempotent": True}, False),
        ({"idempotent": True, "key_ttl": 60.0}, False),
        ({"looked_up": True}, False),
        ({"idempotent": True, "looked_up": True}, False),
        ({"read_only": True}, True),
        ({"transactional": True}, True),
    ],
    ids=str,
)
async def test_a_call_in_flight_is_in_doubt_unless_it_only_read_or_was_rolled_back(
    hints: dict[str, Any], again: bool
) -> None:
    till = Till(**hints)
    async with engine(till.tool) as waystation:
        await waystation.start("shop", "Hello", "r1")
        before = await stored(waystation)
        at = await seq_of(waystation, "tool_started")
        run = await waystation.fork("r1", at=at, new_id="r2")
        assert await stored(waystation) == before
        assert till.looked_up == 0
        own = idempotency_key("r2", "call_1_1")
        first = idempotency_key("r1", "call_1_1")
        if again:
            assert (run.state, till.keys) == (State.Done, [first, own])
            return
        assert (run.state, till.keys) == (State.AwaitingApproval, [first])
        assert run.approvals[0].kind == "in_doubt"
        assert "forked off" in str(run.approvals[0].reason)
        run = await waystation.approve("r2", by="ann", retry=True)
        assert (run.state, till.keys) == (State.Done, [first, own])


async def test_what_has_its_result_is_never_done_again() -> None:
    till = Till()
    async with engine(till.tool) as waystation:
        ended = await waystation.start("shop", "Hello", "r1")
        at = await seq_of(waystation, "tool_returned")
        for place in range(at, ended.seq + 1):
            run = await waystation.fork("r1", at=place)
            assert (run.state, run.answer, len(till.paid)) == (State.Done, "ok", 1)
            assert run.messages == ended.messages


async def test_a_fork_at_any_point_ends_as_its_original_where_nothing_needs_a_person() -> None:
    till = Till(read_only=True)
    async with engine(till.tool, model=Told(PAY, PAY)) as waystation:
        ended = await waystation.start("shop", "Hello", "r1")
        for at in range(1, ended.seq + 1):
            run = await waystation.fork("r1", at=at, new_id=f"f{at}")
            assert (run.state, run.messages) == (State.Done, ended.messages)
            assert [one.event.kind for one in await waystation.journal(f"f{at}")][at] == (
                "run_forked"
            )


async def test_what_was_granted_and_not_started_is_asked_again() -> None:
    till = Till(approval="always")
    async with engine(till.tool) as waystation:
        await waystation.start("shop", "Hello", "r1")
        await waystation.approve("r1", by="ann", arguments={"amount": 1})
        for kind in ("approval_granted", "approvals_settled"):
            at = await seq_of(waystation, kind)
            run = await waystation.fork("r1", at=at, new_id=kind)
            (asked,) = run.approvals
            assert (asked.arguments, asked.grants) == ({"amount": 5.0}, ())
            assert asked.approval_id == f"{kind}.2"
            assert till.paid == [1]
        run = await waystation.approve(kind, by="ann")
        assert (run.state, till.paid) == (State.Done, [1, 5])


async def test_an_open_approval_is_asked_anew_and_the_old_one_stays_open() -> None:
    till = Till(approval="always")
    async with engine(till.tool) as waystation:
        parked = await waystation.start("shop", "Hello", "r1")
        run = await waystation.fork("r1", at=parked.seq, new_id="r2", by="bob")
        assert [one.approval_id for one in run.approvals] == ["r2.2"]
        assert {one.run_id for one in await waystation.pending()} == {"r1", "r2"}
        await waystation.deny("r2", by="ann", reason="no")
        assert await waystation.run("r1") == parked
        assert till.paid == []


async def test_a_sticky_rule_of_the_original_allows_nothing_in_the_fork() -> None:
    till = Till(approval="always")
    async with engine(till.tool, model=Told(PAY, PAY)) as waystation:
        await waystation.start("shop", "Hello", "r1")
        ended = await waystation.approve("r1", by="ann", remember={"amount": {"le": 9}})
        assert (ended.state, till.paid) == (State.Done, [5, 5])
        at = await seq_of(waystation, "tools_settled")
        run = await waystation.fork("r1", at=at, new_id="r2")
        assert (run.rules, [one.tool for one in run.approvals]) == ((), ["pay"])
        assert till.paid == [5, 5]
        with pytest.raises(RefusedError, match="has no rule"):
            await waystation.revoke("r2", "r2.rule1", by="ann")


async def test_a_quorum_begins_anew() -> None:
    till = Till(approval=ApprovalPolicy(quorum=2))
    async with engine(till.tool) as waystation:
        await waystation.start("shop", "Hello", "r1")
        half = await waystation.approve("r1", by="ann")
        assert half.approvals[0].grants == ("ann",)
        run = await waystation.fork("r1", at=half.seq, new_id="r2")
        assert run.approvals[0].grants == ()
        assert (await waystation.approve("r2", by="bob")).state is State.AwaitingApproval
        assert (await waystation.approve("r2", by="ann")).state is State.Done
        assert till.paid == [5]


async def test_a_question_is_asked_again_and_an_answer_before_the_fork_stands() -> None:
    asks = calls(("ask_person", {"question": "Which?", "choices": ["red", "blue"]}))
    async with engine(ask_person(), model=Told(asks)) as waystation:
        parked = await waystation.start("shop", "Hello", "r1")
        ended = await waystation.answer("r1", by="ann", result="red")
        run = await waystation.fork("r1", at=parked.seq, new_id="open")
        assert [one.kind for one in run.approvals] == ["question"]
        run = await waystation.answer("open", by="bob", result="blue")
        assert run.messages[-2].content == "blue"
        at = await seq_of(waystation, "approval_answered")
        run = await waystation.fork("r1", at=at, new_id="answered")
        assert (run.state, run.messages) == (State.Done, ended.messages)


async def test_messages_that_came_in_the_midst_of_a_turn_are_kept() -> None:
    till = Till(approval="always")
    async with engine(till.tool, model=Told(PAY)) as waystation:
        await waystation.start("shop", "Hello", "r1")
        told = await waystation.send("r1", "Hurry")
        run = await waystation.fork("r1", at=told.seq, new_id="r2", message="Or not", by="bob")
        assert [one.content for one in run.inbox] == ["Hurry", "Or not"]
        run = await waystation.deny("r2", by="ann")
        assert [one.content for one in run.messages if one.role == "user"] == [
            "Hello",
            "Hurry",
            "Or not",
        ]


async def test_a_run_that_was_done_is_copied_as_it_is_or_woken_by_a_message() -> None:
    model = Told()
    async with engine(model=model) as waystation:
        ended = await waystation.start("shop", "Hello", "r1", by="zoe", customer="c1")
        run = await waystation.fork("r1", at=ended.seq, new_id="r2")
        assert (run.state, run.answer, len(model.sent)) == (State.Done, "ok", 1)
        assert (run.by, run.customer) == ("zoe", "c1")
        run = await waystation.fork("r1", at=ended.seq, new_id="r3", message="And now?")
        assert (run.state, run.turns) == (State.Done, 2)
        assert [one.content for one in model.sent[-1].messages] == [
            "Help.",
            "Hello",
            "ok",
            "And now?",
        ]
        assert await waystation.run("r1") == ended


async def test_the_model_is_sent_the_other_instructions() -> None:
    model = Told(PAY)
    async with engine(Till().tool, model=model) as waystation:
        await waystation.start("shop", "Hello", "r1")
        at = await seq_of(waystation, "tools_settled")
        await waystation.fork("r1", at=at, instructions="Be rude.")
        assert model.sent[-1].messages[0].content == "Be rude."
        assert model.sent[-1].messages[1:] == model.sent[1].messages[1:]
        assert (await waystation.run("r1")).messages[0].content == "Help."


async def test_other_arguments_are_what_runs_and_what_the_model_sees_of_its_call() -> None:
    till, model = Till(), Told(PAY)
    async with engine(till.tool, model=model) as waystation:
        await waystation.start("shop", "Hello", "r1")
        at = await seq_of(waystation, "tools_requested")
        run = await waystation.fork("r1", at=at, arguments={"call_1_1": {"amount": 2}})
        assert (run.state, till.paid) == (State.Done, [5, 2])
        (asked,) = model.sent[-1].messages[2].tool_calls
        assert asked.function.arguments == '{"amount":2}'
        with pytest.raises(BadInputError, match=r"pay \(call_1_1\): amount"):
            await waystation.fork("r1", at=at, arguments={"call_1_1": {"amount": "all"}})
        with pytest.raises(BadInputError, match="arguments"):
            await waystation.fork("r1", at=at, arguments={"call_1_1": 3})  # type: ignore[dict-item]
        assert till.paid == [5, 2]


async def test_the_fork_is_durable_before_anything_is_driven() -> None:
    store = MemoryStore()
    seen: list[int] = []

    class Watching(Told):
        async def complete(self, request: ModelRequest) -> ModelReply:
            head = await store.head(request.run_id)
            seen.append(head.seq if head else 0)
            return await super().complete(request)

    async with engine(store=store, model=Watching()) as waystation:
        await waystation.start("shop", "Hello", "r1")
        run = await waystation.fork("r1", at=1, new_id="r2")
        assert seen == [1, 2]
        assert (run.state, run.origin and run.origin.seq) == (State.Done, 1)


async def test_a_fork_may_be_left_to_a_worker() -> None:
    till = Till(read_only=True)
    async with engine(till.tool) as waystation:
        await waystation.start("shop", "Hello", "r1")
        at = await seq_of(waystation, "tools_requested")
        run = await waystation.fork("r1", at=at, new_id="r2", detach=True)
        assert (run.state, run.seq, len(till.paid)) == (State.DispatchingTools, at + 1, 1)
        assert (await waystation.resume("r2")).state is State.Done
        assert len(till.paid) == 2


async def test_an_id_that_is_taken_and_a_run_that_is_not_there_change_nothing() -> None:
    async with engine() as waystation:
        ended = await waystation.start("shop", "Hello", "r1")
        await waystation.start("shop", "Hello", "r2")
        before = log_bytes()
        with pytest.raises(RunExistsError, match="there is a run r2 already; it is Done"):
            await waystation.fork("r1", at=1, new_id="r2")
        with pytest.raises(UnknownRunError):
            await waystation.fork("r9", at=1)
        with pytest.raises(UnknownRunError):
            await waystation.entries("r9")
        with pytest.raises(BadInputError, match="at:"):
            await waystation.fork("r1", at="one")  # type: ignore[arg-type]
        assert len(await waystation.runs()) == 2
        assert await waystation.run("r1") == ended
        assert log_bytes() == before


async def test_code_that_changed_since_is_what_the_fork_goes_on_under() -> None:
    async with engine(Till().tool) as waystation:
        await waystation.start("shop", "Hello", "r1")
    async with engine(Till(approval="always").tool) as waystation:
        run = await waystation.fork("r1", at=2, new_id="r2")
        assert [one.tool for one in run.approvals] == ["pay"]
        kinds = [one.event.kind for one in await waystation.journal("r2")]
        assert kinds[2:] == ["run_forked", "approval_requested"]


async def test_four_eyes_still_look_for_somebody_else_than_who_started_the_original() -> None:
    till = Till(approval=ApprovalPolicy(four_eyes=True))
    async with engine(till.tool) as waystation:
        parked = await waystation.start("shop", "Hello", "r1", by="zoe")
        await waystation.fork("r1", at=parked.seq, new_id="r2", by="bob")
        with pytest.raises(RefusedError, match="Zoe started the run"):
            await waystation.approve("r2", by="Zoe")
        forks = [one.event for one in await waystation.journal("r2")]
        assert [one.by for one in forks if isinstance(one, events.RunForked)] == ["bob"]


async def test_two_forks_of_one_name_at_once_are_one() -> None:
    async with engine() as waystation:
        await waystation.start("shop", "Hello", "r1")
        for detach in (True, False):
            name = f"detached-{detach}"
            forks = [waystation.fork("r1", at=1, new_id=name, detach=detach) for _ in range(2)]
            ended = await asyncio.gather(*forks, return_exceptions=True)
            assert sorted(isinstance(one, RunExistsError) for one in ended) == [False, True]
        assert len(await waystation.runs()) == 3


async def test_a_fork_under_an_audit_key_is_chained_under_it_and_takes_no_unsealed_past() -> None:
    key = "k1:0123456789abcdef"
    async with engine() as waystation:
        await waystation.start("shop", "Hello", "plain")
    async with engine(audit_key=key) as waystation:
        await waystation.start("shop", "Hello", "r1")
        await waystation.fork("r1", at=2, new_id="r2")
        assert {one.key for one in await waystation.entries("r2")} == {"k1"}
        with pytest.raises(UnverifiedRunError, match="waystation seal plain"):
            await waystation.fork("plain", at=1)
        assert len(await waystation.runs()) == 3
