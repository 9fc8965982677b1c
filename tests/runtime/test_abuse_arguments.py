"""What was approved is what runs, whoever changes arguments, schema, policy or store meanwhile."""

import itertools
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any

import apsw
import pytest
from pydantic import Field

from engine import ApprovalPolicy, BadInputError, Notice, Run, State, Tool, events, tool
from engine.codec.chain import GENESIS, Place, chain
from engine.core.policy import Policy
from engine.stores.packing import unpack
from tests.clock import Jumping
from tests.runtime.desk import Till, desk, journal, kinds, pays
from tests.runtime.test_engine import calls

FREE: dict[str, Any] = {"type": "object"}


async def test_a_default_that_changes_after_the_approval_is_not_run() -> None:
    paid, amounts = list[int](), itertools.count(1)

    @tool
    def pay(amount: Annotated[int, Field(default_factory=lambda: next(amounts))]) -> str:
        """Pay what the till says."""
        paid.append(amount)
        return "paid"

    async with desk(calls(("pay", {})), tools=[pay]) as waystation:
        (asked,) = (await waystation.start("shop", "Hello", run_id="r1")).approvals
        run = await waystation.approve("r1", by="ann", digest=asked.digest)
    (again,) = run.approvals
    assert again.arguments != asked.arguments
    assert again.digest != asked.digest
    assert paid == []


def rewrite(old: bytes, new: bytes) -> int:
    """How many events of the run r1 were changed so, by somebody who mends the digests, too."""
    digest, changed = GENESIS, 0
    with closing(apsw.Connection("runs.db")) as store:
        rows = list(store.execute("SELECT seq, at, kind, data FROM events ORDER BY seq"))
        for seq, at, kind, stored in rows:
            data = unpack(stored)
            written = data.replace(old, new) if kind == "tools_requested" else data
            changed += written != data
            digest = chain(digest, Place("r1", seq, at, kind), written)
            change = (written, digest, seq)
            store.execute("UPDATE events SET data = ?, digest = ? WHERE seq = ?", change)
    return changed


async def test_arguments_that_are_changed_in_the_store_after_the_approval_are_not_run() -> None:
    till = Till()
    tools = [till.tool(ApprovalPolicy(batch=True))]
    async with desk(pays(1.25, 2), tools=tools) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        digests = [one.digest for one in run.approvals]
        await waystation.approve("r1", "call_1_1", by="ann")
        assert till.paid == [], "the other call of the batch is open"
    assert rewrite(b"1.25", b"9999") == 1
    async with desk(pays(1.25, 2), tools=tools) as waystation:
        run = await waystation.approve("r1", "call_1_2", by="ann")
        assert await waystation.damaged() == {}, "the digests were not mended"
    (again,) = run.approvals
    assert again.arguments == {"order": "1", "amount": 9999.0}
    assert again.digest not in digests
    assert till.paid == []


class Greedy:
    """A policy, a tool, its look-up and a notifier; each adds to the arguments that it gets."""

    name = "greedy"

    def __init__(self) -> None:
        self.seen: list[list[Any]] = []

    def judge(self, arguments: Mapping[str, Any], _: Run) -> bool:
        arguments["items"].append("by the policy")
        return True

    async def notify(self, notice: Notice) -> None:
        items: Any = notice.approval.arguments["items"]
        items.append("by the notifier")

    def act(self, items: list[Any]) -> str:
        self.seen.append([*items])
        items.append("by the tool")
        if len(self.seen) == 1:
            raise TimeoutError("nobody knows")
        return "done"

    def look_up(self, _: str, arguments: Mapping[str, Any]) -> None:
        arguments["items"].append("by the look-up")
        raise LookupError("closed")


async def test_who_changes_the_arguments_it_is_given_changes_nothing_that_was_approved() -> None:
    greedy = Greedy()
    act = Tool(
        name="act",
        description="",
        parameters={**FREE, "properties": {"items": {"type": "array"}}},
        function=greedy.act,
        idempotent=True,
        approval=greedy.judge,
        reconcile=greedy.look_up,
    )
    asked = calls(("act", {"items": ["one"]}), ("act", {"items": ["two"]}))
    async with desk(asked, tools=[act], notifiers=[greedy], clock=Jumping()) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        assert [one.arguments for one in run.approvals] == [{"items": ["one"]}, {"items": ["two"]}]
        await waystation.approve("r1", "call_1_1", by="ann")
        told = await journal(waystation)
        starts = [one.arguments for one in told if isinstance(one, events.ToolStarted)]
        assert starts == [{"items": ["one"]}] * 2, "it was repeated"
        assert greedy.seen == [["one"]] * 2
        assert {"reconcile_failed", "approval_notified"} <= {one.kind for one in told}
        assert await waystation.damaged() == {}


