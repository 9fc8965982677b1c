"""What approvals got wrong elsewhere, a failure a test; each fails if it came back here."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from engine import (
    ApprovalPolicy,
    Engine,
    NotAllowedError,
    RefusedError,
    State,
    events,
)
from engine.errors import UnknownCallError
from tests.clock import Steered
from tests.runtime.desk import (
    BOSSES,
    LOOK,
    Till,
    desk,
    journal,
    kinds,
    look,
    not_allowed,
    pays,
    refusals,
)
from tests.runtime.test_engine import calls

SOON = ApprovalPolicy(expires_in=60, roles=["manager"])


async def test_an_approval_is_of_its_arguments_and_not_of_its_place() -> None:
    till = Till()
    async with desk(pays(1, 999), pays(999), tools=[till.tool()]) as engine:
        run = await engine.start("shop", "Hello", run_id="r1")
        first, second = run.approvals
        with pytest.raises(RefusedError, match="another action than the one of"):
            await engine.approve("r1", second.call_id, by="ann", digest=first.digest)
        await engine.approve("r1", first.call_id, by="ann", digest=first.digest)
        assert till.paid == [1.0], "the other call of the turn was not approved"
        run = await engine.deny("r1", second.call_id, by="ann")
        (again,) = run.approvals
        assert (again.call_id, again.arguments["amount"]) == ("call_2_1", 999.0)
        assert again.digest == second.digest, "the same action has the same digest"
        assert again.approval_id not in {first.approval_id, second.approval_id}
        with pytest.raises(UnknownCallError, match=f"of id '{first.approval_id}'"):
            await engine.approve("r1", by="bob", approval_id=first.approval_id)
    assert till.paid == [1.0]


async def test_one_pause_that_is_gone_on_from_twice_pays_once() -> None:
    till = Till()
    tools = [till.tool()]
    async with desk(pays(5), tools=tools) as first, desk(pays(5), tools=tools) as second:
        await first.start("shop", "Hello", run_id="r1")
        paused = await second.run("r1")
        runs = await asyncio.gather(
            *(one.approve("r1", by="ann") for one in (first, second) for _ in range(3))
        )
        resumed = [await one.resume("r1") for one in (first, second)]
        assert {run.state for run in resumed} == {State.Done}
        assert (await kinds(first)).count("approval_granted") == 1
        assert (await kinds(first)).count("tool_started") == 1
    assert all(len(run.verdicts) == 1 for run in runs)
    assert paused.approvals[0].approval_id == runs[0].verdicts[0].approval_id
    assert till.paid == [5.0]


async def test_a_standing_approval_for_1_lets_no_999_through() -> None:
    till = Till()
    replies = [pays(1), pays(1), pays(999)]
    async with desk(*replies, tools=[till.tool()]) as engine:
        await engine.start("shop", "Hello", run_id="r1")
        run = await engine.approve("r1", by="ann", remember={"amount": {"le": 1}})
        assert till.paid == [1.0, 1.0], "the rule holds for what it says"
        assert [one.arguments["amount"] for one in run.approvals] == [999.0]
        run = await engine.deny("r1", by="ann")
        starts = [one for one in await journal(engine) if isinstance(one, events.ToolStarted)]
    assert [one.approval_id for one in starts] == ["r1.1", "r1.rule1"]
    assert till.paid == [1.0, 1.0]


async def test_edited_arguments_are_told_to_the_model_and_stay_beside_the_original() -> None:
    till = Till()
    async with desk(pays(50), tools=[till.tool()]) as engine:
        await engine.start("shop", "Hello", run_id="r1")
        run = await engine.approve("r1", by="ann", arguments={"order": "1", "amount": 20})
        told = await journal(engine)
    assert till.paid == [20.0]
    assert run.messages[3].content == (
        "A person changed the arguments before the call was made (amount: 50.0 -> 20.0). "
        "It gave:\npaid 20.0 for 1"
    )
    (asked,) = (one for one in told if isinstance(one, events.ApprovalRequested))
    (granted,) = (one for one in told if isinstance(one, events.ApprovalGranted))
    (started,) = (one for one in told if isinstance(one, events.ToolStarted))
    assert asked.arguments == {"order": "1", "amount": 50.0}
    assert granted.arguments == started.arguments == {"order": "1", "amount": 20.0}
    assert granted.digest != asked.digest


async def resume(engine: Engine) -> None:
    await engine.resume("r1")


async def work(engine: Engine) -> None:
    await engine.worker().run(once=True)


async def send(engine: Engine) -> None:
    await engine.send("r1", "Are you there?")


@pytest.mark.parametrize("touch", [resume, work, send])
async def test_a_deadline_is_enforced_by_whoever_touches_the_run(
    touch: Callable[[Engine], Awaitable[None]],
) -> None:
    till, clock = Till(), Steered()
    policy = ApprovalPolicy(expires_in=60)
    async with desk(pays(5), tools=[till.tool(policy)], clock=clock) as engine:
        await engine.start("shop", "Hello", run_id="r1")
        clock.run(59)
        await touch(engine)
        assert "approval_expired" not in await kinds(engine), "it fired before its time"
        clock.run(1)
        await touch(engine)
        run = await engine.run("r1")
        assert (await kinds(engine)).count("approval_expired") == 1
    assert (run.state, till.paid) == (State.Done, [])
    (told,) = (message.content for message in run.messages if message.role == "tool")
    assert told == "Nobody approved this call in time, so it was not made."


async def test_a_denial_holds_whatever_becomes_of_the_policy_s_condition() -> None:
    till, strict = Till(), [True]
    tools = [till.tool(lambda _arguments, _run: strict[0])]
    async with desk(pays(5), tools=tools) as engine:
        parked = await engine.start("shop", "Hello", run_id="r1")
        assert parked.state is State.AwaitingApproval
        strict[0] = False
        run = await engine.deny("r1", by="ann", reason="no")
        assert (run.state, till.paid) == (State.Done, [])
        assert run.messages[3].content == "Denied by a person: no"
    async with desk(pays(5), tools=[till.tool("never")]) as engine:
        assert (await engine.resume("r1")).seq == run.seq
    assert till.paid == []


@pytest.mark.parametrize(("late", "by"), [(0, "carl"), (61, "carl"), (61, "ann")])
async def test_an_approval_with_edited_arguments_that_is_late_or_not_allowed_pays_nothing(
    late: float, by: str
) -> None:
    till, clock = Till(), Steered()
    tools = [till.tool(SOON)]
    async with desk(pays(5), tools=tools, approvers=BOSSES, clock=clock) as engine:
        await engine.start("shop", "Hello", run_id="r1")
        clock.run(late)
        with pytest.raises(RefusedError) as refused:
            await engine.approve("r1", by=by, arguments={"order": "1", "amount": 999})
        await engine.resume("r1")
        assert "approval_granted" not in await kinds(engine)
        assert ("approval_expired" in await kinds(engine)) == (late > 0)
    assert isinstance(refused.value, NotAllowedError) == (late == 0)
    assert ("was expired" in str(refused.value)) == (late > 0)
    assert till.paid == []


async def test_every_call_of_a_turn_is_checked() -> None:
    till = Till()
    tools = [till.tool(lambda arguments, _run: arguments["amount"] != 1), look]
    turn = calls(LOOK, *(("pay", {"order": "1", "amount": amount}) for amount in (1, 50, 999)))
    async with desk(turn, tools=tools) as engine:
        run = await engine.start("shop", "Hello", run_id="r1")
    assert [one.arguments["amount"] for one in run.approvals] == [50.0, 999.0]
    assert till.paid == [1.0]


@pytest.mark.parametrize(
    ("by", "why"),
    [
        ("mallory", "mallory is none of the approvers"),
        ("carl", "it takes the role manager, which carl does not have"),
        ("bob", "bob started the run, and it takes somebody else"),
        ("BOB ", "started the run, and it takes somebody else"),
    ],
)
async def test_who_may_not_decide_is_refused_with_the_reason(by: str, why: str) -> None:
    till = Till()
    tools = [till.tool(ApprovalPolicy(roles=["manager"], four_eyes=True))]
    async with desk(pays(5), tools=tools, approvers=BOSSES) as engine:
        await engine.start("shop", "Hello", run_id="r1", by="bob")
        await not_allowed(engine, engine.approve("r1", by=by), f"may not approve pay.*{why}")
        await not_allowed(engine, engine.deny("r1", by=by), f"may not deny pay.*{why}")
        edited = engine.approve("r1", by=by, arguments={"order": "1", "amount": 1})
        await not_allowed(engine, edited, why)
        await not_allowed(engine, engine.answer("r1", by=by, result="paid"), why)
        assert [line["command"] for line in refusals()] == ["approve", "deny", "approve", "answer"]
        assert till.paid == []
        assert (await engine.approve("r1", by="ann")).state is State.Done
    assert till.paid == [5.0]


async def test_the_run_has_on_record_who_allowed_what_and_under_which_policy() -> None:
    till, clock = Till(), Steered()
    tools = [till.tool(ApprovalPolicy(when=lambda _arguments, _run: True, quorum=2))]
    async with desk(pays(5), tools=tools, approvers=BOSSES, clock=clock) as engine:
        (asked,) = (await engine.start("shop", "Hello", run_id="r1", by="mia")).approvals
        await engine.approve("r1", by="ann", note="seen the parcel")
        clock.run(60)
        await engine.approve("r1", by="bob", digest=asked.digest[:12])
    async with desk(pays(5), tools=tools) as another:
        recorded = await another.journal("r1")
        run = await another.run("r1")
    grants = [one for one in recorded if isinstance(one.event, events.ApprovalGranted)]
    assert [(one.event.by, one.event.note) for one in grants] == [  # type: ignore[union-attr]
        ("ann", "seen the parcel"),
        ("bob", None),
    ]
    assert (grants[1].at - grants[0].at).total_seconds() == 60
    (request,) = (one.event for one in recorded if isinstance(one.event, events.ApprovalRequested))
    (started,) = (one.event for one in recorded if isinstance(one.event, events.ToolStarted))
    assert request.demand.source.startswith("tool pay: ")
    assert request.demand.quorum == 2
    assert request.digest == asked.digest
    assert (started.arguments, started.approval_id) == (request.arguments, request.approval_id)
    assert [(one.by, one.verdict, one.digest) for one in run.verdicts] == [
        ("ann", "granted", asked.digest),
        ("bob", "granted", asked.digest),
    ]
    assert run.by == "mia"


async def test_one_of_three_is_decided_and_runs_while_the_others_stay_open() -> None:
    till = Till()
    async with desk(pays(1, 2, 3), tools=[till.tool()]) as engine:
        run = await engine.start("shop", "Hello", run_id="r1")
        assert len(run.approvals) == 3
        run = await engine.approve("r1", "call_1_2", by="ann")
        assert till.paid == [2.0], "what is decided does not wait for the rest"
        assert [one.call_id for one in run.approvals] == ["call_1_1", "call_1_3"]
        run = await engine.deny("r1", "call_1_1", by="ann")
        assert [one.call_id for one in run.approvals] == ["call_1_3"]
        run = await engine.answer("r1", "call_1_3", by="ann", result="it was paid in cash")
    assert (run.state, till.paid) == (State.Done, [2.0])
    assert [message.content for message in run.messages if message.role == "tool"] == [
        "Denied by a person, without a reason.",
        "paid 2.0 for 1",
        "it was paid in cash",
    ]


async def test_there_is_a_list_of_what_waits_the_oldest_first() -> None:
    till, clock = Till(), Steered()
    tools = [till.tool(ApprovalPolicy(roles=["manager"], expires_in=900)), look]
    turn = {**pays(5), "content": "The parcel is lost, so I pay."}
    async with desk(turn, tools=tools, clock=clock, approvers=BOSSES) as engine:
        for name in ("r2", "r1"):
            await engine.start("shop", "Hello", run_id=name, by="mia")
            clock.run(60)
        waiting = await engine.pending()
        assert [one.run_id for one in waiting] == ["r2", "r1"]
        assert [one.words for one in waiting] == ["The parcel is lost, so I pay."] * 2
        assert waiting[0].arguments == {"order": "1", "amount": 5.0}
        assert waiting[0].started_by == "mia"
        assert waiting[0].demand.roles == (("manager",),)
        assert waiting[0].expires_at is not None
        assert [one.run_id for one in await engine.pending(older_than=60)] == ["r2"]
        for none in ({"tool": "look"}, {"role": "clerk"}, {"workflow": "shap"}):
            assert await engine.pending(**none) == []  # type: ignore[arg-type] # each is a text
        assert len(await engine.pending(tool="pay", role="manager", workflow="shop")) == 2
        await engine.deny("r2", by="ann")
        assert [one.run_id for one in await engine.pending()] == ["r1"]


async def test_a_first_yes_said_again_is_no_leave_to_run_it_once_more() -> None:
    till = Till()
    async with desk(pays(5), tools=[till.tool()]) as engine:
        await engine.start("shop", "Hello", "r1")
        await engine.approve("r1", "call_1_1", by="ann")
        assert (await engine.approve("r1", "call_1_1", by="ann")).state is State.Done
        with pytest.raises(RefusedError, match="waits for no verdict"):
            await engine.approve("r1", "call_1_1", by="ann", retry=True)
    assert till.paid == [5.0]