async def test_a_tool_whose_schema_changed_between_asking_and_approving_is_not_run() -> None:
    till, changed = Till(), list[str]()

    @tool
    def pay(order: str, amount: float = 5.0, to: str = "me") -> str:
        """Pay for an order."""
        changed.append(f"{amount} for {order} to {to}")
        return "paid"

    async with desk(pays(5), tools=[till.tool()]) as first:
        (asked,) = (await first.start("shop", "Hello", run_id="r1")).approvals
    async with desk(pays(5), tools=[pay]) as second:
        run = await second.approve("r1", by="ann", digest=asked.digest)
        (again,) = run.approvals
        assert (again.kind, changed) == ("changed", [])
        run = await second.accept_changes("r1", by="ann")
        (judged,) = run.approvals
        assert (judged.kind, judged.arguments["to"], changed) == ("tool_call", "me", [])
        assert len({asked.digest, again.digest, judged.digest}) == 3
        run = await second.approve("r1", by="ann", digest=judged.digest)
    assert (run.state, till.paid, changed) == (State.Done, [], ["5.0 for 1 to me"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("always", ApprovalPolicy(quorum=2)),
        ("always", ApprovalPolicy(four_eyes=True)),
        (ApprovalPolicy(roles=["clerk"]), ApprovalPolicy(roles=["manager"])),
        (ApprovalPolicy(four_eyes=True), "always"),
    ],
)
async def test_a_policy_that_changed_between_asking_and_approving_asks_again(
    before: Policy, after: Policy
) -> None:
    till = Till()
    approvers = {"ann": ["clerk", "manager"], "bob": ["clerk", "manager"]}
    async with desk(pays(5), tools=[till.tool(before)], approvers=approvers) as first:
        (asked,) = (await first.start("shop", "Hello", run_id="r1", by="mia")).approvals
    async with desk(pays(5), tools=[till.tool(after)], approvers=approvers) as second:
        run = await second.approve("r1", by="ann")
        (again,) = run.approvals
        assert again.arguments == asked.arguments
        assert (again.demand != asked.demand, again.digest != asked.digest) == (True, True)
        assert (till.paid, again.grants) == ([], ())
        run = await second.approve("r1", by="ann")
        if run.approvals:
            assert till.paid == []
            run = await second.approve("r1", by="bob")
    assert (run.state, till.paid) == (State.Done, [5.0])


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    "amount",
    [float("nan"), 1e400, 2**60, deep(100), deep(1000), {1, 2}, {1: 2}, "\ud800", "999 or more"],
    ids=lambda amount: type(amount).__name__,
)
async def test_changed_arguments_that_could_not_run_are_refused_and_nothing_is_recorded(
    amount: Any,
) -> None:
    till = Till()
    async with desk(pays(5), tools=[till.tool()]) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        for arguments in ({"order": "1", "amount": amount}, {"order": "1", "more": amount}):
            with pytest.raises(BadInputError, match="arguments") as refused:
                await waystation.approve("r1", by="ann", arguments=arguments)
            assert len(str(refused.value)) < 300, "a refusal is read by a person"
        assert (await waystation.run("r1")).seq == run.seq
    assert till.paid == []


async def test_edits_that_were_made_of_another_action_are_refused() -> None:
    till = Till()
    async with desk(pays(5, 50), tools=[till.tool()]) as waystation:
        first, second = (await waystation.start("shop", "Hello", run_id="r1")).approvals
        less: dict[str, Any] = {"order": "1", "amount": 1}
        with pytest.raises(Exception, match="another action"):
            await waystation.approve(
                "r1", second.call_id, by="ann", arguments=less, digest=first.digest
            )
        assert "approval_granted" not in await kinds(waystation)
    assert till.paid == []
